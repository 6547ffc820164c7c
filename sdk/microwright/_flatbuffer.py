"""Read FlatBuffers from untrusted bytes: nothing is read before it is known to lie inside the file.

The wire format (https://flatbuffers.dev/internals): all numbers are little-endian. A table begins with the
signed distance back to its vtable. A vtable holds its own size, the table's size, and for each field its
place in the table, or 0 where the field has its default. Strings, vectors and tables are reached through an
unsigned forward distance.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any, Literal, NoReturn, TypeAlias

import numpy as np
import numpy.typing as npt

from microwright.errors import InputError

Scalar: TypeAlias = Literal["bool", "int8", "uint8", "int32", "uint32", "float32", "int64", "uint64"]

_FORMATS: Mapping[Scalar, struct.Struct] = {
    "bool": struct.Struct("<B"),
    "int8": struct.Struct("<b"),
    "uint8": struct.Struct("<B"),
    "int32": struct.Struct("<i"),
    "uint32": struct.Struct("<I"),
    "float32": struct.Struct("<f"),
    "int64": struct.Struct("<q"),
    "uint64": struct.Struct("<Q"),
}
_DTYPES: Mapping[Scalar, np.dtype[Any]] = {
    kind: np.dtype(kind).newbyteorder("<") for kind in _FORMATS if kind != "bool"
}

_U16 = struct.Struct("<H")
_I32 = _FORMATS["int32"]
_U32 = _FORMATS["uint32"]

# Nothing stops a file from reaching the same vector through a thousand tables. What is read in all is limited
# to this multiple of the file's size, so that time and memory stay proportional to it.
_REUSE_FACTOR = 16
_REUSE_SLACK_BYTES = 65536


class File:
    """The bytes of a file whose root is a table, and how much of them may still be read."""

    def __init__(self, data: bytes, name: str) -> None:
        self.data = data
        self.name = name
        self._allowance_bytes = _REUSE_FACTOR * len(data) + _REUSE_SLACK_BYTES

    def root(self, identifier: bytes) -> Table:
        """The root table. Raises InputError where the file does not carry the identifier."""
        if len(self.data) < 8 or self.data[4:8] != identifier:
            raise InputError(
                f"{self.name} is no {identifier.decode('ascii')} flatbuffer ({len(self.data)} bytes)",
                "give a .tflite file that is complete",
            )
        return Table(self, self.follow("the file", 0), "the model")

    def fail(self, what: str) -> NoReturn:
        """Raise the InputError of a file that contradicts itself."""
        raise InputError(f"{self.name} is damaged: {what}", "export or copy the model again")

    def spend(self, what: str, count_bytes: int) -> None:
        """Count bytes that are read. Raises InputError when the file is read over and over."""
        self._allowance_bytes -= count_bytes
        if self._allowance_bytes < 0:
            self.fail(f"{what} overlaps other parts of the file")

    def follow(self, what: str, at: int) -> int:
        """Where the forward distance stored at `at` leads."""
        if at + 4 > len(self.data):
            self.fail(f"{what} is cut off at byte {at}")
        target = at + _U32.unpack_from(self.data, at)[0]
        if target == at or target + 4 > len(self.data):
            self.fail(f"{what} at byte {at} points outside the file of {len(self.data)} bytes")
        return int(target)

    def vector(self, what: str, at: int, item_bytes: int) -> tuple[int, int]:
        """First byte and number of elements of the vector at `at`."""
        count: int = _U32.unpack_from(self.data, at)[0]
        first = at + 4
        if first + count * item_bytes > len(self.data):
            self.fail(f"{what} of {count} elements at byte {at} runs past the end of {len(self.data)} bytes")
        self.spend(what, count * item_bytes + 4)
        return first, count


class Table:
    """A table at a byte of the file; a field is named by its slot, its position in the schema's table.

    `what` names the table in messages (`tensor 5`). All methods raise InputError where the file is damaged.
    """

    def __init__(self, file: File, at: int, what: str) -> None:
        self.file = file
        self.what = what
        self._at = at
        if at + 4 > len(file.data):
            file.fail(f"{what} at byte {at} is cut off")
        vtable = at - _I32.unpack_from(file.data, at)[0]
        if not 0 <= vtable <= len(file.data) - 4:
            file.fail(f"{what} at byte {at} has its vtable outside the file")
        vtable_bytes: int = _U16.unpack_from(file.data, vtable)[0]
        self._bytes: int = _U16.unpack_from(file.data, vtable + 2)[0]
        if vtable_bytes < 4 or vtable_bytes % 2 or vtable + vtable_bytes > len(file.data):
            file.fail(f"{what} at byte {at} has a vtable of {vtable_bytes} bytes")
        if self._bytes < 4 or at + self._bytes > len(file.data):
            file.fail(f"{what} at byte {at} of {self._bytes} bytes runs past the end of the file")
        file.spend(what, 4)
        self._vtable = vtable + 4
        self._slots = (vtable_bytes - 4) // 2

    def _field(self, slot: int, item_bytes: int, name: str) -> int | None:
        """The byte at which a field is stored, or None where it has its default."""
        if slot >= self._slots:
            return None
        place: int = _U16.unpack_from(self.file.data, self._vtable + 2 * slot)[0]
        if place == 0:
            return None
        if place < 4 or place + item_bytes > self._bytes:
            self.file.fail(f"{self.what}: {name} lies outside its table")
        return self._at + place

    def _pointer(self, slot: int, name: str) -> int | None:
        at = self._field(slot, 4, name)
        return None if at is None else self.file.follow(f"{self.what}: {name}", at)

    def scalar(self, slot: int, kind: Scalar, name: str, default: float = 0) -> int | float:
        """A number; bool comes as 0 or 1."""
        form = _FORMATS[kind]
        at = self._field(slot, form.size, name)
        value: int | float = default if at is None else form.unpack_from(self.file.data, at)[0]
        return int(bool(value)) if kind == "bool" else value

    def integer(self, slot: int, kind: Scalar, name: str, default: int = 0) -> int:
        """A number of an integer kind."""
        return int(self.scalar(slot, kind, name, default))

    def text(self, slot: int, name: str) -> str:
        """A string, empty where it is absent."""
        at = self._pointer(slot, name)
        if at is None:
            return ""
        first, count = self.file.vector(f"{self.what}: {name}", at, 1)
        try:
            return self.file.data[first : first + count].decode("utf-8")
        except UnicodeDecodeError:
            self.file.fail(f"{self.what}: {name} is not UTF-8")

    def vector(self, slot: int, kind: Scalar, name: str) -> npt.NDArray[Any] | None:
        """A vector of numbers as a read-only view of the file, or None where it is absent."""
        at = self._pointer(slot, name)
        if at is None:
            return None
        dtype = _DTYPES[kind]
        first, count = self.file.vector(f"{self.what}: {name}", at, dtype.itemsize)
        return np.frombuffer(self.file.data, dtype, count, first)

    def table(self, slot: int, name: str) -> Table | None:
        """A table, or None where it is absent."""
        at = self._pointer(slot, name)
        return None if at is None else Table(self.file, at, f"{self.what}: {name}")

    def tables(self, slot: int, name: str) -> list[Table]:
        """A vector of tables, called `name 0`, `name 1`, ...; empty where it is absent."""
        at = self._pointer(slot, name)
        if at is None:
            return []
        first, count = self.file.vector(f"{self.what}: {name}", at, 4)
        return [
            Table(self.file, self.file.follow(f"{name} {i}", first + 4 * i), f"{name} {i}")
            for i in range(count)
        ]
