"""Flash tools and emulators, one file each, listed in RUNNERS: Image -> Device."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO

from microwright import _run
from microwright._toml import did_you_mean
from microwright.board import Board
from microwright.build import Image
from microwright.errors import BoardError, DeviceError
from microwright.runners import host, qemu
from microwright.runners.base import Emulation, Runner

__all__ = ["RUNNERS", "Device", "Emulation", "Runner", "get", "start"]

RUNNERS: Mapping[str, Runner] = {
    "host": host.RUNNER,
    "qemu": qemu.RUNNER,
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
        self, process: _run.Process, output: IO[bytes], url: str, emulation: Emulation | None
    ) -> None:
        self.url = url
        self.emulation = emulation
        self._process = process
        self._output = output

    def __enter__(self) -> Device:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

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


def get(board: Board, name: str | None = None) -> Runner:
    """The runner of a board: its first one, or the one of that name. Raises BoardError."""
    name = next(iter(board.runners)) if name is None else name
    if name not in board.runners or name not in RUNNERS:
        known = [runner for runner in board.runners if runner in RUNNERS]
        raise BoardError(
            f"board {board.id} has no runner {name[:80]!r}" + did_you_mean(name, known),
            "its runners are: " + (", ".join(known) or "none that this version knows"),
        )
    return RUNNERS[name]


def require_tool(board: Board, name: str | None = None) -> None:
    """Raise ToolMissing where the program of a board's runner is not installed."""
    elf = Path("firmware.elf")
    program = get(board, name).argv(elf, board)[0]
    if program != str(elf):  # the host runs the image itself
        _run.find(program)


def start(image: Image, *, runner: str | None = None, options: Sequence[str] = ()) -> Device:
    """Flash or emulate an image; `options` are more arguments for the runner's program.

    Raises BoardError, ToolMissing, ToolFailed, DeviceError.
    """
    board = image.project.board
    chosen = get(board, runner)
    argv = [*chosen.argv(image.elf, board), *options]
    output = tempfile.TemporaryFile()  # noqa: SIM115 - the device closes it
    process = None
    try:
        process = _run.start(argv, stdout=output)
        return Device(process, output, _wait_ready(chosen, process, output), chosen.emulation)
    except BaseException:
        if process is not None:
            _run.end(process)
        output.close()
        raise


def _wait_ready(runner: Runner, process: _run.Process, output: IO[bytes]) -> str:
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
