"""What a port promises in mw_port.h, on every board that is emulated, and on the host."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import serial

from microwright import board, build, project, runners
from microwright.build import Image
from microwright.runners import qemu
from tests.support.firmware import dense

_MAIN = Path(__file__).parent.parent / "support" / "port_check.c"
BOARDS = ("host", "mps2-an385", "mps2-an385-m0plus", "mps2-an386", "mps2-an500", "mps2-an505", "mps3-an547")
CORTEX_M = BOARDS[1:]


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Image]:
    made: dict[str, Image] = {}
    for board_id in BOARDS:
        directory = tmp_path_factory.mktemp("ports") / board_id
        firmware = project.create(directory, dense(), board.load(board_id))
        (directory / "app" / "main.c").write_text(_MAIN.read_text())
        made[board_id] = build.build(firmware)
    return made


@contextmanager
def boot(image: Image) -> Iterator[serial.SerialBase]:
    with runners.start(image) as device, serial.serial_for_url(device.url, timeout=120) as line:
        yield line


def report(line: serial.SerialBase) -> dict[str, str]:
    line.write(b"\1")
    lines = line.read_until(b" ready\n").decode().splitlines()
    return dict(entry.split("=", 1) for entry in lines[:-1]) | {"board": lines[-1].split()[0]}


@pytest.mark.parametrize("board_id", BOARDS)
def test_memory_line_stack_and_build_id(images: dict[str, Image], board_id: str) -> None:
    with boot(images[board_id]) as line:
        said = report(line)
        every_byte = bytes(range(5, 256))
        line.write(every_byte)
        assert line.read(len(every_byte)) == every_byte
    assert (said["initialised"], said["zeroed"], said["float"]) == ("12345", "0", "24690")
    assert (said["misaligned"], said["model"]) == ("0", "1")
    assert said["board"] == board_id
    assert said["build_id"] == images[board_id].build_id
    little, much, again, peak = (
        int(said[key]) for key in ("stack_little", "stack_much", "stack_little_again", "stack_peak")
    )
    assert 0 < little < 300
    assert 4000 <= much <= 4200
    assert again == little
    assert much <= peak <= much + 300


@pytest.mark.parametrize("board_id", CORTEX_M)
def test_the_same_code_takes_the_same_ticks_at_every_boot(images: dict[str, Image], board_id: str) -> None:
    boots = []
    for _ in range(2):
        with boot(images[board_id]) as line:
            said = report(line)
        boots.append((said["time_1"], said["time_2"], said["time_long"]))
    first, second, long = (int(ticks) for ticks in boots[0])
    assert boots[0] == boots[1]
    assert first == second
    hz = board.load(board_id).cpu.clock_hz
    assert said["timer_hz"] == said["cpu_hz"] == str(hz)
    # A turn is 5 to 8 instructions.
    assert 500_000 <= qemu.emulation(board.load(board_id)).count(long, hz) <= 800_000
    # The emulator has no cycle counter that moves.
    assert said["counter"] == "systick"
    assert 0 < int(said["clock_1"]) < int(said["clock_2"])
    # The clock goes on over the timer's starts, which are between the two readings.
    assert int(said["clock_2"]) - int(said["clock_1"]) >= second + long + second


def test_the_host_tells_time(images: dict[str, Image]) -> None:
    with boot(images["host"]) as line:
        said = report(line)
    assert (said["timer_hz"], said["cpu_hz"]) == ("1000000000", "0")
    assert 0 < int(said["time_1"]) < int(said["time_long"]) < 1_000_000_000
    assert said["counter"] == "clock"
    assert int(said["clock_2"]) - int(said["clock_1"]) >= int(said["time_long"])


@pytest.mark.thorough
@pytest.mark.parametrize("board_id", CORTEX_M)
def test_the_timer_goes_on_when_its_counter_wraps(images: dict[str, Image], board_id: str) -> None:
    with boot(images[board_id]) as line:
        line.timeout = 120
        line.write(b"\2")
        assert line.read_until(b"\n") in (b"time_wrapped=199\n", b"time_wrapped=200\n")


@pytest.mark.parametrize("board_id", BOARDS)
def test_a_device_takes_one_connection_after_the_other(images: dict[str, Image], board_id: str) -> None:
    with runners.start(images[board_id]) as device:
        for text in (b"first", b"second"):
            with serial.serial_for_url(device.url, timeout=120) as line:
                line.write(text)
                assert line.read(len(text)) == text
