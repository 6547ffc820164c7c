"""What a linked image takes of a board's memory: by kind, region, section, origin and symbol, to the byte.

Sizes are the ELF's; which object each byte comes from is in the linker's map beside it.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from microwright import _elf
from microwright.board import Board
from microwright.coverage import Caution

if TYPE_CHECKING:
    from elftools.elf.elffile import ELFFile

# The section of the model's constants (runtime/include/mw.h), that of the stack (firmware.ld), the variables
# of the arena's parts and of the serial link's line (app/main.c).
_WEIGHTS = "mw_model"
_STACK = ".stack"
_ARENAS = ("mw_arena", "mw_arena_2")
_LINE = "wire"

# From here on there is a warning of a region.
_ALMOST_FULL = 0.9

# Where bytes are of no object's: behind one that does not fill its alignment.
PADDING = "padding"
LIBRARY = "c_library"

# Whatever hands out memory at run time calls one of these.
_ALLOCATORS = frozenset(
    f"{prefix}{name}{suffix}"
    for name in ("malloc", "calloc", "realloc", "memalign", "free", "sbrk")
    for prefix, suffix in (("", ""), ("_", ""), ("_", "_r"))
)

_OBJECT = re.compile(r"CMakeFiles/firmware\.dir/([^/]+)/")
_PIECE = re.compile(r"^ (\S+)?\s+0x([0-9a-f]+)\s+0x([0-9a-f]+) (\S.*)$")
_SHF_WRITE, _SHF_ALLOC, _SHF_EXECINSTR = 0x1, 0x2, 0x4


@dataclass(frozen=True)
class Region:
    """A memory region of the board: bytes that it has, those in use, and of these the gaps of sections."""

    name: str
    origin: int
    bytes: int
    used_bytes: int
    gap_bytes: int


@dataclass(frozen=True)
class Section:
    """A section that is loaded, the bytes of each kind in it, and those that have no symbol."""

    name: str
    bytes: int
    kinds: Mapping[str, int]
    unnamed_bytes: int


@dataclass(frozen=True)
class Symbol:
    """A function or variable, the section that it is in and the folder of the project that it comes from."""

    name: str
    bytes: int
    section: str
    origin: str


@dataclass(frozen=True)
class Footprint:
    """Bytes of an image.

    flash       what has content, by kind: code, weights (all constants of the model), constants, c_library,
                initial_values of variables, padding
    ram         what is written, by kind: arena, line (the serial link's buffer), variables, code (copied
                there at start), c_library, padding, stack (as reserved; without, where an operating system
                has it)
    regions     of the board's memory; none on a native board
    sections    their sums are those of flash and ram; one with initial values is in both
    origins     flash by folder of the project (app, model, port, runtime), c_library, linker, padding
    symbols     the largest first
    allocators  functions of a heap that are linked; None: not known
    """

    flash: Mapping[str, int]
    ram: Mapping[str, int]
    regions: tuple[Region, ...]
    sections: tuple[Section, ...]
    origins: Mapping[str, int]
    symbols: tuple[Symbol, ...]
    allocators: tuple[str, ...] | None

    @property
    def flash_bytes(self) -> int:
        """Of everything that has content."""
        return sum(self.flash.values())

    @property
    def ram_bytes(self) -> int:
        """Of everything that is written, the reserved stack included."""
        return sum(self.ram.values())

    @property
    def ram_limit_bytes(self) -> int | None:
        """Of the regions that have some of it, all together; None on a native board."""
        used = [r.bytes for r in self.regions if r.name != "flash" and r.used_bytes]
        return sum(used) if self.regions else None

    @property
    def heap_bytes(self) -> int | None:
        """0 where nothing that hands out memory is linked; None: not known."""
        return 0 if self.allocators == () else None


# Of what is not compiled.
NOTHING = Footprint({}, {}, (), (), {}, (), None)


@dataclass(frozen=True)
class _Piece:
    """What an object puts into a section."""

    address: int
    bytes: int
    origin: str


@dataclass(frozen=True)
class _Loaded:
    """A section of the ELF; `load_address` is where its content lies before start-up."""

    name: str
    address: int
    load_address: int
    bytes: int
    flags: int
    has_content: bool

    @property
    def in_ram(self) -> bool:
        """It is written: by the program, or at start, where it is copied to where it runs."""
        return bool(self.flags & _SHF_WRITE) or self.address != self.load_address


def read(elf: Path, board: Board) -> Footprint:
    """Of an image whose map lies beside it. Raises OSError, Damaged."""
    pieces = _pieces(elf.with_suffix(".map").read_text(encoding="utf-8", errors="replace"))
    with _elf.opened(elf) as file:
        return _footprint(file, pieces, board)


def added(image: Footprint, empty: Footprint) -> Mapping[str, Mapping[str, int]]:
    """Bytes of flash and RAM by kind that one image has more than another."""
    return {
        name: {
            kind: mine.get(kind, 0) - theirs.get(kind, 0) for kind in (*mine, *(theirs.keys() - mine.keys()))
        }
        for name, mine, theirs in (("flash", image.flash, empty.flash), ("ram", image.ram, empty.ram))
    }


def to_json(image: Footprint) -> Mapping[str, object]:
    """All of it, with the sums."""
    return {
        "flash_bytes": image.flash_bytes,
        "ram_bytes": image.ram_bytes,
        "heap_bytes": image.heap_bytes,
        **asdict(image),
    }


def _footprint(elf: ELFFile, mapped: Mapping[str, list[_Piece]], board: Board) -> Footprint:
    loaded = list(_loaded(elf))
    named = _symbols(elf, loaded)
    flash: Counter[str] = Counter()
    ram: Counter[str] = Counter()
    origins: Counter[str] = Counter()
    sections: list[Section] = []
    symbols: list[Symbol] = []
    for section in loaded:
        pieces = _whole(section, mapped.get(section.name, ()))
        own = [(name, address, size) for name, address, size, where in named if where is section]
        buffers = {address: name for name, address, _ in own}
        kinds: Counter[str] = Counter()
        for piece in pieces:
            if section.has_content:
                kind = _flash_kind(section, piece)
                flash[kind] += piece.bytes
                origins[piece.origin] += piece.bytes
                kinds[kind] += piece.bytes
            if section.in_ram:
                kind = _ram_kind(section, piece, buffers)
                ram[kind] += piece.bytes
                if not section.has_content:
                    kinds[kind] += piece.bytes
        unnamed = section.bytes - _covered(own)
        sections.append(Section(section.name, section.bytes, dict(kinds), unnamed))
        symbols += [
            Symbol(name, size, section.name, _origin_at(pieces, address)) for name, address, size in own
        ]
    found = sorted({name for name in _all_names(elf) if name in _ALLOCATORS})
    return Footprint(
        flash=dict(flash),
        ram=dict(ram),
        regions=tuple(_regions(loaded, board)),
        sections=tuple(sections),
        origins=dict(origins),
        symbols=tuple(sorted(symbols, key=lambda s: (-s.bytes, s.name, s.section))),
        # A native program shares the system's library, whose calls its own symbols do not tell.
        allocators=tuple(found) if board.ram is not None and named else None,
    )


def examine(found: Footprint) -> tuple[Caution, ...]:
    """Regions that are nearly full: the next version of a model, or of a compiler, may not fit."""
    return tuple(
        Caution(
            "memory-almost-full",
            f"{region.name} is {region.used_bytes / region.bytes:.1%} full,"
            f" {region.bytes - region.used_bytes} of {region.bytes} bytes are left",
            "--optimize size makes code smaller, pruning code and arena",
        )
        for region in found.regions
        if region.used_bytes > _ALMOST_FULL * region.bytes
    )


def _pieces(text: str) -> dict[str, list[_Piece]]:
    """The pieces of each section of a linker's map."""
    _, _, text = text.partition("\nLinker script and memory map\n")
    pieces: dict[str, list[_Piece]] = {}
    section = ""
    # A name that is too long stands on a line of its own.
    for line in re.sub(r"^( ?\S+)\n {16,}(?=0x)", r"\1 ", text, flags=re.MULTILINE).splitlines():
        if line[:1].strip():
            section = line.split()[0]
        elif (match := _PIECE.match(line)) and match[1] != "*fill*":
            size = int(match[3], 16)
            if size:
                piece = _Piece(int(match[2], 16), size, _origin(match[4]))
                pieces.setdefault(section, []).append(piece)
    return pieces


def _origin(path: str) -> str:
    """Whose object a path of the map is: a folder of the project's, the C library's, the linker's."""
    match = _OBJECT.match(path)
    if match:
        return match[1]
    return "linker" if path == "linker stubs" else LIBRARY


def _whole(section: _Loaded, pieces: Iterable[_Piece]) -> list[_Piece]:
    """Pieces that are all of a section and overlap nowhere: between them is padding.

    Of equal texts the map has the one that is left over more than once.
    """
    whole: list[_Piece] = []
    at, end = section.address, section.address + section.bytes
    for piece in sorted(pieces, key=lambda p: (p.address, p.bytes)):
        begin = max(piece.address, at)
        behind = min(piece.address + piece.bytes, end)
        if begin >= behind:
            continue
        if begin > at:
            whole.append(_Piece(at, begin - at, PADDING))
        whole.append(_Piece(begin, behind - begin, piece.origin))
        at = behind
    if at < end:
        whole.append(_Piece(at, end - at, PADDING))
    return whole


def _flash_kind(section: _Loaded, piece: _Piece) -> str:
    if piece.origin in (PADDING, LIBRARY):
        return piece.origin
    if section.name == _WEIGHTS:
        return "weights"
    if section.flags & _SHF_EXECINSTR:
        return "code"
    return "initial_values" if section.flags & _SHF_WRITE else "constants"


def _ram_kind(section: _Loaded, piece: _Piece, symbols: Mapping[int, str]) -> str:
    if section.name == _STACK:
        return "stack"
    if piece.origin in (PADDING, LIBRARY):
        return piece.origin
    if section.flags & _SHF_EXECINSTR:
        return "code"
    name = symbols.get(piece.address, "")
    return "arena" if name in _ARENAS else "line" if name == _LINE else "variables"


def _loaded(elf: ELFFile) -> Iterator[_Loaded]:
    segments = [s for s in elf.iter_segments() if s["p_type"] == "PT_LOAD" and s["p_filesz"]]
    for section in elf.iter_sections():
        if not section["sh_flags"] & _SHF_ALLOC:
            continue
        address, has_content = int(section["sh_addr"]), section["sh_type"] != "SHT_NOBITS"
        moved = next(
            (
                int(s["p_paddr"] - s["p_vaddr"])
                for s in segments
                if s["p_vaddr"] <= address < s["p_vaddr"] + s["p_memsz"]
            ),
            0,
        )
        yield _Loaded(
            section.name,
            address,
            address + moved if has_content else address,
            int(section["sh_size"]),
            int(section["sh_flags"]),
            has_content,
        )


def _tables(elf: ELFFile) -> Iterator[Any]:
    from elftools.elf.sections import SymbolTableSection

    for section in elf.iter_sections():
        if isinstance(section, SymbolTableSection):
            yield from section.iter_symbols()


def _all_names(elf: ELFFile) -> Iterator[str]:
    return (symbol.name for symbol in _tables(elf))


def _symbols(elf: ELFFile, loaded: Sequence[_Loaded]) -> list[tuple[str, int, int, _Loaded]]:
    """Name, address, size and section of each function and variable; of several names of one, the first."""
    found: dict[tuple[int, int], tuple[str, int, int, _Loaded]] = {}
    for symbol in _tables(elf):
        kind, size = symbol["st_info"]["type"], int(symbol["st_size"])
        if kind not in ("STT_FUNC", "STT_OBJECT") or not size or symbol["st_shndx"] == "SHN_UNDEF":
            continue
        # The lowest bit of a function's address says that it is Thumb code.
        thumb = kind == "STT_FUNC" and elf["e_machine"] == "EM_ARM"
        address = int(symbol["st_value"]) & ~1 if thumb else int(symbol["st_value"])
        for section in loaded:
            if section.address <= address < section.address + section.bytes:
                found.setdefault((address, size), (symbol.name, address, size, section))
    return list(found.values())


def _covered(symbols: Iterable[tuple[str, int, int]]) -> int:
    """Bytes that have a symbol."""
    total, at = 0, 0
    for _, address, size in sorted(symbols, key=lambda s: s[1]):
        total += max(0, address + size - max(address, at))
        at = max(at, address + size)
    return total


def _origin_at(pieces: Sequence[_Piece], address: int) -> str:
    return next(p.origin for p in pieces if p.address <= address < p.address + p.bytes)


def _regions(loaded: Sequence[_Loaded], board: Board) -> Iterator[Region]:
    named = {"flash": board.flash, "ram": board.ram, **board.extra}
    spans = [(s.load_address, s.bytes) for s in loaded if s.bytes and s.has_content]
    spans += [(s.address, s.bytes) for s in loaded if s.bytes and s.in_ram]
    for name, region in named.items():
        if region is None:
            continue
        inside = sorted({span for span in spans if region.origin <= span[0] < region.origin + region.bytes})
        gaps = sum(max(0, after - before - size) for (before, size), (after, _) in itertools.pairwise(inside))
        if inside:
            gaps += inside[0][0] - region.origin
        used = sum(size for _, size in inside) + gaps
        yield Region(name, region.origin, region.bytes, used, gaps)
