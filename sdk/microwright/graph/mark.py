"""A mark in a `.tflite`'s description that goes wherever the file goes."""

from __future__ import annotations

import struct

# Files that are out there have it: it stays the same.
RANDOM = b"Microwright: calibrated with random samples, not representative"

DESCRIPTION = 3  # slot in the schema's table Model


def mark(flatbuffer: bytes, text: bytes) -> bytes:
    """A file as the converter writes it, with another description. Nothing else in it moves.

    The text is appended to the file, and the model's table made to point there: see `_flatbuffer` for the
    format.
    """
    marked = bytearray(flatbuffer)
    table = struct.unpack_from("<I", marked, 0)[0]
    vtable = table - struct.unpack_from("<i", marked, table)[0]
    field = struct.unpack_from("<H", marked, vtable + 4 + 2 * DESCRIPTION)[0]
    assert field, "the converter writes a description"
    marked += bytes(-len(marked) % 16)
    struct.pack_into("<I", marked, table + field, len(marked) - (table + field))
    marked += struct.pack("<I", len(text)) + text
    # Strings end with a zero; files are padded to whole words.
    marked += bytes(4 - len(text) % 4)
    return bytes(marked)
