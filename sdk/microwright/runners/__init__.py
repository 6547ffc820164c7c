"""Flash tools and emulators, one file each, listed in RUNNERS: Image -> Flashed, Image -> Device."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO

from microwright import _run
from microwright._toml import did_you_mean
from microwright.board import Board
from microwright.build import Image, write_uf2
from microwright.errors import (
    BoardError,
    DeviceError,
    DeviceTimeout,
    MicrowrightError,
    NoBootLoader,
    NoPort,
    NoProbe,
    PortLost,
    ToolMissing,
)
from microwright.runners import (
    bossac,
    daplink,
    dfu_util,
    flashing,
    host,
    openocd,
    pyocd,
    qemu,
    qemu_user,
    rp2040js,
    ssh,
    st_flash,
    stm32flash,
    stm32loader,
    teensy_loader_cli,
    uf2,
    unicorn,
)
from microwright.runners.base import (
    ANYWHERE,
    DriveCopy,
    Emulation,
    Flasher,
    FlashTool,
    Remote,
    Runner,
    Where,
)
from microwright.runners.failures import error_of
from microwright.runners.flashing import Flashed

__all__ = [
    "RUNNERS",
    "Device",
    "DriveCopy",
    "Emulation",
    "FlashTool",
    "Flashed",
    "Flasher",
    "Remote",
    "Runner",
    "Where",
    "check",
    "check_all",
    "default",
    "emulator",
    "flash",
    "flasher",
    "get",
    "start",
]

RUNNERS: Mapping[str, Runner | Flasher | Remote] = {
    "host": host.RUNNER,
    "qemu": qemu.RUNNER,
    "qemu-user": qemu_user.RUNNER,
    "rp2040js": rp2040js.RUNNER,
    "unicorn": unicorn.RUNNER,
    "pyocd": pyocd.RUNNER,
    "openocd": openocd.RUNNER,
    "st-flash": st_flash.RUNNER,
    "dfu-util": dfu_util.RUNNER,
    "stm32flash": stm32flash.RUNNER,
    "stm32loader": stm32loader.RUNNER,
    "bossac": bossac.RUNNER,
    "teensy_loader_cli": teensy_loader_cli.RUNNER,
    "uf2": uf2.RUNNER,
    "daplink": daplink.RUNNER,
    "ssh": ssh.RUNNER,
}

_START_TIMEOUT_S = 20.0
_POLL_S = 0.01
_LOG_BYTES = 64 * 1024


class Device:
    """A device that runs an image: the program that stands for it, and its serial line.

    A context manager; it ends the program that it started, and nothing else. `url` is what pyserial opens,
    `emulation` what the clock means, None where time is real.
    """

    def __init__(
        self,
        process: _run.Process,
        output: IO[bytes],
        url: str,
        emulation: Emulation | None,
        why: Callable[[str], MicrowrightError | None] = lambda log: None,
    ) -> None:
        self.url = url
        self.emulation = emulation
        self._why = why
        self._process = process
        self._output = output

    def __enter__(self) -> Device:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        lost = isinstance(error, PortLost | DeviceTimeout) and not self.running()
        why = self._why(self.log()) if lost else None
        self.close()
        if why is not None:
            raise why from None

    def running(self) -> bool:
        """Whether the program still runs."""
        return self._process.poll() is None

    def log(self) -> str:
        """The last of what the program itself printed; the firmware's lines come over the serial line."""
        return _log(self._output)

    def close(self) -> None:
        """End the program."""
        _run.end(self._process)
        self._output.close()


def get(board: Board, name: str | None = None) -> Runner | Flasher | Remote:
    """The runner of a board: its default, or the one of that name, with settings that it takes.

    Raises BoardError.
    """
    if name is None:
        first = default(board)
        name = next(iter(board.runners)) if first is None else first.name
    if name not in board.runners or name not in RUNNERS:
        known = _known(board)
        raise BoardError(
            f"board {board.id} has no runner {name[:80]!r}" + did_you_mean(name, known),
            "its runners are: " + (", ".join(known) or "none that this version knows"),
        )
    found = RUNNERS[name]
    found.checked(board)
    return found


def check_all(board: Board) -> None:
    """Raise BoardError for a runner of a board that there is not, or whose settings it does not take."""
    for name in board.runners:
        if name not in RUNNERS:
            raise BoardError(
                f"board {board.id}: 'runners.{name[:80]}' is no known runner" + did_you_mean(name, RUNNERS),
                "the runners are: " + ", ".join(RUNNERS),
            )
        get(board, name)


def default(board: Board) -> Runner | Flasher | Remote | None:
    """The first of a board's runners that this version knows."""
    return next((get(board, name) for name in _known(board)), None)


def emulator(board: Board) -> Runner | None:
    """The first of a board's runners that stands for the board itself."""
    return next((known for name in _known(board) if isinstance(known := get(board, name), Runner)), None)


def flasher(board: Board, name: str | None = None) -> Flasher:
    """The flash tool of a board: its first one, or the one of that name. Raises BoardError."""
    known = [runner for runner in _known(board) if isinstance(RUNNERS[runner], Flasher)]
    if name is None and known:
        name = known[0]
    found = None if name is None else get(board, name)
    if not isinstance(found, Flasher):
        raise BoardError(
            f"board {board.id} has no flash tool" if name is None else f"{name} does not flash a board",
            f"its flash tools are: {', '.join(known)}" if known else "`microwright run` starts such a board",
        )
    return found


def flash(image: Image, *, runner: str | None = None, where: Where = ANYWHERE) -> Flashed:
    """Flash an image by a board's flash tool, the first one by default.

    Raises BoardError, InputError, OutputError, ToolMissing, ToolFailed, DeviceError.
    """
    board = image.project.board
    chosen = flasher(board, runner)
    if chosen.image == "uf2":
        write_uf2(image)
    with _alternatives(board):
        return flashing.write(chosen, board, image.elf, where)


def check(board: Board, name: str | None = None, where: Where = ANYWHERE) -> None:
    """Raise what would keep a runner from starting or flashing, as far as it can be seen before.

    That is BoardError, InputError, ToolMissing, ToolFailed, DeviceError.
    """
    elf = Path("firmware.elf")
    chosen = get(board, name)
    if isinstance(chosen, Flasher):
        with _alternatives(board):
            flashing.check(chosen, board, elf, where)
        return
    if isinstance(chosen, Remote):
        chosen.check(board)
        return
    chosen.version()
    program = chosen.argv(elf, board)[0]
    if program != str(elf):  # the host runs the image itself
        _run.find(program)


def start(image: Image, *, runner: str | None = None, options: Sequence[str] = ()) -> Device:
    """Start an image on an emulator, on this computer or on another one; `options` are more arguments for its
    program.

    Raises BoardError, ToolMissing, ToolFailed, DeviceError.
    """
    board = image.project.board
    chosen = get(board, runner)
    if isinstance(chosen, Flasher):
        raise BoardError(
            f"{chosen.name} flashes board {board.id} and starts nothing here",
            "`microwright flash` flashes it, and its serial port is then where the firmware is"
            + _or_emulator(board),
        )
    if isinstance(chosen, Remote):
        chosen = chosen.installed(image)
    argv = [*chosen.argv(image.elf, board), *options]
    chosen.version()
    output = tempfile.TemporaryFile()  # noqa: SIM115 - the device closes it
    process = None
    try:
        process = _run.start(argv, stdout=output)
        emulation = None if chosen.emulation is None else chosen.emulation(board)
        url = _wait_ready(chosen, process, output, board)
        name, failures = chosen.name, chosen.failures
        return Device(process, output, url, emulation, lambda log: error_of(name, failures, log, board.id))
    except BaseException:
        if process is not None:
            _run.end(process)
        output.close()
        raise


@contextlib.contextmanager
def _alternatives(board: Board) -> Iterator[None]:
    """Where a tool or the board is missing, say what else serves: a tool that is here, an emulator."""
    try:
        yield
    except ToolMissing as error:
        for name in _known(board):
            tool = RUNNERS[name]
            if isinstance(tool, FlashTool) and shutil.which(name) and not error.message.startswith(name):
                raise ToolMissing(error.message, f"{error.hint}; or --runner {name}, which is here") from None
        raise
    except (NoProbe, NoBootLoader, NoPort) as error:
        raise type(error)(error.message, error.hint + _or_emulator(board)) from None


def _or_emulator(board: Board) -> str:
    """What to add to a hint where a board can be emulated, too."""
    emulates = emulator(board)
    if emulates is None:
        return ""
    return f"; or `deploy`, `run` and `measure` emulate it with --runner {emulates.name}"


def _known(board: Board) -> list[str]:
    return [name for name in board.runners if name in RUNNERS]


def _wait_ready(runner: Runner, process: _run.Process, output: IO[bytes], board: Board) -> str:
    """The URL that the program announces. Raises DeviceError when it ends or stays silent."""
    deadline = time.monotonic() + _START_TIMEOUT_S
    while True:
        ended = process.poll()  # before the log is read, which is complete then
        log = _log(output)
        match = runner.ready.search(log)
        if ended is None and match:
            return runner.url(match)
        said = " ".join(log.split())[-300:] or "it printed nothing"
        if ended is not None:
            if (told := error_of(runner.name, runner.failures, log, board.id)) is not None:
                raise told
            raise DeviceError(
                f"{runner.name} ended at once with exit code {ended}: {said}",
                "`microwright doctor` checks the tools; --debug shows the command that was run",
            )
        if time.monotonic() > deadline:
            raise DeviceError(
                f"{runner.name} opened no serial line within {_START_TIMEOUT_S:g} s: {said}",
                "`microwright doctor` checks the tools; --debug shows the command that was run",
            )
        time.sleep(_POLL_S)


def _log(output: IO[bytes]) -> str:
    # The program shares the file's position, which a positioned read leaves alone.
    size = os.fstat(output.fileno()).st_size
    return os.pread(output.fileno(), _LOG_BYTES, max(0, size - _LOG_BYTES)).decode("utf-8", "replace")
