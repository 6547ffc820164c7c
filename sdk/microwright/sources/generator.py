"""Samples that a Python function of the user's yields: `module:function`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from microwright import _user_code
from microwright import data as datas
from microwright._user_code import reason
from microwright.data import MAX_BYTES, Data, Input, shape_text
from microwright.errors import InputError
from microwright.graph import Array
from microwright.sources.base import MAX_SAMPLES, Source

_NAMED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")
_YIELD = "yield a sample x, or (x, label); x is an array, or a list of one array for each input"


def is_named(where: str) -> bool:
    """Whether a source has the form `module:function`."""
    return _NAMED.fullmatch(where) is not None


def read(source: Source, inputs: Sequence[Input] | None) -> Data:
    """All samples that a function yields; its module is found from the working folder.

    A sample is `x`, or `(x, label)`. `x` is an array, or a list of one array for each input of the model, as
    in a representative dataset of TensorFlow Lite; a batch axis of 1 in front of the model's shape goes.

    Raises InputError where there is no such function, where it fails, or where it yields something else.
    """
    where = source.where
    samples: list[list[Array]] = []
    labels: list[Any] = []
    size_bytes = 0
    for number, made in enumerate(_yielded(where)):
        labelled = isinstance(made, tuple)
        if labelled and len(made) != 2:
            raise InputError(f"{where}: sample {number} is a tuple of {len(made)}", _YIELD)
        if number and labelled != bool(labels):
            raise InputError(f"{where}: sample {number}: some samples have a label and some do not", _YIELD)
        x = made[0] if labelled else made
        sample = [_array(where, number, a) for a in (x if isinstance(x, list) else [x])]
        sample = [_shaped(a, i, inputs) for i, a in enumerate(sample)]
        if samples and [a.shape for a in sample] != [a.shape for a in samples[0]]:
            shapes = (", ".join(shape_text(a.shape) for a in each) for each in (sample, samples[0]))
            raise InputError(f"{where}: sample {number} is {next(shapes)}, the first {next(shapes)}", _YIELD)
        samples.append(sample)
        labels += [made[1]] if labelled else []
        size_bytes += sum(a.nbytes for a in sample)
        if size_bytes > MAX_BYTES or len(samples) > MAX_SAMPLES:
            raise InputError(
                f"{where} yields more than {MAX_BYTES} bytes or {MAX_SAMPLES} samples",
                "let it end after some hundred samples",
            )
    if not samples:
        raise InputError(f"{where} yields no samples", _YIELD)
    stacked = tuple(np.stack(each) for each in zip(*samples, strict=True))
    targets = np.array([_array(where, i, label) for i, label in enumerate(labels)]) if labels else None
    return datas.make(stacked, targets, where=where)


def _yielded(where: str) -> Iterator[Any]:
    function = _user_code.find(where)
    if not callable(function):
        module_name, _, name = where.partition(":")
        raise InputError(f"{where}: {module_name} has no function {name!r}", _YIELD)
    # The user's own code: what it raises is told as the user's error, whatever it is.
    with _user_code.working_folder():
        try:
            made = function()
            if not isinstance(made, Iterable):
                raise InputError(f"{where} gives {type(made).__name__}, not samples", _YIELD)
            yield from made
        except InputError:
            raise
        except (Exception, SystemExit) as error:
            raise InputError(
                f"{where} failed: {type(error).__name__}: {reason(error)}", "--debug shows where"
            ) from error


def _array(where: str, number: int, given: Any) -> Array:
    try:
        array = np.asarray(given)
    except Exception as error:
        raise InputError(f"{where}: sample {number} is no array: {reason(error)}", _YIELD) from error
    if array.dtype.kind not in "biuf":
        raise InputError(f"{where}: sample {number} is {type(given).__name__}, not numbers", _YIELD)
    return array


def _shaped(array: Array, position: int, inputs: Sequence[Input] | None) -> Array:
    """A sample without the batch axis, where the model's shape has none."""
    wanted = inputs[position].shape if inputs is not None and position < len(inputs) else None
    return array.reshape(wanted) if wanted is not None and array.shape == (1, *wanted) else array
