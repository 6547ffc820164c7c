"""Samples of a `.npz` or `.npy`."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import numpy as np

from microwright import data as datas
from microwright._user_code import reason
from microwright.data import MAX_BYTES, Data, Input
from microwright.errors import InputError
from microwright.graph import Array
from microwright.sources.base import Source

MAGIC_BYTES = 6
_NPY = b"\x93NUMPY"
_SAVE = "save it with numpy.savez(path, x=samples, y=labels)"
# What numpy.load and the zip reader raise for files that are damaged or made to hurt.
_UNREADABLE = (
    ValueError,
    OSError,
    EOFError,
    KeyError,
    MemoryError,
    RuntimeError,
    zipfile.BadZipFile,
    zlib.error,
)


def is_named(start: bytes) -> bool:
    """Whether the first bytes of a file are those of a `.npz` or `.npy`."""
    return start.startswith(b"PK") or start == _NPY


def read(source: Source, inputs: Sequence[Input] | None) -> Data:
    """x (or x0, x1, ... for several inputs; y optional) of a `.npz`, or a `.npy` (x only).

    The arrays of a `.npz` may have the names of the model's inputs instead.

    Raises InputError for a file that cannot be read, other names, pickled objects.
    """
    path = Path(source.where)
    try:
        arrays = _arrays(path)
    except _UNREADABLE as error:
        raise InputError(f"{path}: cannot be read: {reason(error)}", _SAVE) from None
    labels = arrays.pop("y", None)
    names = ["x"] if "x" in arrays else [f"x{i}" for i in range(len(arrays))]
    own = [each.name for each in inputs or ()]
    if own and set(own) == set(arrays):
        names = own
    if not arrays or set(names) != set(arrays):
        found = ", ".join(sorted(arrays)[:8]) or "no samples"
        wanted = "x (or x0, x1, ...)" + (f" or {', '.join(own)}" if own else "")
        raise InputError(f"{path}: expected arrays {wanted[:200]}, and y; found {found[:200]}", _SAVE)
    return datas.make(tuple(arrays[name] for name in names), labels, where=str(path))


def _arrays(path: Path) -> dict[str, Array]:
    with path.open("rb") as file:
        if file.read(MAGIC_BYTES) == _NPY:
            file.seek(0)
            return {"x": np.asarray(np.load(file, allow_pickle=False))}
        return _archive(path, file)


def _archive(path: Path, file: IO[bytes]) -> dict[str, Array]:
    with zipfile.ZipFile(file) as archive:
        size_bytes = sum(member.file_size for member in archive.infolist())
    if size_bytes > MAX_BYTES:
        raise InputError(
            f"{path}: {size_bytes} bytes of arrays, more than {MAX_BYTES}", "give fewer samples in a file"
        )
    file.seek(0)
    with np.load(file, allow_pickle=False) as archive:
        return {name: np.asarray(archive[name]) for name in archive.files}
