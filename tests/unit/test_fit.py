"""Models that do not fit are refused before anything is built, and what would do is named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from microwright import board, fit, graph, library, passes, project, target
from microwright.board import Board, Placement, Region
from microwright.errors import BoardError, TooLarge
from microwright.plan import Plan, plan
from microwright.target import Optimize
from tests.support.firmware import convolutional, dense

MCU = board.load("mps2-an386")
DENSE = dense(inputs=1000, outputs=50)


def planned(model: graph.Graph, on: Board = MCU, optimize: Optimize = "balanced") -> Plan:
    return plan(passes.run(model), target.of(on, optimize))


def with_flash(size: int) -> Board:
    return replace(MCU, flash=Region(0, size))


def test_code_that_surely_does_not_fit_beside_the_weights_is_refused(tmp_path: Path) -> None:
    found = fit.estimate(planned(DENSE))
    assert 50_000 < found.constants < found.least < found.bytes < found.most
    with pytest.raises(TooLarge, match=rf"flash is about \d+ bytes too small; of {found.least - 1} bytes"):
        project.create(tmp_path / "p", DENSE, with_flash(found.least - 1))
    assert not (tmp_path / "p").exists()
    # What might fit is the linker's to refuse.
    project.create(tmp_path / "p", DENSE, with_flash(found.least))


def test_code_that_surely_does_not_fit_where_it_is_copied_to_is_refused(tmp_path: Path) -> None:
    def with_code(size: int) -> Board:
        return replace(MCU, extra={"itcm": Region(1 << 28, size)}, placement=Placement(("ram",), "itcm"))

    found = fit.estimate(planned(DENSE))
    assert 0 < found.code_least < found.code < found.code_most
    small = with_code(found.code_least - 1)
    why = rf"itcm is about \d+ bytes too small; of {found.code_least - 1} bytes, the model's code takes about"
    with pytest.raises(TooLarge, match=why) as error:
        project.create(tmp_path / "p", DENSE, small)
    assert "`code` of [placement]" in error.value.hint
    # What might fit is the linker's to refuse, and named to nobody.
    fit.check(planned(DENSE), with_code(found.code_least))
    assert not fit.fits(planned(DENSE), with_code(found.code_least))
    assert fit.fits(planned(DENSE), with_code(found.code_most))


def test_a_model_alone_has_no_application_to_fit() -> None:
    small = with_flash(fit.estimate(planned(DENSE)).least - 1)
    assert library.compile_model(DENSE, small).plan.arena_bytes > 0


def test_boards_that_fit_are_named_the_smallest_first(monkeypatch: pytest.MonkeyPatch) -> None:
    made = {
        f"b{kilobytes}": replace(with_flash(kilobytes * 1024), id=f"b{kilobytes}")
        for kilobytes in (512, 256, 128, 100, 96, 90, 64, 32)
    }
    monkeypatch.setattr(board, "all_ids", lambda: (*made, "broken", "host"))
    monkeypatch.setattr(board, "load", lambda name: made[name] if name in made else _other(name))
    with pytest.raises(TooLarge) as caught:
        fit.check(planned(DENSE), made["b32"])
    assert caught.value.hint == "fits b90, b96, b100; or prune the model"


def _other(name: str) -> Board:
    if name == "broken":
        raise BoardError("broken", "mend it")
    return replace(MCU, id=name, flash=None, ram=None)


def test_another_memory_for_the_arena_is_named() -> None:
    model = convolutional()
    small = replace(
        MCU,
        ram=Region(MCU.regions["ram"].origin, 256),
        extra={"ccm": Region(0x1000_0000, 256), "psram": MCU.extra["psram"]},
        placement=Placement(("ram",)),
    )
    with pytest.raises(TooLarge, match=r"RAM is \d+ bytes too small; of 256 bytes, the arena") as caught:
        fit.check(planned(model, small), small)
    assert "fits with --arena-section psram; fits " in caught.value.hint
    assert "ccm" not in caught.value.hint


def test_smaller_code_is_named_where_that_is_enough() -> None:
    model, now = convolutional(), planned(convolutional())
    less = fit.estimate(now).bytes - fit.estimate(planned(model, optimize="size")).bytes
    assert less > 0
    hint = fit.too_large(now, MCU, "flash", less, "why").hint
    assert hint.startswith(f"--optimize size takes about {less} bytes less; fits ")
    assert "--optimize" not in fit.too_large(now, MCU, "flash", less + 1, "why").hint
