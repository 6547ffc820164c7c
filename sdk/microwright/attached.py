"""What a board needs on this computer: its runners' tools, compiler, USB devices and serial port."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from microwright import _run, build, runners
from microwright.board import Board
from microwright.doctor import Finding, program
from microwright.errors import BoardError, NoPort, ToolFailed, ToolMissing
from microwright.link import ports
from microwright.link.port import SerialPort
from microwright.runners import DriveCopy, Flasher, FlashTool, Remote, Runner, flashing, usb

_RULES = (Path("/etc/udev/rules.d"), Path("/run/udev/rules.d"), Path("/usr/lib/udev/rules.d"))
_FILE_BYTES = 1 << 20


def examine(board: Board) -> tuple[Finding, ...]:
    """Look at everything that belongs to a board; starts each tool once to ask for its version."""
    tools = [_tool(board, runners.RUNNERS[name]) for name in board.runners if name in runners.RUNNERS]
    if not any(tool.found for tool in tools):
        tools = [replace(tool, required=True) for tool in tools[:1]] + tools[1:]
    found = [*tools]
    if board.linux is not None:
        about = f"compiles for {board.linux.arch}"
        found += [program(name, about, True) for name in build.compilers(board)]
    if sys.platform == "linux":
        found += _usb(board)
    if any(isinstance(runners.RUNNERS.get(name), Flasher) for name in board.runners):
        found.append(_port(board))
    return tuple(found)


def _tool(board: Board, runner: Runner | Flasher | Remote) -> Finding:
    if isinstance(runner, Remote):
        return _remote(board, runner)
    if isinstance(runner, Runner):
        return _emulator(board, runner)
    what = f"flashes {board.id}" + (f"; {runner.boot_loader}" if runner.boot_loader else "")
    if isinstance(runner, DriveCopy):
        return Finding(runner.name, what, False, "a copy to a drive: nothing to install", None, "")
    assert isinstance(runner, FlashTool)
    finding = Finding(runner.name, what, False, None, None, runner.install)
    try:
        version = flashing.version(runner)
    except ToolMissing as error:
        return replace(finding, problem=error.message)
    except ToolFailed as error:
        return replace(finding, problem=f"does not run: {error.message}")
    complaint = flashing.too_old(runner, version)
    if complaint is not None:
        return replace(finding, problem=complaint)
    return replace(finding, version=version or "unknown version")


def _emulator(board: Board, runner: Runner) -> Finding:
    finding = Finding(runner.name, f"stands for {board.id}", False, None, None, "")
    try:
        runners.check(board, runner.name)
    except (BoardError, ToolMissing) as error:
        return replace(finding, problem=error.message, install=error.hint)
    return replace(finding, version=runner.version() or "is here")


def _remote(board: Board, runner: Remote) -> Finding:
    finding = Finding(runner.name, f"reaches {board.id} over the network", False, None, None, "")
    try:
        _run.find(runner.name)
    except ToolMissing as error:
        return replace(finding, problem=error.message, install=error.hint)
    return replace(finding, version="is here")


def _usb(board: Board) -> Iterator[Finding]:
    """Whether the user may open what the flash tools open, plugged in or not."""
    usb_ids = dict.fromkeys(
        usb_id
        for name in board.runners
        if isinstance(tool := runners.RUNNERS.get(name), FlashTool)
        for usb_id in tool.usb_ids(board)
    )
    for usb_id in usb_ids:
        vendor, _, product = usb_id.partition(":")
        purpose = "lets a flash tool open the probe or boot loader; a new rule is for what is plugged in anew"
        install = (
            f"echo '{_rule(vendor)}' | sudo tee /etc/udev/rules.d/70-microwright-{vendor}.rules && "
            "sudo udevadm control --reload && sudo udevadm trigger"
        )
        finding = Finding(f"USB {usb_id}", purpose, False, None, None, install)
        there = usb.matching(re.compile(f"{usb_id} .*"))
        refused = [device for device in there if not device.permitted]
        rules = _rules_of(vendor, product)
        if refused:
            yield replace(finding, problem=f"you may not open {refused[0].node}, {refused[0]}")
        elif there:
            yield replace(finding, version=f"may be opened: {'; '.join(map(str, there))}")
        elif rules is not None:
            yield replace(finding, version=f"not plugged in; {rules} has a rule")
        else:
            yield replace(finding, problem="not plugged in, and no udev rule is there")


def _rule(vendor: str) -> str:
    """A udev rule: who sits at the computer may open the device, and the group of serial ports."""
    return f'SUBSYSTEM=="usb", ATTRS{{idVendor}}=="{vendor}", MODE="0660", GROUP="dialout", TAG+="uaccess"'


def _rules_of(vendor: str, product: str) -> Path | None:
    """A file of udev rules that lets users open a product, or all of its vendor."""
    names = re.compile(
        rf'^(?!\s*#)(?=.*idVendor\}}=="{vendor}")(?:(?=.*idProduct\}}=="{product}")|(?!.*idProduct))'
        r'(?=.*(?:MODE:?="0?66|GROUP:?="|uaccess))',
        re.MULTILINE,
    )
    for folder in _RULES:
        for path in sorted(folder.glob("*.rules")):
            try:
                with path.open("rb") as file:
                    text = file.read(_FILE_BYTES).decode("utf-8", "replace")
            except OSError:
                continue
            if names.search(text):
                return path
    return None


def _port(board: Board) -> Finding:
    """Whether the port of the firmware is there and can be opened."""
    ids = board.serial.usb_ids
    finding = Finding("serial port", "talks to the firmware", False, None, None, "")
    if not ids:
        return replace(finding, problem="the board file names no USB ids", install="give --port")
    matching = [port for port in ports.listed() if port.usb_id in ids]
    if not matching:
        return replace(
            finding, problem=f"none with USB id {' or '.join(ids)} is there", install="plug the board in"
        )
    if len(matching) > 1:
        return replace(
            finding,
            problem=f"several could be it: {'; '.join(map(str, matching))}",
            install="choose one with --port",
        )
    device = matching[0].device
    permit = ports.refused(device)
    if permit is not None:
        return replace(finding, problem=f"you may not open {device}", install=permit)
    try:
        SerialPort(device, board.serial.baud).close()
    except NoPort as error:
        return replace(finding, problem=error.message, install="end the program that has it open")
    return replace(finding, version=str(matching[0]))
