"""What Microwright writes into a `.tflite` of its own, which goes wherever the file goes: where its ranges
came from, and the names of its inputs and outputs.

The converter leaves both fields nearly empty. What is new is appended to the file, and the model's table made
to point there; nothing else in it moves. See `_flatbuffer` for the format.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence

DESCRIPTION, SIGNATURES = 3, 7  # slots in the schema's table Model
TRAINED = "trained"
RANDOM = "random, not representative"
# What begins the description of a file that says where its ranges came from, and all of it where random
# samples set them, as it was before. Files that are out there have both: they stay the same.
_PREFIX = b"Microwright: ranges "
_RANDOM = b"Microwright: calibrated with random samples, not representative"
_RANGES = re.compile(rf"{TRAINED}|({TRAINED}, the rest )?(calibrated on \d{{1,9}} samples|{RANDOM})")

_Ends = Sequence[tuple[str, int]]


def ranges(description: bytes) -> str:
    """Where the ranges came from, by a file's description; empty where it does not say."""
    if _RANDOM in description:
        return RANDOM
    text = description.removeprefix(_PREFIX).decode("ascii", "replace")
    return text if description.startswith(_PREFIX) and _RANGES.fullmatch(text) else ""


def write(flatbuffer: bytes, *, ranges: str, inputs: _Ends, outputs: _Ends) -> bytes:
    """A file as the converter writes it, with where its ranges came from (empty: not told), and a signature.

    `inputs` and `outputs` are names and tensors.
    """
    file = bytearray(flatbuffer)
    file += bytes(-len(file) % 16)
    if ranges:
        at = _field(file, DESCRIPTION)
        assert at, "the converter writes a description"
        _point(file, at, _text(file, _PREFIX.decode() + ranges))
    if at := _field(file, SIGNATURES):
        signatures = _vector(file, 1)
        _point(file, at, signatures)
        signature = _table(file, 3)
        _point(file, signatures + 4, signature)
        for slot, ends in enumerate((inputs, outputs)):
            entries = _vector(file, len(ends))
            _point(file, signature + 4 + 4 * slot, entries)
            for i, (name, tensor) in enumerate(ends):
                entry = _table(file, 2)
                _point(file, entries + 4 + 4 * i, entry)
                _point(file, entry + 4, _text(file, name))
                struct.pack_into("<I", file, entry + 8, tensor)
        _point(file, signature + 12, _text(file, "serving_default"))
    return bytes(file)


def _field(file: bytearray, slot: int) -> int:
    """Where the model's table has a field, 0 where it has none."""
    table = struct.unpack_from("<I", file, 0)[0]
    vtable = table - struct.unpack_from("<i", file, table)[0]
    if 4 + 2 * slot >= struct.unpack_from("<H", file, vtable)[0]:
        return 0
    place: int = struct.unpack_from("<H", file, vtable + 4 + 2 * slot)[0]
    return place and table + place


def _point(file: bytearray, at: int, target: int) -> None:
    struct.pack_into("<I", file, at, target - at)


def _vector(file: bytearray, count: int) -> int:
    """A vector of `count` offsets, still to be pointed."""
    at = len(file)
    file += struct.pack("<I", count) + bytes(4 * count)
    return at


def _table(file: bytearray, fields: int) -> int:
    """A table of fields of 4 bytes, the first at its byte 4, behind its vtable."""
    vtable = struct.pack(f"<{2 + fields}H", 4 + 2 * fields, 4 + 4 * fields, *range(4, 4 + 4 * fields, 4))
    vtable += bytes(-len(vtable) % 4)
    at = len(file) + len(vtable)
    file += vtable + struct.pack("<i", len(vtable)) + bytes(4 * fields)
    return at


def _text(file: bytearray, text: str) -> int:
    at = len(file)
    encoded = text.encode("utf-8", "replace")
    # A string ends with a zero.
    file += struct.pack("<I", len(encoded)) + encoded + bytes(4 - len(encoded) % 4)
    return at
