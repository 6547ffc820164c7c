"""The memory map that `inspect --memory` prints."""

from __future__ import annotations

from pathlib import Path

import pytest

from microwright import cli, kernels, passes
from microwright.cli import _memory_map
from microwright.graph import read
from microwright.plan import Plan, plan
from tests.support.small_model import small_model
from tests.support.tflite_maker import Maker


def residual(size: int, layers: int = 1) -> Plan:
    """x -> ADD(x, ... RELU(RELU(x))), all of `size` bytes; plain kernels, which need no scratch here."""
    m = Maker()
    x = last = m.tensor((1, size), "int8", name="x", scale=0.1)
    for layer in range(layers):
        made = m.tensor((1, size), "int8", name=f"relu{layer}", scale=0.1)
        m.node("RELU", [last], [made])
        last = made
    y = m.tensor((1, size), "int8", name="sum", scale=0.1)
    m.node("ADD", [x, last], [y])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernels, "KERNELS", {})
        return plan(read(m.build(inputs=[x], outputs=[y]), "residual"))


def test_the_chart_shows_the_newest_buffer_at_each_place_and_time() -> None:
    planned = residual(32)
    assert planned.arena_bytes == 64
    assert _memory_map.chart(planned, 80).splitlines() == [
        "     layer  in  0  1out",
        "         0   a  a  c  c",
        "        16   a  a  c  c",
        "        32   .  b  b  .",
        "        48   .  b  b  .",
    ]


def test_a_row_stands_for_as_many_bytes_as_a_screen_needs() -> None:
    rows = _memory_map.chart(residual(1000), 80).splitlines()[1:]
    assert len(rows) == 32
    assert [row.split()[0] for row in rows[:3]] == ["0", "64", "128"]


def test_many_layers_share_columns() -> None:
    planned = residual(32, layers=200)
    lines = _memory_map.chart(planned, 80).splitlines()
    assert max(map(len, lines)) <= 80
    assert min(map(len, lines)) > 40


def test_marks_tell_buffers_apart_and_scratch_from_tensors() -> None:
    planned = residual(32, layers=3)
    marks = dict(zip((b.what for b in planned.buffers), _memory_map.marks(planned), strict=True))
    assert marks == {"x": "a", "relu0": "b", "relu1": "c", "relu2": "d", "sum": "e"}


def test_bytes_in_use_count_shared_ones_once() -> None:
    planned = residual(32)
    assert [planned.used_bytes(call) for call in range(-1, 3)] == [32, 64, 64, 32]
    assert planned.peak == 0


def test_the_summary_names_the_layer_that_makes_the_peak() -> None:
    text = _memory_map.summary(residual(32))
    assert text.startswith("arena 64 bytes, of which 64 in use at the peak: layer 0 RELU (")
    assert "x 32" in text and "relu0 32" in text and "sum" not in text


@pytest.fixture
def model(tmp_path: Path) -> str:
    path = tmp_path / "model.tflite"
    path.write_bytes(small_model())
    return str(path)


def test_inspect_draws_the_map(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.execute(["inspect", model, "--board", "mps2-an386", "--memory"]) == 0
    printed = capsys.readouterr().out
    for what in ("layer  in", "#", "scratch", "convolved", "arena", "at the peak: layer "):
        assert what in printed
    assert cli.execute(["inspect", model, "--board", "mps2-an386"]) == 0
    assert "layer  in" not in capsys.readouterr().out


def test_inspect_tells_kernels_and_why_others_were_not_taken(
    model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.execute(["inspect", model, "--board", "mps2-an386"]) == 0
    printed = capsys.readouterr().out
    assert "conv_2d_s8_dsp" in printed
    assert "conv_1x1_s8_dsp: " in printed
    assert cli.execute(["inspect", model, "--board", "mps2-an386", "--optimize", "size"]) == 0
    assert "for size: without it, the firmware is about" in capsys.readouterr().out


def test_a_memory_map_needs_a_board(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.execute(["inspect", model, "--memory"]) == 2
    assert "--memory needs --board" in capsys.readouterr().err


def test_layers_are_counted_as_in_the_model_as_given() -> None:
    m = Maker()
    x, flat, y = (m.tensor(shape, "int8", scale=0.1) for shape in ((2, 8), (16,), (16,)))
    m.node("RESHAPE", [x], [flat])
    m.node("RELU", [flat], [y])
    planned = plan(passes.run(read(m.build(inputs=[x], outputs=[y]), "reshaped")))
    assert _memory_map.chart(planned, 80).splitlines()[0] == "     layer  in  1out"
    assert "layer 1 RELU" in _memory_map.summary(planned)
