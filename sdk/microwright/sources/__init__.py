"""Samples and labels from wherever the user has them: a source -> Data.

A source is a `.npz` or `.npy`, a `.csv`, a folder of images, or `module:function`, a Python generator of the
user's. What it is decides how it is read.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from microwright.data import Data, Input
from microwright.errors import InputError
from microwright.progress import Progress, silent
from microwright.sources import arrays, generator, images, table
from microwright.sources.base import FORMS, Source

__all__ = ["Source", "load", "may_be_images", "may_be_table"]


def load(
    source: Source | Path | str, inputs: Sequence[Input] | None = None, *, progress: Progress = silent
) -> Data:
    """Samples and labels of a source, as many as it has.

    `inputs` are the model's, which says how large images are and how columns become a sample; without them,
    the columns of a table are samples of one axis. Raises InputError for anything that is no such source or
    is damaged, ToolMissing where Pillow is needed and not installed.
    """
    if not isinstance(source, Source):
        source = Source(str(source))
    path = Path(source.where)
    _check_options(source)
    try:
        if path.is_dir():
            return images.read(source, inputs, progress)
        if generator.is_named(source.where) and not path.exists():
            return generator.read(source, inputs)
        if not path.exists():
            raise InputError(f"{path}: no such file", f"check the path of the data: {FORMS}")
        if not path.is_file():
            raise InputError(f"{path}: cannot be read: not a regular file", FORMS)
        with path.open("rb") as file:
            start = file.read(arrays.MAGIC_BYTES)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}", FORMS) from None
    if arrays.is_named(start):
        return arrays.read(source, inputs)
    if path.suffix.lower() in table.SUFFIXES:
        return table.read(source, inputs)
    raise InputError(f"{path}: neither a .npz nor a .npy nor a .csv file", FORMS)


def _check_options(source: Source) -> None:
    if source.image_scale is not None and not may_be_images(source.where):
        raise InputError(f"{source.where}: an image scale is for a folder of images", "leave it out")
    if source.label is not None and not may_be_table(source.where):
        raise InputError(
            f"{source.where}: a label column is for a table",
            "leave it out; a .npz has its labels in y, a function yields them",
        )


def may_be_images(where: str) -> bool:
    """Whether a source is a folder of images, or missing, which `load` tells."""
    # os.path has no errors, such as those of pathlib for a name that is too long.
    return os.path.isdir(where) or _is_missing(where)  # noqa: PTH112


def may_be_table(where: str) -> bool:
    """Whether a source is a table, or missing, which `load` tells."""
    return where.lower().endswith(table.SUFFIXES) or _is_missing(where)


def _is_missing(where: str) -> bool:
    return not os.path.exists(where) and not generator.is_named(where)  # noqa: PTH110
