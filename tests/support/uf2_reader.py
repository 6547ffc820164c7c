"""Reads UF2 files, as strictly as a boot loader may."""

from __future__ import annotations

import struct


def pages(content: bytes, family: int) -> dict[int, bytes]:
    """Target address -> 256 bytes of each block, in the file's order."""
    assert len(content) % 512 == 0
    found: dict[int, bytes] = {}
    count = len(content) // 512
    for number in range(count):
        block = content[512 * number : 512 * (number + 1)]
        start0, start1, flags, address, size, at, of, block_family = struct.unpack("<8I", block[:32])
        assert (start0, start1, block[508:]) == (0x0A324655, 0x9E5D5157, struct.pack("<I", 0x0AB16F30))
        assert (flags, size, at, of, block_family) == (0x2000, 256, number, count, family)
        assert address % 256 == 0 and address not in found
        assert not any(block[288:508])
        found[address] = block[32:288]
    return found
