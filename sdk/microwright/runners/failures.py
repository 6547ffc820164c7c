"""What goes wrong with all flash tools: the same words whichever tool it is that says so."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from microwright.errors import (
    ChipLocked,
    MicrowrightError,
    NoBootLoader,
    NoPermission,
    NoPort,
    NoProbe,
    WrongChip,
)
from microwright.runners.base import Failure

_SEEN = "`microwright doctor --board {board}` shows what is seen of it"


def error_of(
    name: str,
    failures: Iterable[Failure],
    log: str,
    board_id: str,
    detail: Callable[[Failure], str] = lambda failure: "",
) -> MicrowrightError | None:
    """The error that a program's output tells of; what is wrong is followed by `detail` or by the line."""
    for failure in failures:
        match = failure.pattern.search(log)
        if match is None:
            continue
        line = " ".join(log[log.rfind("\n", 0, match.start()) + 1 :].partition("\n")[0].split())[:300]
        groups = [re.sub(r"[^\w./+-]", "", group or "") for group in match.groups()]
        return failure.error(
            f"{name}: {failure.message}: {detail(failure) or line}",
            failure.hint.format(*groups, board=board_id),
        )
    return None


def no_probe(*patterns: str) -> Failure:
    """No debug probe is there."""
    hint = f"connect the board by the USB connector of its debug probe; {_SEEN}"
    return _failure(patterns, NoProbe, "there is no debug probe", hint)


def other_probe(*patterns: str) -> Failure:
    """None with the serial number that was asked for."""
    hint = f"leave --probe out, or give the serial number of one that is there; {_SEEN}"
    return _failure(patterns, NoProbe, "no debug probe has that serial number", hint)


def busy(*patterns: str) -> Failure:
    """Another program has the probe."""
    return _failure(patterns, NoProbe, "another program uses the debug probe", "end it: a debugger, an IDE")


def no_permission(*patterns: str) -> Failure:
    """The system refuses the device."""
    hint = "`microwright doctor --board {board}` shows the udev rule to install"
    return _failure(patterns, NoPermission, "this user may not open the USB device", hint)


def no_answer(*patterns: str) -> Failure:
    """The probe is there, and no chip behind it."""
    hint = (
        "check the board's power, the cable and the jumpers of its probe, and press reset while it connects"
    )
    return _failure(patterns, WrongChip, "the chip does not answer the debug probe", hint)


def wrong_chip(*patterns: str) -> Failure:
    """The chip is another one than the board's."""
    hint = "check that this is the board {board}, and that its file names the right chip for this tool"
    return _failure(patterns, WrongChip, "the chip is not the board's", hint)


def locked(unlock: str, *patterns: str) -> Failure:
    """The flash is protected; `unlock` says how that ends."""
    return _failure(patterns, ChipLocked, "the chip's flash is protected", unlock)


def no_boot_loader(how: str, *patterns: str) -> Failure:
    """The boot loader does not answer; `how` says how the board gets there."""
    return _failure(patterns, NoBootLoader, "the board is not in its boot loader", f"{how}; {_SEEN}")


def no_port(*patterns: str) -> Failure:
    """The serial port does not open."""
    hint = f"check its name, its permissions and that no other program has it open; {_SEEN}"
    return _failure(patterns, NoPort, "it cannot open the serial port", hint)


def _failure(patterns: tuple[str, ...], error: type[MicrowrightError], message: str, hint: str) -> Failure:
    return Failure(re.compile("|".join(patterns)), error, message, hint)
