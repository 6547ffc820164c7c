"""Firmware whose model meets a fault in the way that its input asks for (failing.c)."""

from __future__ import annotations

from pathlib import Path

from microwright import board, build, project
from microwright.build import Image
from microwright.profile import MlperfTiny
from tests.support.firmware import dense

_SOURCE = Path(__file__).with_suffix(".c")
_INVOKE = "enum mw_status mw_model_invoke(void *arena)\n{\n"

WILD_POINTER, NO_INSTRUCTION, WILD_CALL, STACK_OVERFLOW, DIVISION, OTHER_STACK, SUPERVISOR = range(1, 8)


def built(folder: Path, board_id: str, profile: MlperfTiny | None = None) -> Image:
    """A dense layer of 8 inputs, the first of which is the way to fail; 0 is none."""
    made = project.create(folder, dense(), board.load(board_id), profile=profile)
    (folder / "model/failing.c").write_bytes(_SOURCE.read_bytes())
    model = folder / "model/mw_model.c"
    text = model.read_text(encoding="ascii")
    assert _INVOKE in text
    fails = f'#include "failing.c"\n\n{_INVOKE}    fail(*(const uint8_t *)arena);\n'
    model.write_text(text.replace(_INVOKE, fails), encoding="ascii")
    return build.build(made)


def line_of(text: str) -> int:
    """The number of the line of failing.c that has a text."""
    lines = _SOURCE.read_text(encoding="ascii").splitlines()
    return next(number for number, line in enumerate(lines, 1) if text in line)
