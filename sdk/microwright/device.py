"""The device that runs a project's image: one that is there, or one that is started."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from microwright import runners
from microwright.build import Image
from microwright.link import ports
from microwright.runners import Emulation


@dataclass(frozen=True)
class Reached:
    """Where a device is: what pyserial opens, and what its clock means, None where time is real."""

    url: str
    emulation: Emulation | None


@contextlib.contextmanager
def reach(image: Image, url: str | None = None, runner: str | None = None) -> Iterator[Reached]:
    """The device at `url`, at the port that the board's USB ids name, or one that a runner starts and ends.

    The port is looked for where `url` is "auto", and where neither it nor `runner` is given and nothing here
    starts such a board. A device at `url` is taken for an emulator that somebody else started where `runner`
    names one, or where the board has one and `url` is what emulators listen at, `socket://`. Raises
    BoardError, ToolMissing, ToolFailed, DeviceError.
    """
    board = image.project.board
    known = next((name for name in board.runners if name in runners.RUNNERS), None)
    if url == ports.AUTO or (url is None and runner is None and known is None):
        url = ports.find(board.serial.usb_ids, board.id)
    if url is not None:
        if runner is None and url.lower().startswith("socket://"):
            runner = known
        yield Reached(url, None if runner is None else runners.get(board, runner).emulation)
        return
    with runners.start(image, runner=runner) as device:
        yield Reached(device.url, device.emulation)
