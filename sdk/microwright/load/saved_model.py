"""A SavedModel folder: from Keras 2, from Keras 3 (`model.export`), or of any tf.Module."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from microwright import _tensorflow
from microwright.errors import InputError
from microwright.load import operators
from microwright.load.archive import FORMATS, MAX_BYTES, damaged

DEFAULT = "serving_default"


def load(path: Path, signature: str | None) -> tuple[Any, str]:
    """One of a SavedModel's signatures, as a function, and the hash of its files with their names.

    Without a name: `serving_default`, or the only one that there is. Raises InputError.
    """
    if not (path / "saved_model.pb").is_file():
        raise InputError(f"{path}: a folder, but not a SavedModel (no saved_model.pb)", FORMATS)
    tf = _tensorflow.tensorflow()
    sha256 = _hash(path)
    _check_operators(path)
    try:
        with _tensorflow.Quiet():
            loaded = tf.saved_model.load(str(path))
    # TensorFlow raises what the damage happens to hit.
    except Exception as error:
        raise damaged(path, error) from None
    chosen = loaded.signatures[_choose(path, sorted(loaded.signatures), signature)]
    # The function does not keep the variables that it reads alive.
    chosen.microwright_owner = loaded
    return chosen, sha256


def _hash(path: Path) -> str:
    """Of all files with their names. Raises InputError for more than a model may have."""
    files = sorted(file for file in path.rglob("*") if file.is_file())
    size_bytes = sum(file.stat().st_size for file in files)
    if size_bytes > MAX_BYTES:
        raise InputError(f"{path}: {size_bytes} bytes, more than {MAX_BYTES}", "give a smaller model")
    digest = hashlib.sha256()
    for file in files:
        digest.update(f"{file.relative_to(path).as_posix()}\0".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _check_operators(path: Path) -> None:
    from tensorflow.core.protobuf import saved_model_pb2

    try:
        parsed = saved_model_pb2.SavedModel.FromString((path / "saved_model.pb").read_bytes())
    except Exception as error:
        raise damaged(path, error) from None
    for meta in parsed.meta_graphs:
        operators.check(path, meta)


def _choose(path: Path, names: list[str], wanted: str | None) -> str:
    shown = ", ".join(names)[:300]
    if not names:
        raise InputError(
            f"{path}: the SavedModel has no signature",
            "save it with model.export, or tf.saved_model.save(module, path, signatures=function)",
        )
    if wanted is not None and wanted not in names:
        raise InputError(f"{path}: the SavedModel has no signature {wanted!r}", f"choose one of: {shown}")
    if wanted is None and DEFAULT not in names and len(names) > 1:
        raise InputError(
            f"{path}: the SavedModel has several signatures: {shown}", "choose one with --signature NAME"
        )
    return wanted or (DEFAULT if DEFAULT in names else names[0])
