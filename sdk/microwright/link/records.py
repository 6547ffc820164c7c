"""Records: one ASCII line each, numbered and checksummed (`docs/protocol.md`).

@<seq> <verb> <key>=<value> ... #<crc32>\\n
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

MAX_SEQ = 65535

# What a request needs around the binary data that it carries, in characters; the device has room for it.
OVERHEAD_CHARS = 64

_RECORD = re.compile(rb'@([1-9][0-9]{0,4}|0) ([a-z]+)((?: [a-z_0-9]+=[!-"$-?A-~]*)*) #([0-9a-f]{8})')
_REMAINS = re.compile(rb"@[0-9]| #[0-9a-f]{8}$")


@dataclass(frozen=True)
class Record:
    """A record that arrived intact: its number, its verb, its arguments."""

    seq: int
    verb: str
    args: Mapping[str, str]


def encode(seq: int, verb: str, args: Mapping[str, int | str]) -> bytes:
    """The line of a record, with its newline. Raises ValueError for what a record cannot carry."""
    body = f"@{seq} {verb}" + "".join(f" {key}={value}" for key, value in args.items()) + " "
    line = body.encode("ascii")
    line += b"#%08x" % zlib.crc32(line)
    if seq > MAX_SEQ or not _RECORD.fullmatch(line):
        raise ValueError(f"not a record: {line!r}")
    return line + b"\n"


def parse(line: bytes) -> Record | None:
    """The record at the end of a line (without its newline); None where there is none, or a damaged one.

    A record begins at the last `@`: what stands before it is the rest of another line that lost its newline.
    """
    start = line.rfind(b"@")
    match = _RECORD.fullmatch(line, start) if start >= 0 else None
    if match is None or zlib.crc32(line[start : match.start(4) - 1]) != int(match[4], 16):
        return None
    seq = int(match[1])
    words = [word.partition("=") for word in match[3].decode("ascii").split()]
    args = {key: value for key, _, value in words}
    if seq > MAX_SEQ or len(args) != len(words):
        return None
    return Record(seq, match[2].decode("ascii"), args)


def looks_damaged(line: bytes) -> bool:
    """Whether a line that is no record seems to have been one."""
    return _REMAINS.search(line) is not None


def printable(line: bytes) -> str:
    """A line as text that a terminal cannot mistake for commands."""
    text = line.decode("utf-8", "replace").rstrip("\r")
    return "".join(c if c.isprintable() else "\ufffd" for c in text)
