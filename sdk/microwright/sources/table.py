"""Samples of a table of numbers: a `.csv`, its columns the features."""

from __future__ import annotations

import array
import csv
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TextIO

import numpy as np

from microwright import data as datas
from microwright._toml import did_you_mean
from microwright._user_code import reason
from microwright.data import MAX_BYTES, Data, Input, shape_text
from microwright.errors import InputError
from microwright.graph import Array
from microwright.sources.base import MAX_SAMPLES, Source, only_input

SUFFIXES = (".csv", ".tsv", ".txt")
_DELIMITERS = ",;\t"
# A line that is longer is no row of a table.
_MAX_LINE_CHARACTERS = 1 << 24
_SAVE = "save a row a sample, its numbers separated by commas"


def read(source: Source, inputs: Sequence[Input] | None) -> Data:
    """Samples of a table, a row each, float32 in the model's shape, row by row of its last axes.

    Commas, semicolons or tabs separate the columns. A first row that has more than numbers names them.
    `source.label` is the column of the labels: its name, or its number from 0 where columns have no names.
    Labels that are no numbers become classes in alphabetical order.

    Raises InputError for rows of different lengths, features that are no numbers, an unknown column.
    """
    path = Path(source.where)
    if path.stat().st_size > MAX_BYTES:
        raise InputError(f"{path}: more than {MAX_BYTES} bytes", "give fewer samples")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            features, labels = _columns(source, file)
    except (UnicodeDecodeError, csv.Error, OSError) as error:
        raise InputError(f"{path}: cannot be read: {reason(error)}", _SAVE) from None
    if inputs is not None:
        wanted = only_input(source, inputs, "a table").shape
        if features.shape[1] != np.prod(wanted):
            raise InputError(
                f"{path}: {features.shape[1]} columns of features, the model takes {shape_text(wanted)}",
                "give a column for each value of the model's input, and name that of the labels with --label",
            )
        features = features.reshape(len(features), *wanted)
    classes: tuple[str, ...] = ()
    targets = None if labels is None else _numbers(labels)
    if labels is not None and targets is None:
        classes = tuple(sorted(set(labels)))
        index = {name: i for i, name in enumerate(classes)}
        targets = np.array([index[name] for name in labels])
    return datas.make((features,), targets, classes=classes, where=str(path))


def _columns(source: Source, file: TextIO) -> tuple[Array, list[str] | None]:
    """Features, float32 (rows, columns), and the labels as they are written."""
    lines = _lines(source, file)
    first = next(lines, "")
    delimiter = max(_DELIMITERS, key=first.count)
    rows = csv.reader(itertools.chain((first,), lines), delimiter=delimiter)
    head = next((row for row in rows if row), [])
    names = [cell.strip() for cell in head] if _numbers(head) is None else None
    columns = len(head)
    label = _label(source, names, columns)
    features = array.array("f")
    labels: list[str] = []
    known: dict[str, str] = {}
    count = 0
    for row in rows if names else itertools.chain((head,), rows):
        if not row:
            continue
        if len(row) != columns:
            raise _wrong(source, rows.line_num, f"{len(row)} columns, expected {columns}", _SAVE)
        if label is not None:
            said = row.pop(label).strip()
            labels.append(known.setdefault(said, said))
        try:
            features.extend(map(float, row))
        except ValueError:
            raise _no_number(source, rows.line_num, row, names, label) from None
        count += 1
        if count > MAX_SAMPLES:
            raise InputError(f"{source.where}: more than {MAX_SAMPLES} samples", "give fewer samples")
    if not count:
        raise InputError(f"{source.where}: no samples", _SAVE)
    samples = np.frombuffer(features, np.float32) if features else np.empty(0, np.float32)
    return samples.reshape(count, -1), labels if label is not None else None


def _lines(source: Source, file: TextIO) -> Iterator[str]:
    """The lines of a file, none so long that it fills the memory."""
    while line := file.readline(_MAX_LINE_CHARACTERS):
        if len(line) == _MAX_LINE_CHARACTERS:
            raise InputError(f"{source.where}: a line of {len(line)} characters or more", _SAVE)
        yield line


def _label(source: Source, names: list[str] | None, columns: int) -> int | None:
    """Position of the column of the labels."""
    wanted = source.label
    if wanted is None:
        return None
    if names is None:
        if wanted.isdecimal() and int(wanted) < columns:
            return int(wanted)
        raise InputError(
            f"{source.where}: no column {wanted[:80]!r}: the first row names no columns",
            f"give --label a number from 0 to {columns - 1}, or name the columns in the first row",
        )
    if names.count(wanted) != 1:
        count = names.count(wanted)
        raise InputError(
            f"{source.where}: {count or 'no'} columns {wanted[:80]!r}" + did_you_mean(wanted, names),
            "the columns are: " + ", ".join(names)[:200],
        )
    return names.index(wanted)


def _numbers(cells: list[str]) -> Array | None:
    """Cells as numbers, None where one is none."""
    try:
        return np.array([float(cell) for cell in cells])
    except ValueError:
        return None


def _no_number(
    source: Source, line: int, row: list[str], names: list[str] | None, label: int | None
) -> InputError:
    position = next(i for i, cell in enumerate(row) if _numbers([cell]) is None)
    place = position + (label is not None and position >= label)
    column = repr(names[place][:80]) if names else place
    return _wrong(
        source,
        line,
        f"column {column} has {row[position][:80]!r}, no number",
        "every column but that of the labels (--label COLUMN) has to hold numbers",
    )


def _wrong(source: Source, line: int, what: str, hint: str) -> InputError:
    return InputError(f"{source.where}: line {line}: {what}", hint)
