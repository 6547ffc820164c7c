"""Memory as a board file has it, in the pages that Unicorn maps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import unicorn

_PAGE = 4096
# Memory has something in it when power comes.
_POWER_UP = b"\xa5"


@dataclass(frozen=True)
class Memory:
    """A region, and whether programs may write to it."""

    origin: int
    bytes: int
    writable: bool


def map_all(uc: unicorn.Uc, memories: Sequence[Memory]) -> None:
    """Map memories, in whole pages."""
    end = 0
    for memory in sorted(memories, key=lambda memory: memory.origin):
        start = max(memory.origin // _PAGE * _PAGE, end)
        end = max(-(-(memory.origin + memory.bytes) // _PAGE) * _PAGE, start)
        if start < end:
            access = unicorn.UC_PROT_ALL if memory.writable else unicorn.UC_PROT_READ | unicorn.UC_PROT_EXEC
            uc.mem_map(start, end - start, access)
            if memory.writable:
                uc.mem_write(start, _POWER_UP * (end - start))


def gaps(window: tuple[int, int], memories: Sequence[Memory]) -> Iterator[tuple[int, int]]:
    """What memories leave of an address range: first addresses and sizes."""
    start, end = window[0], sum(window)
    for memory in sorted(memories, key=lambda memory: memory.origin):
        if memory.origin < end and memory.origin + memory.bytes > start:
            if memory.origin > start:
                yield start, memory.origin - start
            start = min(-(-(memory.origin + memory.bytes) // _PAGE) * _PAGE, end)
    if start < end:
        yield start, end - start


def is_ram(memories: Sequence[Memory], address: int, size: int) -> bool:
    """Whether programs may write to all of these addresses."""
    return any(m.writable and m.origin <= address and address + size <= m.origin + m.bytes for m in memories)
