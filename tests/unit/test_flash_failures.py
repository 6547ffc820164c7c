"""What flash tools print when something is wrong, as the real ones do, and the error that it becomes.

Where a real one is installed, it is run without a board.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from microwright import runners
from microwright.errors import (
    AmbiguousProbe,
    BoardError,
    ChipLocked,
    MicrowrightError,
    NoBootLoader,
    NoPermission,
    NoPort,
    NoProbe,
    ToolFailed,
    ToolMissing,
    WrongChip,
)
from microwright.link import ports
from microwright.runners import Where, flashing
from tests.support.flash_tools import example, flash, install, play
from tests.unit.test_runners import script

PYOCD_TWO = """\
  #   Probe/Board    Unique ID                  Target
--------------------------------------------------------
  0   STM32 STLink   066DFF000000000000000000   n/a

  1   STM32 STLink   066DFF000000000000000001   n/a

Enter the number of the debug probe or 'q' to quit> 0001915 C Error: EOF when reading a line [__main__]
"""
PYOCD_MATCHES = """\
More than one debug probe matches unique ID '066':
STM32 STLink | 066dff000000000000000000
STM32 STLink | 066dff000000000000000001
0001704 E No target device available [load_cmd]
"""
DFU_TWO = """\
dfu-util: More than one DFU capable USB device found! Try `--list' and specify the serial number
Found DFU: [0483:df11] ver=2200, devnum=5, cfg=1, intf=0, path="1-2", alt=0, \
name="@Internal Flash  /0x08000000/04*016Kg", serial="336431"
Found DFU: [0483:df11] ver=2200, devnum=6, cfg=1, intf=0, path="1-3", alt=0, \
name="@Internal Flash  /0x08000000/04*016Kg", serial="206331"
"""


@pytest.mark.parametrize(
    ("name", "said", "kind", "message", "hint"),
    [
        (
            "pyocd",
            "No connected debug probes\n0000527 E No target device",
            NoProbe,
            "no debug probe: No conn",
            "doctor",
        ),
        (
            "pyocd",
            "No connected debug probe matches unique ID 'ABC'",
            NoProbe,
            "has that serial number",
            "--probe",
        ),
        ("pyocd", PYOCD_TWO, AmbiguousProbe, "066DFF000000000000000001 (STM32 STLink)", "--probe SERIAL"),
        ("pyocd", PYOCD_MATCHES, AmbiguousProbe, "066dff000000000000000000 (STM32 STLink)", "--probe SERIAL"),
        (
            "pyocd",
            "0001738 C USB Error: [Errno 13] Access denied (insufficient permissions) [__main__]",
            NoPermission,
            "may not open",
            "microwright doctor --board example",
        ),
        (
            "pyocd",
            "0000992 C Target type stm32f446retx not recognized. Use 'pyocd list --targets' to see",
            ToolMissing,
            "lacks the chip's description",
            "pyocd pack install stm32f446retx",
        ),
        (
            "pyocd",
            "NRF52840 APPROTECT enabled: not automatically unlocking",
            ChipLocked,
            "is protected",
            "erase --mass",
        ),
        (
            "pyocd",
            "0000700 C SWD/JTAG communication failure (No ACK); reset the target [__main__]",
            WrongChip,
            "does not answer",
            "power",
        ),
        (
            "pyocd",
            "0000700 C no memory region defined for address 0x08000000 [__main__]",
            WrongChip,
            "is not the board's",
            "example",
        ),
        (
            "openocd",
            "Info : clock speed 2000 kHz\nError: open failed\nin procedure 'program'",
            NoProbe,
            "no debug",
            "USB",
        ),
        ("openocd", "Error: unable to find a matching CMSIS-DAP device", NoProbe, "no debug probe", "USB"),
        ("openocd", "Error: ST-LINK open failed (serial mismatch)", NoProbe, "has that serial", "--probe"),
        (
            "openocd",
            "Error: libusb_open() failed with LIBUSB_ERROR_ACCESS\nError: open failed",
            NoPermission,
            "may not open",
            "udev",
        ),
        (
            "openocd",
            "embedded:startup.tcl:28: Error: Can't find board/nonono.cfg\nin procedure 'script'",
            BoardError,
            "no such script",
            "runners.openocd",
        ),
        (
            "openocd",
            "Error: stm32x device protected\n** Programming Failed **",
            ChipLocked,
            "is protected",
            "unlock",
        ),
        (
            "openocd",
            "Error: init mode failed (unable to connect to the target)",
            WrongChip,
            "not answer",
            "power",
        ),
        (
            "openocd",
            "Warn : UNEXPECTED idcode: 0x2ba01477\nError: expected 1 of 1: 0x0bb11477",
            WrongChip,
            "is not the board's",
            "right chip",
        ),
        ("st-flash", "WARN usb.c: Couldn't find any ST-Link devices", NoProbe, "no debug probe", "USB"),
        (
            "st-flash",
            "Could not open USB device 0x0483:0x374b, access error.",
            NoPermission,
            "may not open",
            "udev",
        ),
        (
            "st-flash",
            "Stlink usb device found, but unable to claim (probably already in use?)",
            NoProbe,
            "another program",
            "end it",
        ),
        (
            "st-flash",
            "ERROR common_flash.c: Flash memory is write protected",
            ChipLocked,
            "protected",
            "option",
        ),
        (
            "st-flash",
            "WARN common.c: unknown chip id! 0xe0042000",
            WrongChip,
            "not the board's",
            "right chip",
        ),
        ("st-flash", "Failed to connect to target\nst-flash 1.7.0", WrongChip, "does not answer", "power"),
        (
            "dfu-util",
            "dfu-util: No DFU capable USB device available",
            NoBootLoader,
            "not in its boot loader",
            "BOOT0",
        ),
        (
            "dfu-util",
            "dfu-util: Cannot open DFU device 0483:df11 found on devnum 5 (LIBUSB_ERROR_ACCESS)\n"
            "dfu-util: No DFU capable USB device available",
            NoPermission,
            "may not open",
            "udev",
        ),
        ("dfu-util", DFU_TWO, AmbiguousProbe, "206331 (0483:df11)", "--probe SERIAL"),
        ("stm32flash", "Failed to init device, timeout.", NoBootLoader, "not in its boot loader", "BOOT0"),
        (
            "stm32flash",
            'Cannot handle device "/dev/x"\nFailed to open port: /dev/x',
            NoPort,
            "cannot open",
            "name",
        ),
        (
            "stm32loader",
            "Can't init into bootloader. Ensure that BOOT0 is enabled",
            NoBootLoader,
            "not in",
            "BOOT0",
        ),
        (
            "stm32loader",
            "[Errno 2] could not open port /dev/x: [Errno 2] No such file",
            NoPort,
            "cannot",
            "name",
        ),
        ("bossac", "No device found on ttyACM0", NoBootLoader, "not in its boot loader", "twice"),
        ("bossac", "\nDevice unsupported", ToolMissing, "does not know this chip", "Arduino"),
        ("bossac", "\nFlash page is locked", ChipLocked, "is protected", "--unlock"),
        (
            "teensy_loader_cli",
            "Teensy Loader, Command Line, Version 2.2\nUnable to open device (hint: try -w option)",
            NoBootLoader,
            "not in its boot loader",
            "press the button",
        ),
        (
            "teensy_loader_cli",
            "Unable to claim interface, check USB permissions\nUnable to open device (hint: try -w option)",
            NoPermission,
            "may not open",
            "udev",
        ),
        ("teensy_loader_cli", 'Unknown MCU type "TEENSY41"', ToolMissing, "does not know", "2.2 or later"),
    ],
)
def test_what_tools_print_becomes_one_error(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    said: str,
    kind: type[MicrowrightError],
    message: str,
    hint: str,
) -> None:
    monkeypatch.setattr(ports, "touch", lambda port: port)
    play(folder, name, said)
    with pytest.raises(MicrowrightError) as caught:
        flash(folder, name)
    assert type(caught.value) is kind
    assert caught.value.message.startswith(f"{name}: ") and message in caught.value.message
    assert hint in caught.value.hint
    assert "\n" not in caught.value.message + caught.value.hint


def test_what_no_pattern_knows_is_shown(folder: Path) -> None:
    play(folder, "openocd", "one\ntwo\n\x1b[31mthree\x1b[0m\nfour\n", code=3)
    with pytest.raises(ToolFailed, match=r"^openocd failed with exit code 3: two / three / four$") as caught:
        flash(folder, "openocd")
    assert caught.value.log == "one\ntwo\nthree\nfour\n"
    assert caught.value.hint.startswith("run it by hand to see all of its output: openocd -f board/")


def test_a_board_that_starts_before_dfu_util_has_its_last_answer_is_flashed(folder: Path) -> None:
    play(
        folder,
        "dfu-util",
        "File downloaded successfully\ndfu-util: Error during download get_status",
        code=74,
    )
    assert flash(folder, "dfu-util").bytes == 5


def test_a_tool_that_waits_is_ended(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flashing, "_START_S", 0.3)
    script(folder / "teensy_loader_cli", "echo Waiting for Teensy device...", "exec sleep 60")
    with pytest.raises(ToolFailed, match=r"did not finish within 0\.3\d* s: Waiting for Teensy device"):
        flash(folder, "teensy_loader_cli")


# Real tools, without a board


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("pyocd", NoProbe),
        ("openocd", NoProbe),
        ("st-flash", NoProbe),
        ("dfu-util", NoBootLoader),
        ("stm32flash", NoPort),
        ("stm32loader", NoPort),
        ("bossac", NoBootLoader),
        ("teensy_loader_cli", NoBootLoader),
    ],
)
def test_the_real_tool_says_that_there_is_no_board(
    name: str, kind: type[MicrowrightError], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Those that are Python packages are beside the interpreter.
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    assert shutil.which(name) is not None, install(name)
    if Path("/sys/bus/usb/devices").exists():
        pytest.skip("USB is here, and the tool would write to a board that is plugged in")
    monkeypatch.setattr(ports, "touch", lambda port: port)
    (folder / "firmware.hex").write_text(":0400000001020304F2\n:00000001FF\n")
    where = Where(port="/dev/null" if runners.flasher(example(name)).needs_port else None)
    with pytest.raises(kind):
        flash(folder, name, where)
