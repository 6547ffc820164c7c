"""The device that runs a project's image: one that is there, one that is flashed, or one that is started."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass

from microwright import runners
from microwright.board import Board
from microwright.build import Image
from microwright.errors import InputError, NoPort
from microwright.link import ports
from microwright.progress import Progress, silent
from microwright.runners import Emulation, Flasher, Runner, Where

# After flashing, a board whose USB is the chip's own is there again once its firmware has started.
_PORT_S = 10.0
_POLL_S = 0.1


@dataclass(frozen=True)
class Reached:
    """Where a device is: what pyserial opens, and what its clock means, None where time is real."""

    url: str
    emulation: Emulation | None


@contextlib.contextmanager
def reach(
    image: Image,
    url: str | None = None,
    runner: str | None = None,
    probe: str | None = None,
    progress: Progress = silent,
) -> Iterator[Reached]:
    """The device at `url`, at the port that the board's USB ids name, or one that a runner starts and ends.

    Where `runner` names a flash tool, the image is flashed first, onto the board that `probe` names (see
    `Where`) or the only one. The port is looked for where `url` is "auto", and where it is not given and no
    emulator is to be started: `runner` is a flash tool, or is not given and the board's first one is no
    emulator. A device at `url` is taken for an emulator that somebody else started where `runner` names one,
    or where the board has one and `url` is what emulators listen at, `socket://`. Raises BoardError,
    InputError (for a `probe` where nothing is flashed, too), ToolMissing, ToolFailed, DeviceError.
    """
    board = image.project.board
    chosen = runners.default(board) if runner is None else runners.get(board, runner)
    if runner is not None and isinstance(chosen, Flasher):
        progress("flash", 0, 1)
        url = flash(image, url, runner, probe)
        progress("flash", 1, 1)
        yield Reached(url, None)
        return
    _refuse(probe)
    if url == ports.AUTO or (url is None and (chosen is None or isinstance(chosen, Flasher))):
        url = ports.find(board.serial.usb_ids, board.id)
    if url is not None:
        if runner is None:
            chosen = runners.emulator(board) if url.lower().startswith("socket://") else None
        emulates = isinstance(chosen, Runner) and chosen.emulation
        yield Reached(url, emulates(board) if emulates else None)
        return
    with runners.start(image, runner=runner) as device:
        yield Reached(device.url, device.emulation)


def check(board: Board, url: str | None = None, runner: str | None = None, probe: str | None = None) -> None:
    """Raise what would keep `reach` from flashing or starting, as far as it can be seen before.

    That is BoardError, InputError, ToolMissing, ToolFailed, DeviceError.
    """
    if isinstance(runners.get(board, runner), Flasher):
        runners.check(board, runner, _where(board, url, runner, probe))
        return
    _refuse(probe)
    if url is None:
        runners.check(board, runner)


def _refuse(probe: str | None) -> None:
    if probe is not None:
        raise InputError(
            "a probe is chosen, and nothing is flashed", "leave --probe out, or name a flash tool by --runner"
        )


def flash(image: Image, url: str | None, runner: str | None = None, probe: str | None = None) -> str:
    """Flash an image and wait for the port that its firmware is at: `url`, or the one of the board's USB ids.

    Returns the port. Raises BoardError, InputError, ToolMissing, ToolFailed, DeviceError.
    """
    board = image.project.board
    runners.flash(image, runner=runner, where=_where(board, url, runner, probe))
    return _wait(board, url, probe)


def _where(board: Board, url: str | None, runner: str | None, probe: str | None) -> Where:
    """What a flash tool is told. Raises BoardError where the firmware could not be found afterwards."""
    flasher = runners.flasher(board, runner)
    if (url is None or url == ports.AUTO) and not board.serial.usb_ids:
        ports.find((), board.id)
    # A boot loader on the firmware's own UART is at the same port; others name their own.
    shared = flasher.needs_port and "usb_ids" not in flasher.checked(board)
    return Where(probe, url if shared else None)


def _wait(board: Board, url: str | None, probe: str | None) -> str:
    deadline = time.monotonic() + _PORT_S
    while True:
        try:
            if url is None or url == ports.AUTO:
                return ports.find(board.serial.usb_ids, board.id, probe)
            return ports.there(url)
        except NoPort:
            if time.monotonic() >= deadline:
                raise
        time.sleep(_POLL_S)
