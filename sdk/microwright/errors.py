"""The errors that a user can meet.

    MicrowrightError(message, hint)      exit code
      InputError                             3   a file or value that the user gave
        UnsupportedOp                        4   an operator, type or option the engine has no kernel for
        TooLarge                             5   the model does not fit the board
      BoardError                             6   a board file or board id
      OutputError                            7   an output folder or file that cannot be written
      MismatchError                          8   two outputs that should be equal are not
      ToolMissing                            9   a program or package is not installed, or is too old
      ToolFailed(argv, rc, log)             10   a program ran and failed
      DeviceError                           11   the device or its emulator
        NoPort, AmbiguousPort, PortLost, DeviceTimeout, DeviceFault, StaleFirmware, LinkCorrupt
        NoProbe, AmbiguousProbe, NoPermission, NoBootLoader, WrongChip, ChipLocked
        NoHost, UntrustedHost

`message` says what and where, `hint` the next step; both are one line. Exit code 2 is click's, for a command
line that cannot be parsed; 1 is a bug of Microwright; 130 follows Ctrl-C.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence


class MicrowrightError(Exception):
    """Any error that is not a bug of Microwright."""

    exit_code = 1

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def to_json(error: MicrowrightError) -> Mapping[str, str]:
    """An error as reports have it."""
    return {"class": type(error).__name__, "message": error.message, "hint": error.hint}


class InputError(MicrowrightError):
    """A file or a value from the user is not usable."""

    exit_code = 3


class UnsupportedOp(InputError):
    """The engine has no kernel for a node as the model has it."""

    exit_code = 4


class TooLarge(InputError):
    """The model does not fit the board's memory."""

    exit_code = 5


class BoardError(MicrowrightError):
    """A board file is wrong or a board id is unknown."""

    exit_code = 6


class OutputError(MicrowrightError):
    """The output cannot be written without losing something."""

    exit_code = 7


class MismatchError(MicrowrightError):
    """Outputs that have to be equal are not."""

    exit_code = 8


class ToolMissing(MicrowrightError):
    """A program or a Python package is not installed, or is too old."""

    exit_code = 9


class ToolFailed(MicrowrightError):
    """A program ran and reported a failure.

    `argv` is what was run, `rc` its exit code, `log` the last part of what it printed.
    """

    exit_code = 10

    def __init__(self, message: str, hint: str, argv: Sequence[str], rc: int, log: str) -> None:
        super().__init__(message, hint)
        self.argv = tuple(argv)
        self.rc = rc
        self.log = log


class DeviceError(MicrowrightError):
    """A device or an emulator does not do what was asked."""

    exit_code = 11


class NoPort(DeviceError):
    """No serial port of the board was found, or it cannot be opened."""


class AmbiguousPort(DeviceError):
    """More than one serial port could be the board."""


class PortLost(DeviceError):
    """The port was open and is gone: unplugged, its program ended, the connection closed."""


class DeviceTimeout(DeviceError):
    """The device did not answer within its deadline."""


class DeviceFault(DeviceError):
    """The device's core met a fault, and runs nothing until a reset.

    `what` names the exception and what the core says of it. `exception` is its number, None where the device
    does not say it. `registers` are those that it reports, by name; `build_id` is its firmware's, empty where
    it does not say it. `where` says in which functions of the firmware it happened, as far as known.
    """

    def __init__(
        self,
        what: str,
        exception: int | None,
        registers: Mapping[str, int],
        build_id: str = "",
        where: str = "",
    ) -> None:
        values = " ".join(f"{name}={value:08x}" for name, value in registers.items())
        super().__init__(
            f"the device met a fault{where and ' '}{where}: {what}",
            f"reset it to go on; its registers: {values or 'not known'}",
        )
        self.what = what
        self.exception = exception
        self.registers = dict(registers)
        self.build_id = build_id
        self.where = where


class StaleFirmware(DeviceError):
    """The device runs other firmware than the image at hand."""


class LinkCorrupt(DeviceError):
    """The link damages what it carries beyond repair."""


class NoProbe(DeviceError):
    """A flash tool finds no debug probe of the board, or cannot talk to it."""


class AmbiguousProbe(DeviceError):
    """More than one debug probe, or drive, could be the board's."""


class NoPermission(DeviceError):
    """The system does not let this user open the device."""


class NoBootLoader(DeviceError):
    """The board is not in the boot loader that the flash tool talks to."""


class WrongChip(DeviceError):
    """The chip that is there is not the board's, or does not answer its debug probe."""


class ChipLocked(DeviceError):
    """The chip's flash is protected against being written."""


class NoHost(DeviceError):
    """The computer that is the board does not answer, or the connection to it was lost."""


class UntrustedHost(DeviceError):
    """The computer that answers has another key than the known one, or none is known."""
