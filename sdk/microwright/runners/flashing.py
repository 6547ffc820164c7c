"""Flashing: a flash tool, an image and a board -> the image in the board's flash."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, replace
from pathlib import Path

from microwright import _run
from microwright.board import Board
from microwright.errors import AmbiguousProbe, InputError, NoPermission, ToolFailed, ToolMissing
from microwright.link import ports
from microwright.runners import drives, failures, usb
from microwright.runners.base import DriveCopy, Flasher, FlashTool, Job, Where

# Slower than any tool is, so that only one that waits for something reaches the end of it.
_START_S = 60.0
_BYTES_PER_S = 2000
_VERSION_S = 30.0
_LAST_LINES = 3

# Nothing that a program could take for an option, or a script for a command.
_PROBE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")
_PORT = re.compile(r"[^-\s][^\x00-\x1f]{0,255}")
_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_VERSION = re.compile(r"\d+(?:\.\d+)+")


@dataclass(frozen=True)
class Flashed:
    """An image that was flashed: by what, which file, how large, in how long."""

    runner: str
    file: Path
    bytes: int
    seconds: float


def check(flasher: Flasher, board: Board, elf: Path, where: Where) -> Job:
    """What `write` needs, looked at before anything happens: settings, program, version, port, probe.

    Raises BoardError, InputError, ToolMissing, ToolFailed, DeviceError.
    """
    settings = flasher.checked(board)
    if where.probe is not None and flasher.probe is None:
        raise InputError(f"{flasher.name} cannot choose among several boards", "leave --probe out")
    if where.port is not None and not flasher.needs_port:
        raise InputError(f"{flasher.name} talks to no boot loader on a serial port", "leave --port out")
    job = Job(
        elf.absolute().with_suffix(f".{flasher.image}"),
        board.flash.origin if board.flash is not None else 0,
        settings,
        where,
    )
    if isinstance(flasher, DriveCopy):
        drives.find(job, flasher, board.id)
        return job
    assert isinstance(flasher, FlashTool)
    if where.probe is not None and not _PROBE.fullmatch(where.probe):
        raise InputError(f"{where.probe[:80]!r} is no serial number of a probe", "correct --probe")
    flasher.argv(job)  # where settings do not go together
    _require(flasher, board)
    if flasher.needs_port:
        job = replace(job, where=replace(where, port=_port(flasher, board, where)))
    if flasher.silent is not None and where.probe is None:
        job = replace(job, where=replace(where, probe=_only(flasher, flasher.silent, board)))
    return job


def write(flasher: Flasher, board: Board, elf: Path, where: Where) -> Flashed:
    """Flash an image. Raises what `check` does."""
    job = check(flasher, board, elf, where)
    try:
        size = job.file.stat().st_size
    except OSError as error:
        raise InputError(
            f"{job.file} cannot be read: {error.strerror}", "run `microwright build` on the project"
        ) from None
    started_s = time.monotonic()
    if isinstance(flasher, DriveCopy):
        drives.copy(job, flasher, board.id)
    elif isinstance(flasher, FlashTool):
        _run_tool(flasher, board, flasher.prepare(job, board), _START_S + size / _BYTES_PER_S)
    return Flashed(flasher.name, job.file, size, time.monotonic() - started_s)


def version(tool: FlashTool) -> str | None:
    """What a tool says its version is; None where it does not. Raises ToolMissing, ToolFailed."""
    _run.find(tool.name, tool.install)
    if not tool.version:
        return None
    try:
        said = _run.run(tool.version, timeout_s=_VERSION_S).out
    except ToolFailed as error:  # bossac fails where it is asked for help
        if not _VERSION.search(error.log):
            raise
        said = error.log
    found = _VERSION.search(said)
    return found[0] if found else None


def too_old(tool: FlashTool, found: str | None) -> str | None:
    """What to say of a version that does not serve; None where it does, or is not known."""
    if found is None or tool.least is None or tuple(map(int, found.split("."))) >= tool.least:
        return None
    return f"{tool.name} {found} is too old: {'.'.join(map(str, tool.least))} or later is needed"


def _require(tool: FlashTool, board: Board) -> None:
    complaint = too_old(tool, version(tool))
    if complaint is not None:
        raise ToolMissing(complaint, f"install a newer one: {tool.install}")


def _port(flasher: Flasher, board: Board, where: Where) -> str:
    """The serial port of the boot loader, which is there and may be opened."""
    if where.port is None or where.port == ports.AUTO:
        own = flasher.checked(board).get("usb_ids")
        port = ports.find(str(own).split(",") if own else board.serial.usb_ids, board.id)
    elif _PORT.fullmatch(where.port):
        port = ports.there(where.port)
    else:
        raise InputError(f"{where.port[:80]!r} is no name of a port", "correct --port")
    permit = ports.refused(port)
    if permit is not None:
        raise NoPermission(f"{flasher.name}: this user may not open {port}", permit)
    return port


def _only(flasher: Flasher, pattern: re.Pattern[str], board: Board) -> str | None:
    """The serial number of the board's probe, for a tool that takes any; None where there is one at most."""
    there = usb.matching(pattern)
    own = [device for device in there if device.usb_id in board.serial.usb_ids] or there
    if len(own) > 1:
        raise AmbiguousProbe(
            f"{flasher.name}: there are several debug probes: " + "; ".join(map(str, own)),
            "choose one with --probe SERIAL",
        )
    if len(there) < 2:
        return None
    # What a device says of itself is no more to be trusted than what a user types.
    if not _PROBE.fullmatch(own[0].serial):
        raise AmbiguousProbe(
            f"{flasher.name}: the serial number of the board's debug probe, {own[0]}, cannot choose it "
            "among several",
            "unplug the other probes",
        )
    return own[0].serial


def _run_tool(tool: FlashTool, board: Board, job: Job, timeout_s: float) -> None:
    try:
        # In English, so that what it says is recognised.
        log = _run.run(tool.argv(job), timeout_s=timeout_s, env={"LC_ALL": "C"}).out
    except ToolFailed as error:
        log = _ANSI.sub("", error.log)
        if tool.done is not None and tool.done.search(log):
            return
        told = failures.error_of(
            tool.name,
            tool.failures,
            log,
            board.id,
            lambda failure: "; ".join(_choices(tool, log)) if failure.error is AmbiguousProbe else "",
        )
        if told is not None:
            raise told from None
        lines = [line.strip() for line in log.splitlines() if line.strip()][-_LAST_LINES:]
        raise ToolFailed(
            error.message.partition(":")[0] + (f": {' / '.join(lines)[-400:]}" if lines else ""),
            error.hint,
            error.argv,
            error.rc,
            log,
        ) from None


def _choices(tool: FlashTool, log: str) -> list[str]:
    """What can be chosen, as the tool lists it."""
    if tool.choices is None:
        return []
    if tool.listing:
        try:
            log = _run.run(tool.listing, timeout_s=_VERSION_S).out
        except ToolFailed as error:
            log = error.log
    named = ([group for group in match.groups() if group] for match in tool.choices.finditer(log))
    return list(dict.fromkeys(f"{serial} ({what})" for what, serial in named))
