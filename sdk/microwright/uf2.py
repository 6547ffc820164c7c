"""UF2, the files that boot loaders take which are a drive: segments of an image -> blocks.

A block is 512 bytes: two magic words, flags, the target address, the count of its bytes, its number, the
number of blocks, the family's id, up to 476 bytes, a magic word; all words little-endian
(https://github.com/microsoft/uf2).

An RP2350 whose flash has a partition table needs a block more, for its erratum E10, which is not written.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from pathlib import Path

from microwright import _elf

# Pages of the flash: what RP2040's and RP2350's boot ROMs take, and what others take as well.
_PAGE_BYTES = 256
_HEADER = struct.Struct("<8I")
_MAGIC = (0x0A32_4655, 0x9E5D_5157)
_MAGIC_END = struct.pack("<I", 0x0AB1_6F30)
_BLOCK_BYTES = 512
_HAS_FAMILY = 0x2000


def of_elf(elf: Path, family: int) -> bytes:
    """The UF2 file of an ELF: what is loaded, at its load addresses. Raises OSError, Damaged."""
    with _elf.opened(elf) as file:
        return encode(
            [
                (int(segment["p_paddr"]), segment.data())
                for segment in file.iter_segments()
                if segment["p_type"] == "PT_LOAD" and segment["p_filesz"]
            ],
            family,
        )


def encode(segments: Iterable[tuple[int, bytes]], family: int) -> bytes:
    """Blocks of whole pages, in the order of addresses; what no segment has of a page is 0.

    Segments are an address and its bytes.
    """
    pages: dict[int, bytearray] = {}
    for address, content in segments:
        at = 0
        while at < len(content):
            offset = (address + at) % _PAGE_BYTES
            page = pages.setdefault(address + at - offset, bytearray(_PAGE_BYTES))
            part = content[at : at + _PAGE_BYTES - offset]
            page[offset : offset + len(part)] = part
            at += len(part)
    blocks = []
    for number, (address, page) in enumerate(sorted(pages.items())):
        header = _HEADER.pack(*_MAGIC, _HAS_FAMILY, address, _PAGE_BYTES, number, len(pages), family)
        blocks.append((header + page).ljust(_BLOCK_BYTES - len(_MAGIC_END), b"\0") + _MAGIC_END)
    return b"".join(blocks)
