"""What a device is asked: inputs as the benchmark's runner sends them, with their classes."""

from __future__ import annotations

import csv
import itertools
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from microwright import accuracy, samples, sources
from microwright.data import Data
from microwright.errors import InputError
from microwright.graph import Array, Graph, Tensor
from microwright.profile import Profile
from microwright.progress import Progress, silent
from microwright.sources import Source

TRUTH = "y_labels.csv"

_MAX_ROWS = 1_000_000
_MAX_TRUTH_BYTES = 1 << 26
_MAX_BYTES = 1 << 30
_MAX_WINDOWS = 100_000
_FORM = "a row is FILE,CLASSES,CLASS or FILE,CLASSES,CLASS,BYTES,STRIDE"


@dataclass(frozen=True)
class Stimulus:
    """A file, or a sample: its class, if that is known, and its inputs, one or several windows over it.

    The windows of `path` are read when they are asked for.
    """

    name: str
    label: int | None
    path: Path | None = None
    content: bytes = b""
    window_bytes: int = 0
    stride_bytes: int = 0

    def windows(self) -> Iterator[bytes]:
        """Inputs, in order, one at least. Raises InputError where the file cannot be read any more."""
        content = self.content
        if self.path is not None:
            try:
                content = self.path.read_bytes()
            except OSError as error:
                raise InputError(
                    f"{self.path} cannot be read: {error.strerror or error}", "check the data set"
                ) from None
        last = len(content) - self.window_bytes
        if last < 0:
            raise InputError(
                f"{self.path or self.name} has {len(content)} bytes, an input {self.window_bytes}",
                "check the data set: a file that is written while it is read is not whole",
            )
        return (content[at : at + self.window_bytes] for at in range(0, last + 1, max(self.stride_bytes, 1)))


def load(
    source: Source | str | Path | None, graph: Graph, profile: Profile, *, progress: Progress = silent
) -> tuple[Stimulus, ...]:
    """A data set of the benchmark, or samples of any other source; a random input where there is none.

    Raises InputError.
    """
    if source is None:
        return random(graph, profile)
    where = Path(source.where if isinstance(source, Source) else source)
    # os.path has no errors, such as those of pathlib for a name that is too long.
    if os.path.isfile(where / TRUTH):  # noqa: PTH113
        if isinstance(source, Source) and source.image_scale is not None:
            raise InputError(
                f"{where}: an image scale is for a folder of images, this is a data set of the benchmark",
                "leave it out: the files have what the runner sends",
            )
        return read(where, profile)
    return of_data(sources.load(source, samples.inputs(graph), progress=progress), graph, profile)


def read(folder: Path, profile: Profile) -> tuple[Stimulus, ...]:
    """A data set of the benchmark: a folder with `y_labels.csv` and the files that it names.

    A row names a file of one input; with BYTES and STRIDE, a file of windows. Raises InputError.
    """
    truth = folder / TRUTH
    try:
        if truth.stat().st_size > _MAX_TRUTH_BYTES:
            raise InputError(
                f"{truth} is larger than {_MAX_TRUTH_BYTES} bytes", "give a data set of the benchmark"
            )
        with truth.open(encoding="utf-8", newline="") as file:
            rows = list(itertools.islice(filter(None, csv.reader(file)), _MAX_ROWS + 1))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{truth} cannot be read: {error}", _FORM) from None
    if not rows or len(rows) > _MAX_ROWS:
        raise InputError(f"{truth} has {f'more than {_MAX_ROWS}' if rows else 'no'} rows", _FORM)
    return tuple(
        _of_row(folder, f"{truth}, row {number}", row, profile) for number, row in enumerate(rows, 1)
    )


def of_data(data: Data, graph: Graph, profile: Profile) -> tuple[Stimulus, ...]:
    """Samples of any source, turned back into what the runner would send. Raises InputError."""
    given = data.inputs[0]
    if profile.sent == "uint8" and given.dtype == np.uint8 and _tensor(graph).dtype == "int8":
        given = _flipped(given).view(np.int8)
    found = samples.of_data(graph, replace(data, inputs=(given, *data.inputs[1:])))
    if profile.sent == "float32" and given.dtype.kind == "f":
        inputs = [sample.astype("<f4").tobytes() for sample in given]
    else:
        inputs = [_sent(values, graph, profile) for (values, *_) in found.inputs]
    labels = [None] * len(inputs) if found.labels is None else [int(label) for label in found.labels]
    return tuple(_one(f"sample {i}", *pair) for i, pair in enumerate(zip(labels, inputs, strict=True)))


def random(graph: Graph, profile: Profile) -> tuple[Stimulus, ...]:
    """One random input without a class."""
    ((values,),) = samples.random(graph, 1).inputs
    return (_one("random", None, _sent(values, graph, profile)),)


def _one(name: str, label: int | None, content: bytes) -> Stimulus:
    return Stimulus(name, label, content=content, window_bytes=len(content), stride_bytes=len(content))


def _sent(values: Array, graph: Graph, profile: Profile) -> bytes:
    """What the runner would send for values of the model's input."""
    if profile.sent == "uint8" and values.dtype == np.int8:
        return _flipped(values.view(np.uint8)).tobytes()
    if profile.sent == "float32":
        return accuracy.real(values, _tensor(graph)).astype("<f4").tobytes()
    return values.astype(values.dtype.newbyteorder("<")).tobytes()


def _flipped(values: Array) -> Array:
    """uint8 of int8's bytes and the other way round."""
    flipped: Array = values ^ np.uint8(0x80)
    return flipped


def _tensor(graph: Graph) -> Tensor:
    return graph.tensors[graph.inputs[0]]


def _of_row(folder: Path, where: str, row: Sequence[str], profile: Profile) -> Stimulus:
    numbers = [int(text) for text in row[1:] if text.strip().isdecimal() and len(text) < 10]
    if len(row) not in (3, 5) or len(numbers) != len(row) - 1 or numbers[1] >= max(numbers[0], 1):
        raise InputError(f"{where}: not understood: {','.join(row)[:80]!r}", _FORM)
    name = row[0]
    if "\0" in name or Path(name).name != name:
        raise InputError(f"{where}: {name[:80]!r} is no name of a file in {folder}", _FORM)
    path = folder / name
    try:
        size = path.stat().st_size if path.is_file() else -1
    except OSError:
        size = -1
    if size < 0:
        raise InputError(f"{where}: {path} is no file", "put the data set's files beside its y_labels.csv")
    window, stride = (numbers[2], numbers[3]) if len(row) == 5 else (size, size)
    needed = profile.input_bytes
    if window != needed or stride < 1 or not needed <= size <= _MAX_BYTES:
        raise InputError(
            f"{where}: {name[:80]!r} has {size} bytes in inputs of {window}, {profile.model} takes {needed}",
            "give the data set of this model",
        )
    if (size - window) // stride >= _MAX_WINDOWS:
        raise InputError(
            f"{where}: {name[:80]!r} has more than {_MAX_WINDOWS} windows, one every {stride} bytes",
            "give a larger stride, or several files",
        )
    return Stimulus(name, numbers[1], path, b"", window, stride)
