"""Where in an image a device met a fault: functions and lines of its program counter and link register."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from microwright import _elf
from microwright.build import Image
from microwright.errors import DeviceFault

if TYPE_CHECKING:
    from elftools.dwarf.lineprogram import LineProgram
    from elftools.elf.elffile import ELFFile

_log = logging.getLogger("microwright.culprit")


@dataclass(frozen=True)
class Place:
    """A function, and the file and line in it where the image has debug information."""

    function: str
    file: str | None
    line: int | None

    def __str__(self) -> str:
        return self.function if self.file is None else f"{self.function} ({self.file}:{self.line})"


@contextlib.contextmanager
def named(image: Image) -> Iterator[None]:
    """Around what asks a device that runs an image: a DeviceFault names the functions that it happened in."""
    try:
        yield
    except DeviceFault as fault:
        raise located(image, fault) from None


def located(image: Image, fault: DeviceFault) -> DeviceFault:
    """A fault with what the image tells of its place; nothing where the device runs other firmware."""
    if fault.build_id in ("", image.build_id):
        where = _where(image.elf, fault)
    else:
        where = f"in build {fault.build_id[:12]}, not in the image, which is build {image.build_id[:12]}"
    return DeviceFault(fault.what, fault.exception, fault.registers, fault.build_id, where)


def _where(elf: Path, fault: DeviceFault) -> str:
    """`in run (app/main.c:7), called from main (app/main.c:9)`; empty where nothing is known."""
    pc, lr = fault.registers.get("pc"), fault.registers.get("lr")
    # Where a call returns to may be the next line, or behind the function's end: the call is in front of it.
    inner, outer = find(elf, (pc, None if lr is None else (lr & ~1) - 2))
    said = []
    if inner is not None:
        said.append(f"in {inner}")
    elif pc is not None:
        said.append(f"at 0x{pc:08x}, which is in no function")
    # A link register within the same function is that of a call which has returned.
    if outer is not None and (inner is None or outer.function != inner.function):
        said.append(f"called from {outer}")
    return ", ".join(said)


def find(elf: Path, addresses: Sequence[int | None]) -> list[Place | None]:
    """The place of each address. None where no function is there, or the file cannot be read."""
    try:
        with _elf.opened(elf) as image:
            programs = _programs(image)
            return [None if a is None else _place(image, programs, a) for a in addresses]
    except (OSError, _elf.Damaged):
        return [None for _ in addresses]


def _place(image: ELFFile, programs: Sequence[LineProgram], address: int) -> Place | None:
    table = image.get_section_by_name(".symtab")
    for symbol in () if table is None else table.iter_symbols():
        # The lowest bit of a function's address says that it is Thumb code.
        start = symbol["st_value"] & ~1
        if symbol["st_info"]["type"] == "STT_FUNC" and start <= address < start + symbol["st_size"]:
            return Place(symbol.name, *_line(programs, address))
    return None


def _programs(image: ELFFile) -> list[LineProgram]:
    """What the compiler says of lines; nothing where there is no debug information that can be read."""
    try:
        if not image.has_dwarf_info():
            return []
        debug = image.get_dwarf_info()
        programs = [debug.line_program_for_CU(unit) for unit in debug.iter_CUs()]
        return [program for program in programs if program is not None and program.get_entries()]
    # It may be of any compiler, and what reads it says with many classes that it cannot.
    except Exception as error:
        _log.info("no lines of %s: %s", image.stream.name, error)
        return []


def _line(programs: Sequence[LineProgram], address: int) -> tuple[str, int] | tuple[None, None]:
    """File and line, as the compiler knew them."""
    found = [row for program in programs for row in _rows(program, address)]
    # What the linker left out begins at 0; of anything else that overlaps, the last to begin is the nearest.
    start, name, line = max(found, default=(0, "", 0))
    return (name, line) if start else (None, None)


def _rows(program: LineProgram, address: int) -> Iterator[tuple[int, str, int]]:
    """Of each piece of code that has the address: where it begins, and the address's file and line."""
    start, row = None, None
    for entry in program.get_entries():
        state = entry.state
        if state is None:
            continue
        if start is None:
            start = state.address
        if row is not None and row.address <= address < state.address:
            yield start, _file(program, row.file), row.line
        start, row = (None, None) if state.end_sequence else (start, state)


def _file(program: LineProgram, index: int) -> str:
    """A file of a line program, with its folder where that is one of the project's."""
    header = program.header
    # From version 5 on, both tables begin with entry 0, which is the folder and the file of the compilation.
    first = 0 if header.version >= 5 else 1
    entry = dict(enumerate(header.file_entry, first)).get(index)
    if entry is None:
        return "?"
    folder = dict(enumerate(header.include_directory, first)).get(entry.dir_index, b"")
    path = PurePosixPath(folder.decode(errors="replace"), entry.name.decode(errors="replace"))
    return path.name if path.is_absolute() else str(path)
