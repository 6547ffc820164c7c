"""Runners: command lines, and programs that start, fail to, or hang, played by small scripts."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from microwright import board, runners
from microwright.board import Board
from microwright.build import Image
from microwright.errors import BoardError, DeviceError, NoBootLoader, ToolFailed, ToolMissing
from microwright.project import Project
from microwright.runners import Remote, Runner, Where, host, qemu
from microwright.runners.base import FlashTool, Job
from tests.support.firmware import NO_FOOTPRINT


def image(for_board: Board) -> Image:
    made = Project(Path("/project"), for_board, "aot", "balanced", "m", "0" * 64, 16, {})
    return Image(made, Path("/project/build/firmware.elf"), "00", NO_FOOTPRINT, "GCC")


def script(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(["#!/bin/sh", *lines, ""]))
    path.chmod(0o755)
    return path


def ended(pid_file: Path) -> bool:
    return not Path("/proc", pid_file.read_text().strip()).exists()


@pytest.fixture
def play(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Image:
    """An image whose runner is the script `device` in the test's folder."""
    program = str(tmp_path / "device")
    runner = Runner("played", lambda elf, made_for: [program], re.compile(r"line: (\S+)\n"), lambda m: m[1])
    monkeypatch.setattr(runners, "RUNNERS", {"played": runner})
    return image(replace(board.load("host"), runners={"played": {}}))


def test_each_board_has_runners_that_exist_and_settings_that_they_take() -> None:
    for board_id in board.all_ids():
        made = board.load(board_id)
        for name in made.runners:
            runner = runners.get(made, name)
            if isinstance(runner, Remote):
                continue  # where it is, no board file knows
            if isinstance(runner, Runner):
                assert runner.argv(Path("firmware.elf"), made)
                continue
            job = Job(Path("firmware"), 0, runner.checked(made), Where(port="/dev/ttyACM0"))
            assert not isinstance(runner, FlashTool) or runner.argv(job)[0] == name


def test_the_command_line_of_qemu() -> None:
    argv = qemu.RUNNER.argv(Path("/x/firmware.elf"), board.load("mps2-an386"))
    assert " ".join(argv) == (
        "qemu-system-arm -M mps2-an386 -kernel /x/firmware.elf -display none -monitor none -nodefaults "
        "-icount shift=6 -serial tcp:127.0.0.1:0,server=on,wait=on,nodelay=on"
    )


def test_the_uarts_in_front_of_the_firmwares_go_nowhere() -> None:
    made = replace(board.load("mps2-an386"), runners={"qemu": {"machine": "netduinoplus2", "serial": 2}})
    assert qemu.RUNNER.argv(Path("firmware.elf"), made)[-6:] == [
        *("-serial", "null", "-serial", "null"),
        *("-serial", "tcp:127.0.0.1:0,server=on,wait=on,nodelay=on"),
    ]


@pytest.mark.parametrize("serial", [-1, 16, "1"])
def test_a_uart_that_no_machine_has_is_refused(serial: str | int) -> None:
    made = replace(board.load("mps2-an386"), runners={"qemu": {"machine": "mps2-an386", "serial": serial}})
    with pytest.raises(BoardError, match=r"runners\.qemu\.serial"):
        runners.get(made, "qemu")


def test_qemu_counts_instructions_and_the_host_tells_time() -> None:
    emulation = qemu.emulation(board.load("mps2-an386"))
    assert emulation.count(25_000_000, 25_000_000) == 15_625_000  # 64 ns each
    assert qemu.RUNNER.emulates
    assert not host.RUNNER.emulates


def test_qemus_core_is_as_fast_as_the_board_file_says() -> None:
    settings = {"machine": "netduinoplus2", "clock_hz": 168_000_000}
    made = replace(board.load("mps2-an386"), runners={"qemu": settings})
    assert qemu.emulation(made).count(168_000, 16_000_000) == 15_625
    with pytest.raises(BoardError, match=r"runners\.qemu\.clock_hz"):
        runners.get(replace(made, runners={"qemu": settings | {"clock_hz": 0}}), "qemu")


def test_where_qemu_listens_is_read_from_what_it_prints() -> None:
    said = (
        "qemu-system-arm: -serial tcp:127.0.0.1:0,server=on,wait=on,nodelay=on: "
        "info: QEMU waiting for connection on: disconnected:tcp:127.0.0.1:45877,server=on\n"
    )
    match = qemu.RUNNER.ready.search(said)
    assert match is not None
    assert qemu.RUNNER.url(match) == "socket://127.0.0.1:45877"
    assert qemu.RUNNER.ready.search(said[:-20]) is None


@pytest.mark.parametrize("machine", [None, 5, "", "a,kernel=/etc/passwd", "-help", "a b"])
def test_a_machine_that_is_no_name_is_refused(machine: str | int | None) -> None:
    settings = {} if machine is None else {"machine": machine}
    made = replace(board.load("mps2-an386"), runners={"qemu": settings})
    with pytest.raises(BoardError, match=r"runners\.qemu\.machine"):
        runners.get(made, "qemu")


def test_an_unknown_runner_is_named() -> None:
    with pytest.raises(BoardError, match=r"board mps2-an386 has no runner 'qemuu'; did you mean 'qemu'\?"):
        runners.get(board.load("mps2-an386"), "qemuu")
    with pytest.raises(BoardError, match="board host has no runner 'qemu'"):
        runners.get(board.load("host"), "qemu")


def test_a_device_runs_until_it_is_closed(play: Image, tmp_path: Path) -> None:
    script(
        tmp_path / "device",
        f"echo $$ > {tmp_path}/pid",
        "echo hello",
        "echo line: /dev/null",
        "exec sleep 60",
    )
    with runners.start(play) as device:
        assert device.url == "/dev/null"
        assert device.emulation is None
        assert device.log() == "hello\nline: /dev/null\n"
        assert device.running()
    assert not device.running()
    assert ended(tmp_path / "pid")


def test_a_device_is_ended_when_the_work_with_it_fails(play: Image, tmp_path: Path) -> None:
    script(tmp_path / "device", f"echo $$ > {tmp_path}/pid", "echo line: x", "exec sleep 60")
    with pytest.raises(KeyboardInterrupt), runners.start(play):
        raise KeyboardInterrupt
    assert ended(tmp_path / "pid")


def test_a_device_that_will_not_end_is_killed(play: Image, tmp_path: Path) -> None:
    script(
        tmp_path / "device",
        "trap '' TERM",
        f"echo $$ > {tmp_path}/pid",
        "echo line: x",
        "while true; do sleep 0.2; done",
    )
    with runners.start(play):
        pass
    assert ended(tmp_path / "pid")


def test_a_program_that_ends_at_once_says_why(play: Image, tmp_path: Path) -> None:
    script(tmp_path / "device", "echo unsupported machine type >&2", "exit 3")
    with pytest.raises(DeviceError, match="played ended at once with exit code 3: unsupported machine type"):
        runners.start(play)


def test_a_program_that_opens_no_line_is_ended(
    play: Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runners, "_START_TIMEOUT_S", 0.3)
    script(tmp_path / "device", f"echo $$ > {tmp_path}/pid", "echo starting", "exec sleep 60")
    with pytest.raises(DeviceError, match=r"played opened no serial line within 0\.3 s: starting"):
        runners.start(play)
    assert ended(tmp_path / "pid")


def test_a_program_that_is_no_program(play: Image, tmp_path: Path) -> None:
    (tmp_path / "device").write_bytes(b"\0\1\2")
    (tmp_path / "device").chmod(0o755)
    with pytest.raises(ToolFailed, match="did not start"):
        runners.start(play)


def test_a_missing_emulator_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolMissing, match="qemu-system-arm is not installed") as error:
        runners.start(image(board.load("mps2-an386")))
    assert error.value.hint == "sudo apt-get install qemu-system-arm"


def test_what_flashes_starts_nothing_and_an_emulator_is_named() -> None:
    with pytest.raises(BoardError, match="pyocd flashes board nucleo-f446re and starts nothing") as error:
        runners.start(image(board.load("nucleo-f446re")))
    assert error.value.hint.endswith("or `deploy`, `run` and `measure` emulate it with --runner qemu")


def test_without_its_drive_a_board_can_be_emulated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("microwright.runners.drives.mounted", lambda: ())
    with pytest.raises(NoBootLoader) as error:
        runners.check(board.load("raspberry-pi-pico"))
    assert error.value.hint.endswith("emulate it with --runner rp2040js")


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"qemuu": {}}, r"'runners\.qemuu' is no known runner; did you mean 'qemu'"),
        ({"unicorn": {"core": "x"}}, r"'runners\.unicorn\.core' is not a known key"),
        ({"qemu": {"machine": "mps2-an386", "seriel": 1}}, "did you mean 'serial'"),
        ({"openocd": {"config": "/tmp/any.cfg"}}, r"'runners\.openocd\.config' is not a script"),
    ],
)
def test_a_board_is_taken_when_all_of_its_runners_have_settings_that_they_take(
    given: dict[str, dict[str, str | int]], why: str
) -> None:
    with pytest.raises(BoardError, match=why):
        runners.check_all(replace(board.load("mps2-an386"), runners=given))


def test_unicorn_refuses_a_uart_that_it_does_not_have() -> None:
    made = board.load("nucleo-f446re")
    assert made.uart is not None
    made = replace(made, uart=replace(made.uart, driver="mine"))
    with pytest.raises(BoardError, match="no UART for the driver mine") as error:
        runners.check(made, "unicorn")
    assert "stm32_v1" in error.value.hint


def test_the_default_is_a_runner_that_is_known() -> None:
    made = replace(board.load("mps2-an386"), runners={"later": {}, "qemu": {"machine": "mps2-an386"}})
    assert runners.get(made) is runners.default(made) is qemu.RUNNER
