"""A SavedModel folder: from Keras 2, from Keras 3 (`model.export`), or of any tf.Module."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from microwright import _tensorflow
from microwright.errors import InputError
from microwright.load.archive import FORMATS, damaged

DEFAULT = "serving_default"
# Operators that touch files or run Python when TensorFlow loads or runs a SavedModel.
_UNSAFE_OPS = frozenset(
    (
        *("EagerPyFunc", "PyFunc", "PyFuncStateless", "MatchingFiles", "ReadFile", "WriteFile", "PrintV2"),
        *("CreateSummaryFileWriter", "FixedLengthRecordReaderV2", "TFRecordReaderV2", "TextLineReaderV2"),
        *("FixedLengthRecordDatasetV2", "TFRecordDataset", "TextLineDataset", "WholeFileReaderV2"),
    )
)


def load(path: Path, signature: str | None) -> tuple[Any, str]:
    """One of a SavedModel's signatures, as a function, and the hash of its files with their names.

    Without a name: `serving_default`, or the only one that there is. Raises InputError.
    """
    if not (path / "saved_model.pb").is_file():
        raise InputError(f"{path}: a folder, but not a SavedModel (no saved_model.pb)", FORMATS)
    tf = _tensorflow.tensorflow()
    digest = hashlib.sha256()
    for file in sorted(p for p in path.rglob("*") if p.is_file()):
        digest.update(f"{file.relative_to(path).as_posix()}\0".encode())
        digest.update(file.read_bytes())
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
    return chosen, digest.hexdigest()


def _check_operators(path: Path) -> None:
    from tensorflow.core.protobuf import saved_model_pb2

    try:
        parsed = saved_model_pb2.SavedModel.FromString((path / "saved_model.pb").read_bytes())
    except Exception as error:
        raise damaged(path, error) from None
    for meta in parsed.meta_graphs:
        graph = meta.graph_def
        nodes = [*graph.node, *(node for f in graph.library.function for node in f.node_def)]
        unsafe = sorted({node.op for node in nodes} & _UNSAFE_OPS)
        if unsafe:
            raise InputError(
                f"{path}: the operator {unsafe[0]} of the SavedModel could run code or touch files",
                "export the model without Python functions and file access",
            )


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
