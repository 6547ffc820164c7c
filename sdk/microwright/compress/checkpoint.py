"""What is done of a compression, kept in files so that it can go on after an interruption."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from microwright import _output, load
from microwright.compress.cost import Cost
from microwright.errors import InputError


@dataclass(frozen=True)
class Step:
    """A model on the way: how it does on the validation data (None without), and what it costs.

    `parameters` are those of the Keras model, `cost` is by the compiler's cost model for the board.
    """

    what: str
    parameters: int
    cost: Cost
    loss: float | None
    accuracy: float | None


class Checkpoint:
    """What is done, in two files; the second, written last, has the hash of the first."""

    def __init__(self, path: Path | None, arguments: Mapping[str, str]) -> None:
        self._path = path
        self._arguments = arguments

    def _file(self, suffix: str) -> Path:
        assert self._path is not None
        return self._path.with_name(self._path.name + suffix)

    def save(self, model: Any, done: Sequence[Step]) -> None:
        """Keep a model after a step."""
        if self._path is None:
            return
        file = self._file(f".{len(done) % 2}.keras")
        load.save(model, file)
        content = {
            "arguments": self._arguments,
            "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
            "steps": [asdict(step) for step in done],
        }
        _output.write(self._file(".json"), json.dumps(content, indent=2).encode() + b"\n")

    def restore(self, model: Any, done: list[Step]) -> tuple[Any, list[Step]]:
        """The model and the steps that were kept. Raises InputError where they are not of this job."""
        if self._path is None:
            raise InputError("there is no checkpoint to resume from", "give the checkpoint's name")
        path = self._file(".json")
        if not path.is_file():
            return model, done
        again = f"remove {path} and start without resuming"
        try:
            content = json.loads(path.read_bytes())
            file = self._file(f".{len(content['steps']) % 2}.keras")
            steps = [Step(**{**step, "cost": Cost(**step["cost"])}) for step in content["steps"]]
            same = {key: content["arguments"].get(key) for key in self._arguments} == dict(self._arguments)
            whole = hashlib.sha256(file.read_bytes()).hexdigest() == content["sha256"]
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            raise InputError(f"{path}: damaged, nothing can be resumed from it", again) from None
        if not same:
            different = [k for k, v in self._arguments.items() if content["arguments"].get(k) != v]
            raise InputError(
                f"{path}: begun with other arguments: {', '.join(different)}",
                f"give the same ones, or {again}",
            )
        if not whole:
            raise InputError(f"{file}: not the model that {path.name} tells of", again)
        layers = {type(layer) for layer in model.layers}
        custom = {kind.__name__: kind for kind in layers if not kind.__module__.startswith("keras.")}
        return load.load(file, custom_objects=custom).keras, steps

    def remove(self) -> None:
        """Remove what was kept."""
        if self._path is not None:
            for suffix in (".json", ".0.keras", ".1.keras"):
                self._file(suffix).unlink(missing_ok=True)
