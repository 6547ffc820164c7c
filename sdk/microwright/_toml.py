"""TOML files that state facts: read whole, each key asked for by name, all else refused with a suggestion."""

from __future__ import annotations

import difflib
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import UnionType
from typing import Any

from microwright.errors import BoardError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_FILE_BYTES = 1 << 20


def read(path: Path, what: str) -> bytes:
    """The content of a file that is called `what` in errors. Raises BoardError."""
    try:
        with path.open("rb") as file:
            content = file.read(_FILE_BYTES + 1)
    except OSError as error:
        raise BoardError(
            f"{what} {path} cannot be read: {error.strerror or error}", "check the path and its permissions"
        ) from None
    if len(content) > _FILE_BYTES:
        raise BoardError(f"{what} {path} is larger than {_FILE_BYTES} bytes", f"give a {what}")
    return content


def parse(content: bytes, where: str) -> tuple[Table, str]:
    """The table that a file holds, and its text; `where` names the file in errors. Raises BoardError."""
    try:
        text = content.decode()
        return Table(tomllib.loads(text), where, ""), text
    except UnicodeDecodeError:
        raise BoardError(f"{where} is not UTF-8 text", "give a TOML file") from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise BoardError(f"{where} is not valid TOML: {reason[:200]}", "correct the file there") from None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?` where a known word is close, else nothing."""
    close = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


@dataclass(frozen=True)
class Table:
    """A TOML table with the file and the key that it stands under, for messages."""

    values: Mapping[str, Any]
    where: str
    key: str

    def error(self, key: str, what: str, hint: str) -> BoardError:
        """The error about a key of this table."""
        name = ".".join(part for part in (self.key, key[:80]) if part)
        return BoardError(f"{self.where}: {name!r} {what}", hint)

    def allow(self, *keys: str) -> None:
        """Refuse all keys but these."""
        for key in self.values:
            if key not in keys:
                raise self.error(
                    key,
                    "is not a known key" + did_you_mean(key, keys),
                    "known keys: " + ", ".join(keys),
                )

    def get(self, key: str, kind: type | UnionType, what: str) -> Any:
        """The value of a key, of that type; `what` says what it should be."""
        if key not in self.values:
            raise self.error(key, "is missing", f"add it: {what}")
        value = self.values[key]
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise self.error(key, f"is not {what}", "correct its value")
        return value

    def table(self, key: str) -> Table:
        """The table under a key."""
        values: Mapping[str, Any] = self.get(key, dict, "a table")
        return Table(values, self.where, f"{self.key}.{key}" if self.key else key)

    def integer(self, key: str, low: int, high: int) -> int:
        """A whole number from `low` to `high`."""
        value: int = self.get(key, int, "a whole number")
        if not low <= value <= high:
            raise self.error(key, f"is {value}, outside {low} to {high}", "correct its value")
        return value

    def line(self, key: str) -> str:
        """Text that is safe in a comment, a Markdown line and a terminal."""
        value: str = self.get(key, str, "a line of text")
        if not 1 <= len(value) <= 200 or not value.isascii() or not value.isprintable():
            raise self.error(key, "is not a line of 1 to 200 printable ASCII characters", "correct its value")
        return value

    def matching(self, key: str, pattern: re.Pattern[str], what: str) -> str:
        """Text that matches a pattern whole."""
        value: str = self.get(key, str, what)
        if len(value) > 200 or not pattern.fullmatch(value):
            raise self.error(key, f"is not {what}", "correct its value")
        return value

    def choice(self, key: str, known: tuple[str, ...]) -> str:
        """One of the known words."""
        value: str = self.get(key, str, "one of: " + ", ".join(known))
        if value not in known:
            raise self.error(
                key,
                f"is {value[:80]!r}, which is not known" + did_you_mean(value, known),
                "the known ones are: " + (", ".join(known) or "none"),
            )
        return value
