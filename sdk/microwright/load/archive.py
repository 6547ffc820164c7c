"""What is inside a model file, before anything acts on it: the zip of a `.keras`, the HDF5 of its weights."""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from pathlib import Path
from typing import Any

from microwright import _tensorflow
from microwright._user_code import reason
from microwright.errors import InputError

MAX_BYTES = 2 << 30  # of a model file, unpacked
FORMATS = "give a .keras, .h5 or .tflite file, or a SavedModel folder"

_MAX_CONFIG_BYTES = 64 << 20
_WEIGHTS = "model.weights.h5"
_MEMBERS = frozenset(("config.json", "metadata.json", _WEIGHTS))


def read(path: Path) -> tuple[Any, str]:
    """Configuration of a `.keras`, and the version of Keras that wrote it, "" where it does not say.

    Raises InputError for another zip file, and for one with members that Keras does not write.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = {member.filename: member.file_size for member in archive.infolist()}
            if "config.json" not in members:
                raise InputError(f"{path}: a zip file, but not a Keras model (no config.json)", FORMATS)
            odd = sorted(name for name in members if name not in _MEMBERS and not _folder(name))
            if odd:
                raise InputError(
                    f"{path}: {odd[0][:80]!r} in it is no part of a Keras model",
                    "save the model again, with model.save; nothing else is taken from the file",
                )
            size_bytes = sum(members.values())
            if size_bytes > MAX_BYTES or members["config.json"] > _MAX_CONFIG_BYTES:
                raise InputError(
                    f"{path}: {size_bytes} bytes unpacked, more than {MAX_BYTES}"
                    if size_bytes > MAX_BYTES
                    else f"{path}: {members['config.json']} bytes of configuration",
                    "give a smaller model",
                )
            config = json.loads(archive.read("config.json"))
            metadata = json.loads(archive.read("metadata.json")) if "metadata.json" in members else {}
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError, OSError) as error:
        raise damaged(path, error) from None
    return config, str(metadata.get("keras_version", "")) if isinstance(metadata, dict) else ""


def write(source: Path, path: Path, config: Any) -> None:
    """Copy a `.keras`, with another configuration."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(path, "w") as new:
        for name in sorted(old.namelist()):
            new.writestr(name, json.dumps(config) if name == "config.json" else old.read(name))


def check_weights(path: Path) -> None:
    """Check the weights of a `.keras` as `check_hdf5` does."""
    h5py = _tensorflow.h5py()
    try:
        with zipfile.ZipFile(path) as archive:
            if _WEIGHTS not in archive.namelist():
                raise InputError(f"{path}: a Keras model without its weights", "save the whole model again")
            with h5py.File(io.BytesIO(archive.read(_WEIGHTS)), "r") as file:
                check_hdf5(path, file)
    except InputError:
        raise
    # h5py raises what the damage happens to hit.
    except Exception as error:
        raise damaged(path, error) from None


def check_hdf5(path: Path, file: Any) -> None:
    """Refuse links, data in other files, and more data than a model has. Raises InputError."""
    h5py = _tensorflow.h5py()
    size_bytes = 0
    seen = set()
    pending = [file]
    while pending:
        group = pending.pop()
        for name in group:
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise InputError(f"{path}: {name[:80]!r} is a link, which no model has", "save it again")
            item = group[name]
            if isinstance(item, h5py.Group):
                address = h5py.h5o.get_info(item.id).addr
                if address not in seen:
                    seen.add(address)
                    pending.append(item)
                continue
            if item.is_virtual or item.external:
                raise InputError(f"{path}: {name[:80]!r} is in another file", "save the whole model again")
            size_bytes += item.nbytes
    if size_bytes > MAX_BYTES:
        raise InputError(
            f"{path}: {size_bytes} bytes of weights, more than {MAX_BYTES}", "give a smaller model"
        )


def damaged(path: Path, error: Exception) -> InputError:
    """The error for what cannot be read."""
    return InputError(
        f"{path}: the file is damaged or cut short: {reason(error)}", "copy or save the model again"
    )


def _folder(name: str) -> bool:
    return name == "assets/"
