"""What a flash tool or an emulator provides."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from microwright._toml import did_you_mean
from microwright.board import Board
from microwright.build import Image
from microwright.errors import BoardError, MicrowrightError


@dataclass(frozen=True)
class Emulation:
    """What an emulator's clock means: so many instructions, or cycles, are one second of the device's time;
    None: each tick of the device's timer is one. `timer_hz` is the frequency of the device's timer where it
    is not what the firmware says. An emulator that counts nothing gives `us`, which are this computer's: they
    tell of the emulator, and nothing of the device.
    """

    per_second: int | None = None
    unit: Literal["us", "instructions", "cycles"] = "instructions"
    timer_hz: int | None = None

    def count(self, ticks: int, hz: int) -> int | float:
        """Of the unit, in so many ticks of the device's timer, which says that it has `hz`."""
        hz = self.timer_hz or hz
        if self.unit == "us":
            return round(ticks * 1e6 / hz, 3)
        return ticks if self.per_second is None else (2 * ticks * self.per_second + hz) // (2 * hz)


@dataclass(frozen=True)
class Runner:
    """A program that goes on running while the device is in use, and says first where its serial line is.

    argv       its command line for an image on a board, whose settings are checked; pure. Raises BoardError
               where it has not what the board needs
    ready      what it prints once the serial line is there
    url        the line's pyserial URL or device path, from the match
    emulation  what its clock means on a board; None where the device's time is real
    settings   the keys of a board file
    failures   what it prints when something is wrong, the most telling first
    version    that of a package which it needs besides its program. Raises ToolMissing
    """

    name: str
    argv: Callable[[Path, Board], list[str]]
    ready: re.Pattern[str]
    url: Callable[[re.Match[str]], str]
    emulation: Callable[[Board], Emulation] | None = None
    settings: Mapping[str, Setting] = field(default_factory=dict)
    failures: tuple[Failure, ...] = ()
    version: Callable[[], str] = lambda: ""

    @property
    def emulates(self) -> bool:
        """Whether latencies of it are emulated."""
        return self.emulation is not None

    def checked(self, board: Board) -> Mapping[str, str | int]:
        """The board's settings for it. Raises BoardError where they are not what it takes."""
        return _checked(self.name, self.settings, board)


@dataclass(frozen=True)
class Remote:
    """What runs an image on another computer.

    check      raises what can be seen to be wrong before: BoardError, ToolMissing
    installed  puts the image there, and gives what starts it. Raises the errors of its failures, ToolFailed
    settings   the keys of a board file
    """

    name: str
    check: Callable[[Board], None]
    installed: Callable[[Image], Runner]
    settings: Mapping[str, Setting] = field(default_factory=dict)

    def checked(self, board: Board) -> Mapping[str, str | int]:
        """The board's settings for it. Raises BoardError where they are not what it takes."""
        return _checked(self.name, self.settings, board)


Format: TypeAlias = Literal["elf", "hex", "bin", "uf2"]


@dataclass(frozen=True)
class Where:
    """Which device is meant, where several could be. None: the only one.

    probe  the serial number of a debug probe or of a board in its boot loader; the folder of a drive
    port   the serial port of a boot loader: what pyserial opens
    """

    probe: str | None = None
    port: str | None = None


ANYWHERE = Where()


@dataclass(frozen=True)
class Setting:
    """A key that a runner takes in a board file: text that matches a pattern, or a number up to `most`."""

    about: str
    pattern: re.Pattern[str] | None = None
    least: int = 0
    most: int = 2**32 - 1
    required: bool = False

    def fits(self, value: str | int) -> bool:
        """Whether a value is one of this setting."""
        if self.pattern is None:
            return isinstance(value, int) and self.least <= value <= self.most
        return isinstance(value, str) and len(value) <= 200 and self.pattern.fullmatch(value) is not None


def _checked(name: str, settings: Mapping[str, Setting], board: Board) -> Mapping[str, str | int]:
    given = board.runners[name]
    for key in given:
        if key not in settings:
            raise BoardError(
                f"board {board.id}: 'runners.{name}.{key[:80]}' is not a known key"
                + did_you_mean(key, settings),
                "known keys: " + (", ".join(settings) or "none"),
            )
    for key, setting in settings.items():
        if key not in given and not setting.required:
            continue
        if key not in given or not setting.fits(given[key]):
            raise BoardError(
                f"board {board.id}: 'runners.{name}.{key}' "
                + ("is missing" if key not in given else f"is not {setting.about}"),
                f"give {setting.about}",
            )
    return given


@dataclass(frozen=True)
class Job:
    """What is to be flashed: the image's file, the address that it begins at, with which settings, where."""

    file: Path
    origin: int
    settings: Mapping[str, str | int]
    where: Where


@dataclass(frozen=True)
class Failure:
    """What a tool prints when something is wrong that has a name.

    pattern  a line of its output, or a part of one
    error    the class that is raised
    message  what is wrong, behind the tool's name; the line follows
    hint     the next step, where `{board}` is the board's id and `{0}`, `{1}` the groups of the pattern
    """

    pattern: re.Pattern[str]
    error: type[MicrowrightError]
    message: str
    hint: str


@dataclass(frozen=True, kw_only=True)
class Flasher:
    """What puts an image onto a board, and ends.

    about        what it is for, in a few words
    image        the file of the build that it takes
    settings     the keys of a board file
    probe        what `--probe` chooses by; None: it cannot choose
    verifies     it reads back what it wrote, or the board's own loader checks it
    resets       the firmware runs afterwards
    needs_port   it talks to a boot loader on a serial port
    boot_loader  how the board gets into the boot loader that has to run; None: none is needed
    """

    name: str
    about: str
    image: Format
    settings: Mapping[str, Setting] = field(default_factory=dict)
    probe: str | None = None
    verifies: bool
    resets: bool
    needs_port: bool = False
    boot_loader: str | None = None

    def checked(self, board: Board) -> Mapping[str, str | int]:
        """The board's settings for this tool. Raises BoardError where they are not what it takes."""
        return _checked(self.name, self.settings, board)


@dataclass(frozen=True, kw_only=True)
class FlashTool(Flasher):
    """A program that flashes.

    argv      its command line, the program first; pure
    install   the command that installs it
    version   the command line that prints its version; () where none does
    least     the oldest version that serves; None: any
    failures  what it prints when something is wrong, the most telling first
    done      what it prints when the image is written, where it may tell of a failure after that
    choices   what tells of a probe in its output, where several are there: what it is, its serial number
    listing   the command line that lists probes; () where its output does so by itself
    silent    USB ids and names of the probes among which it takes any without asking
    opens     USB ids of what it opens; () where that is the probe that has the board's serial port
    prepare   what has to happen first, and what that changes of the job
    """

    argv: Callable[[Job], list[str]]
    install: str
    version: tuple[str, ...] = ()
    least: tuple[int, ...] | None = None
    failures: tuple[Failure, ...] = ()
    done: re.Pattern[str] | None = None
    choices: re.Pattern[str] | None = None
    listing: tuple[str, ...] = ()
    silent: re.Pattern[str] | None = None
    opens: tuple[str, ...] = ()
    prepare: Callable[[Job, Board], Job] = lambda job, board: job

    def usb_ids(self, board: Board) -> tuple[str, ...]:
        """USB ids of what it opens for a board; () where that is a serial port, or is not known."""
        own = board.runners[self.name].get("usb_id")
        if own is not None:
            return (str(own),)
        return self.opens if self.needs_port or self.opens else board.serial.usb_ids


@dataclass(frozen=True, kw_only=True)
class DriveCopy(Flasher):
    """A boot loader or probe that is a drive: the image is copied there.

    marker    the file that tells the drive from others
    fits      whether such a file's text is one of a board with these settings
    refusal   the file that is there afterwards where the image was refused; None: there is none
    returns   the drive comes back after it took the image
    """

    marker: str
    fits: Callable[[str, Mapping[str, str | int]], bool]
    refusal: str | None = None
    returns: bool = False
