"""Reports side by side: files -> rows that may be compared.

Times of different kinds (measured, emulated, estimated) or units stand in columns of their own, and a ratio
is only ever of two times of one kind and unit.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from microwright.errors import InputError
from microwright.report import SCHEMA

_FILE_BYTES = 256 << 20
_REPORT = "report.json"


@dataclass(frozen=True)
class Entry:
    """What a report says. None is not known, or not measured.

    `kind` and `unit` are those of all its times. `ratio` is its median over that of the first report of the
    same kind and unit. `exact`: its outputs were the reference's, byte for byte. `complete` is false of a
    measurement that ended early, `valid` of one that something on the device spoke against.
    """

    name: str
    board: str
    engine: str
    model: str
    model_sha256: str
    kind: str
    unit: str
    median: int | float
    p95: int | float
    first: int | float
    ratio: float
    ram_bytes: int | None
    flash_bytes: int | None
    accuracy: float | None
    exact: bool | None
    complete: bool
    valid: bool


def read(paths: Sequence[Path]) -> tuple[Entry, ...]:
    """The reports of files, or of projects' folders. Raises InputError."""
    entries: list[Entry] = []
    firsts: dict[tuple[str, str], int | float] = {}
    for path in paths:
        where = path / _REPORT if path.is_dir() else path
        content = _content(where)
        try:
            entry = _entry(path.name, content, firsts)
        except (KeyError, TypeError, ValueError, AttributeError):
            raise InputError(
                f"{where} is not a report of Microwright", "give a report.json, or a project that has one"
            ) from None
        entries.append(entry)
    return tuple(entries)


def to_json(entries: Sequence[Entry]) -> Mapping[str, object]:
    """For other programs to read."""
    return {"schema": SCHEMA, "reports": [asdict(entry) for entry in entries]}


def _content(path: Path) -> Any:
    try:
        with path.open("rb") as file:
            return json.loads(file.read(_FILE_BYTES))
    except OSError as error:
        raise InputError(
            f"{path} cannot be read: {error.strerror or error}",
            "give a report.json, or a project that was measured",
        ) from None
    except (ValueError, RecursionError):
        raise InputError(
            f"{path} is not JSON", "give a report.json that `measure` or `deploy` wrote"
        ) from None


def _entry(name: str, content: Any, firsts: dict[tuple[str, str], int | float]) -> Entry:
    if content["schema"] != SCHEMA:
        raise ValueError("another schema")
    latency, memory, agreement = content["latency"], content["memory"], content["agreement"]
    kind, unit = _text(latency["kind"]), _text(latency["unit"])
    median = _number(latency["median"])
    first = firsts.setdefault((kind, unit), median)
    system = content.get("system") or {}
    return Entry(
        name=name,
        board=_text(content["board"]),
        engine=_text(content["engine"]),
        model=_text(content["model"]["name"]),
        model_sha256=_text(content["model"]["sha256"]),
        kind=kind,
        unit=unit,
        median=median,
        p95=_number(latency["p95"]),
        first=_number(latency["first"]),
        ratio=round(median / first, 4) if first else 1.0,
        ram_bytes=_optional(memory["ram_total_bytes"]),
        flash_bytes=_optional(memory["flash_total_bytes"]),
        accuracy=None if content.get("accuracy") is None else _number(content["accuracy"]),
        exact=None if agreement is None else _number(agreement["mismatched_bytes"]) == 0,
        complete=content.get("complete", True) is True,
        valid=system.get("valid", True) is not False,
    )


def _text(value: Any) -> str:
    """Text without control characters, which a terminal would obey."""
    if not isinstance(value, str):
        raise TypeError("no text")
    return "".join(character if character.isprintable() else "?" for character in value)[:200]


def _number(value: Any) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e18:
        raise TypeError("no number")
    return value


def _optional(value: Any) -> int | None:
    return None if value is None else int(_number(value))
