"""Another engine's numbers, to print beside ours.

A file has {"what": text, "models": {model: SHA-256}, NUMBER: {model: {core: count}}}; any key may be missing.
A model of a name in "models" has to be that very file for its numbers to be shown.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from microwright.errors import InputError

# The numbers that a file may have; those of the "reference" are of the engine's own portable C.
NUMBERS = ("instructions", "reference_instructions", "arena_bytes", "code_bytes")
_PEER = Path(__file__).with_name("peer.json")
_BESIDE = Path(__file__).resolve().parents[2] / "shared" / "anchors.json"


@dataclass(frozen=True)
class Anchors:
    """Counts by (number, model, core), the files that the models have to be, and what the counts are."""

    what: tuple[str, ...]
    models: Mapping[str, str]
    counts: Mapping[tuple[str, str, str], int]

    def of(self, name: str, sha256: str, core: str) -> dict[str, int]:
        """The numbers that there are of a model's file on a core (cortex-m4)."""
        if self.models.get(name, sha256) != sha256:
            return {}
        keys = {number: (number, name, core.removeprefix("cortex-")) for number in NUMBERS}
        return {number: self.counts[key] for number, key in keys.items() if key in self.counts}


def read(path: Path | None) -> Anchors:
    """Of a file, or of peer.json here and the one beside the checkout where it exists. Raises InputError."""
    if path is not None:
        return _merged([_read(path)])
    return _merged(_read(each) for each in (_PEER, _BESIDE) if each.is_file())


def _merged(parts: Iterable[Anchors]) -> Anchors:
    parts = tuple(parts)
    return Anchors(
        tuple(text for part in parts for text in part.what),
        {name: sha256 for part in parts for name, sha256 in part.models.items()},
        {key: count for part in parts for key, count in part.counts.items()},
    )


def _read(path: Path) -> Anchors:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}", "give another file") from None
    except ValueError:
        raise InputError(f"{path} is not JSON", "give another file with --anchors") from None
    if not isinstance(content, dict):
        raise InputError(f"{path} is not a JSON object", "give another file with --anchors")
    what, models = content.get("what"), content.get("models", {})
    if not isinstance(what, str | None):
        raise InputError(f"{path}: 'what' is not a text", "correct the file")
    if not isinstance(models, dict) or not all(isinstance(sha256, str) for sha256 in models.values()):
        raise InputError(f"{path}: 'models' is not {{model: SHA-256}}", "correct the file")
    counts = {
        (number, model, core): count
        for number in NUMBERS
        for model, by_core in _counts(path, number, content).items()
        for core, count in by_core.items()
    }
    return Anchors(() if what is None else (what,), models, counts)


def _counts(path: Path, number: str, content: Mapping[str, Any]) -> Mapping[str, Mapping[str, int]]:
    by_model = content.get(number, {})
    if not isinstance(by_model, dict) or not all(
        isinstance(by_core, dict) and all(type(n) is int and n > 0 for n in by_core.values())
        for by_core in by_model.values()
    ):
        raise InputError(f"{path}: {number!r} is not {{model: {{core: number}}}}", "correct the file")
    counts: Mapping[str, Mapping[str, int]] = by_model
    return counts
