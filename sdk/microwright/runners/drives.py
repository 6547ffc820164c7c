"""Drives that boot loaders and probes are: found where they are mounted, and given an image."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import string
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from microwright.errors import AmbiguousProbe, DeviceError, NoBootLoader, NoPermission, NoProbe
from microwright.runners.base import DriveCopy, Job

TAKEN_S = 30.0
BACK_S = 20.0
_GONE_S = 2.0
_POLL_S = 0.1
_MARKER_BYTES = 4096


@dataclass(frozen=True)
class Drive:
    """Where a file system is mounted, and the device that it is on, None where that is not known."""

    folder: Path
    device: Path | None

    def text(self, name: str) -> str | None:
        """What a small file says; None where it, or the drive, is not there."""
        # What Linux has read once it still knows when the device is gone.
        if self.device is not None and not self.device.exists():
            return None
        with contextlib.suppress(OSError), (self.folder / name).open("rb") as file:
            return file.read(_MARKER_BYTES).decode("utf-8", "replace")
        return None


def mounted() -> tuple[Drive, ...]:
    """What is mounted and could be such a drive."""
    if sys.platform == "win32":
        roots = (Path(f"{letter}:/") for letter in string.ascii_uppercase)
        return tuple(Drive(root, None) for root in roots if root.exists())
    if sys.platform == "darwin":
        return tuple(Drive(folder, None) for folder in sorted(Path("/Volumes").iterdir()))
    try:
        lines = Path("/proc/self/mounts").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ()
    fields = (line.split(" ") for line in lines)
    return tuple(
        Drive(Path(_unescaped(words[1])), Path(_unescaped(words[0])))
        for words in fields
        if len(words) > 2 and words[2] == "vfat"
    )


def find(job: Job, flasher: DriveCopy, board_id: str) -> Drive:
    """The board's drive. Raises NoBootLoader, NoProbe, AmbiguousProbe."""
    given = job.where.probe
    candidates = mounted()
    if given is not None:
        known = (drive for drive in candidates if drive.folder == Path(given))
        candidates = (next(known, Drive(Path(given), None)),)
    there = [
        drive
        for drive in candidates
        if (text := drive.text(flasher.marker)) is not None and flasher.fits(text, job.settings)
    ]
    if len(there) > 1:
        raise AmbiguousProbe(
            f"{flasher.name}: {len(there)} drives could be the board: "
            + ", ".join(str(drive.folder) for drive in there),
            "choose one with --probe FOLDER",
        )
    if there:
        return there[0]
    what = f"board {board_id}, which its {flasher.marker} would name"
    mount = "where nothing mounts drives by itself, mount it (`udisksctl mount -b /dev/sdX1`)"
    if given is not None:
        raise NoProbe(
            f"{flasher.name}: {given} is not the drive of {what}", "leave --probe out to look for it"
        )
    if flasher.boot_loader is not None:
        raise NoBootLoader(f"{flasher.name}: there is no drive of {what}", f"{flasher.boot_loader}; {mount}")
    raise NoProbe(f"{flasher.name}: there is no drive of {what}", f"plug the board in; {mount}")


def copy(job: Job, flasher: DriveCopy, board_id: str) -> None:
    """Copy the image onto the board's drive and wait until the board has taken it.

    Raises NoBootLoader, NoProbe, AmbiguousProbe, NoPermission, DeviceError.
    """
    drive = find(job, flasher, board_id)
    before = drive.text(flasher.marker)
    failed = _write(job.file, drive.folder / f"firmware.{flasher.image}")
    # A board that starts the image takes the drive away, often before the last write has returned.
    if not _until(lambda: drive.text(flasher.marker) != before, TAKEN_S if failed is None else _GONE_S):
        raise _not_taken(flasher, drive, failed)
    if not flasher.returns:
        return
    if not _until(lambda: drive.text(flasher.marker) is not None, BACK_S):
        raise DeviceError(
            f"{flasher.name}: {drive.folder} did not come back within {BACK_S:g} s after the copy",
            "mount it again to see whether FAIL.TXT is there, or flash with another runner",
        )
    refusal = None if flasher.refusal is None else drive.text(flasher.refusal)
    if refusal is not None:
        raise DeviceError(
            f"{flasher.name}: the board refused the image: {' '.join(refusal.split())[:300]}",
            "check that the image is for this board; a newer firmware of its probe may help",
        )


def _write(source: Path, target: Path) -> OSError | None:
    """Copy a file and wait until the drive has it."""
    try:
        with source.open("rb") as image, target.open("wb") as file:
            shutil.copyfileobj(image, file)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return error
    return None


def _not_taken(flasher: DriveCopy, drive: Drive, error: OSError | None) -> DeviceError:
    if error is None:
        return DeviceError(
            f"{flasher.name}: {drive.folder} is still there {TAKEN_S:g} s after the image was copied",
            "check that the image is for this board, plug it in anew, and try again",
        )
    reason = error.strerror or str(error)
    if isinstance(error, PermissionError):
        return NoPermission(
            f"{flasher.name}: this user may not write to {drive.folder}: {reason}",
            "mount it for your own user",
        )
    return DeviceError(
        f"{flasher.name}: the image cannot be copied to {drive.folder}: {reason}", "plug the board in anew"
    )


def _until(condition: Callable[[], bool], timeout_s: float) -> bool:
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(_POLL_S)
    return True


def _unescaped(path: str) -> str:
    r"""A folder as it is in the list of mounts, where a space is `\040`."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), path)
