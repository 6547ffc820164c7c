"""UF2 files are read back to what was put in."""

from __future__ import annotations

import struct

import pytest

from microwright import uf2
from tests.support.uf2_reader import pages


def test_segments_are_read_back_where_they_lie() -> None:
    first, second = bytes(range(256)) * 3 + b"end", b"far"
    found = pages(uf2.encode([(0x1000_0000, first), (0x1003_0010, second)], 0xE48B_FF56), 0xE48B_FF56)
    assert list(found) == [0x1000_0000, 0x1000_0100, 0x1000_0200, 0x1000_0300, 0x1003_0000]
    assert b"".join(list(found.values())[:4]) == first.ljust(1024, b"\0")
    assert found[0x1003_0000] == bytes(16) + second + bytes(256 - 16 - len(second))


def test_segments_that_share_a_page_are_one_block() -> None:
    made = uf2.encode([(0x2080, b"b" * 0x80), (0x2000, b"a" * 0x80)], 1)
    assert pages(made, 1) == {0x2000: b"a" * 0x80 + b"b" * 0x80}


def test_the_words_of_a_block() -> None:
    made = uf2.encode([(0x2000, b"x")], 0xE48B_FF59)
    assert made[:8] == b"UF2\nWQ]\x9e" and len(made) == 512
    assert struct.unpack("<6I", made[8:32]) == (0x2000, 0x2000, 256, 0, 1, 0xE48B_FF59)
    assert made[-4:] == b"\x30\x6f\xb1\x0a"
    assert uf2.encode([], 1) == b""


@pytest.mark.parametrize("family", [0, 2**32 - 1])
def test_any_family_has_a_place(family: int) -> None:
    assert pages(uf2.encode([(0, b"x")], family), family)
