"""A device whose core meets a fault says so, and the host says where in the firmware."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from microwright import cli, runners
from microwright.build import Image
from microwright.errors import DeviceFault
from microwright.link import Link
from microwright.measure import measure
from microwright.mlperf import Session
from microwright.profile import MlperfTiny
from tests.support import failing

# Armv7-M; Armv6-M code; Armv8-M, with a limit of the stack.
BOARDS = ("mps2-an386", "mps2-an385-m0plus", "mps3-an547")
OTHERS = ("mps2-an385", "mps2-an500", "mps2-an505")
SOME_FIRST = [*BOARDS, *(pytest.param(board_id, marks=pytest.mark.thorough) for board_id in OTHERS)]
M0 = "microbit"
ARMV6 = ("mps2-an385-m0plus", M0)
ARMV8 = ("mps2-an505", "mps3-an547")
NOWHERE = 0xF8000000


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Image]:
    class Images(dict[str, Image]):
        def __missing__(self, board_id: str) -> Image:
            self[board_id] = failing.built(tmp_path_factory.mktemp("failing") / board_id, board_id)
            return self[board_id]

    return Images()


def met(image: Image, how: int) -> DeviceFault:
    """What a measurement ends in. The device tells whoever comes to it later the same."""
    sample = np.zeros((1, 8), np.int8)
    sample[0, 0] = how
    with runners.start(image) as device:
        with pytest.raises(DeviceFault) as first:
            measure(image, device.url, [(sample,)], emulation=device.emulation)
        with (
            Link(device.url, image.project.board.serial.baud) as link,
            pytest.raises(DeviceFault) as later,
        ):
            link.request("hello")
    assert later.value.registers == first.value.registers
    assert later.value.build_id == first.value.build_id == image.build_id
    return first.value


@pytest.mark.parametrize("board_id", SOME_FIRST)
def test_a_wild_pointer(images: Mapping[str, Image], board_id: str) -> None:
    fault = met(images[board_id], failing.WILD_POINTER)
    line = failing.line_of("(void)*nowhere;")
    place = f"in read_through_a_wild_pointer (model/failing.c:{line}), called from mw_model_invoke"
    said = "" if board_id in ARMV6 else f", precise bus fault (PRECISERR) at 0x{NOWHERE:08x}"
    assert place in fault.message
    assert fault.message.endswith(f": BusFault{said}")
    assert NOWHERE in [fault.registers[f"r{number}"] for number in range(4)]
    stack = images[board_id].project.board.ram
    assert stack is not None and stack.origin < fault.registers["sp"] < stack.origin + 0x4000
    for name in ("cfsr", "hfsr", "mmfar", "bfar"):
        assert (name in fault.registers) is (board_id not in ARMV6)


@pytest.mark.parametrize("board_id", SOME_FIRST)
def test_an_overflow_of_the_stack(images: Mapping[str, Image], board_id: str) -> None:
    fault = met(images[board_id], failing.STACK_OVERFLOW)
    assert "stack overflow" in fault.message
    if board_id in ARMV8:
        assert "in overflow_the_stack" in fault.message
    else:
        assert "pc" not in fault.registers


@pytest.mark.parametrize(
    "board_id",
    ["mps2-an386", *(pytest.param(i, marks=pytest.mark.thorough) for i in (*BOARDS[1:], *OTHERS, M0))],
)
def test_other_faults(images: Mapping[str, Image], board_id: str) -> None:
    kind = "HardFault" if board_id == M0 else "UsageFault"
    said = "" if board_id in ARMV6 else ", undefined instruction (UNDEFINSTR)"
    fault = met(images[board_id], failing.NO_INSTRUCTION)
    assert f"in execute_no_instruction (model/failing.c:{failing.line_of('udf #0')}), " in fault.message
    assert fault.message.endswith(f": {kind}{said}")

    fault = met(images[board_id], failing.WILD_CALL)
    line = failing.line_of("(uintptr_t)nowhere")
    place = f"at 0x{NOWHERE:08x}, which is in no function, called from call_through_a_wild_pointer"
    assert f"{place} (model/failing.c:{line})" in fault.message

    fault = met(images[board_id], failing.OTHER_STACK)
    assert "in execute_no_instruction_on_the_other_stack (model/failing.c:" in fault.message
    assert fault.registers["sp"] == fault.registers["r0"]

    assert met(images[board_id], failing.SUPERVISOR).message.endswith(": SVCall")

    if board_id not in ARMV6:  # divides by software, to 0
        fault = met(images[board_id], failing.DIVISION)
        line = failing.line_of("7 / zero")
        assert f"in divide_by_zero (model/failing.c:{line}), " in fault.message
        assert fault.message.endswith(": UsageFault, division by zero (DIVBYZERO)")


def test_the_command_line_says_it(
    images: Mapping[str, Image], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = images[BOARDS[0]]
    np.savez(tmp_path / "data.npz", x=np.full((2, 8), failing.NO_INSTRUCTION, np.int8))
    argv = ["measure", str(image.project.directory), "--data", str(tmp_path / "data.npz")]
    assert cli.execute(argv) == 11
    error, hint = capsys.readouterr().err.strip().splitlines()[-2:]
    assert error.startswith("error: the device met a fault in execute_no_instruction (model/failing.c:")
    assert hint.startswith("hint: reset it to go on; its registers: pc=")


def test_a_fault_in_the_midst_of_mlperf_tinys_commands(tmp_path: Path) -> None:
    image = failing.built(tmp_path / "p", BOARDS[0], MlperfTiny("failing", "int8"))
    with runners.start(image) as device, Session(image, device.url) as session:
        for _ in range(2):
            with pytest.raises(DeviceFault, match="undefined instruction"):
                session.infer(bytes([failing.NO_INSTRUCTION] * 8), 1, 0, 10.0)
