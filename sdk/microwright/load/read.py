"""Recognise a model by what is in its file: path -> Model."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from microwright.errors import InputError
from microwright.load import archive, keras_file, saved_model, shapes
from microwright.load.model import Model
from microwright.load.shapes import Shapes

_HDF5 = b"\x89HDF\r\n\x1a\n"


def load(
    path: Path,
    *,
    custom_objects: Mapping[str, Any] | None = None,
    signature: str | None = None,
    input_shapes: Shapes | None = None,
) -> Model:
    """Load a `.keras` or `.h5` (Keras 2 or 3), a SavedModel folder, or a `.tflite`.

    `custom_objects` are the user's own layers and functions by their names. `signature` names the one of a
    SavedModel's. `input_shapes` fixes sizes that a model leaves open: the shape of a sample, or shapes by
    the inputs' names.

    Code that a file carries (Lambda layers, classes that were not given) is never run: InputError, as for
    anything that is no model or is damaged. Layers that tensorflow-model-optimization wrapped to prune them
    come without the wrappers, and what it pruned is exactly zero; ranges that it trained for int8 stay, and
    quantisation takes them. What Keras 3 cannot read, Keras 2 does, and the log (`microwright`) says so.
    Only a `.tflite` loads without TensorFlow; the others raise ToolMissing there.
    """
    try:
        if path.is_dir():
            chosen, sha256 = saved_model.load(path, signature)
            name = path.resolve().name
            return Model(path, name, sha256, "saved_model", chosen, None, given=input_shapes)
        size_bytes = path.stat().st_size
        if size_bytes > archive.MAX_BYTES:
            raise InputError(
                f"{path}: {size_bytes} bytes, more than {archive.MAX_BYTES}", "give a smaller model"
            )
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}", "check the path of the model") from None
    if signature is not None:
        raise InputError(f"{path}: a file has no signatures", "--signature is for SavedModel folders")
    sha256 = hashlib.sha256(content).hexdigest()
    if content[4:8] == b"TFL3":
        if input_shapes is not None:
            raise InputError(f"{path}: the shapes in a .tflite are fixed", "leave --input-shape out")
        return Model(path, path.stem, sha256, "tflite", None, content)
    if content.startswith(b"PK\x03\x04"):
        loaded = keras_file.from_archive(path, custom_objects or {})
    elif content.startswith(_HDF5):
        loaded = keras_file.from_hdf5(path, custom_objects or {})
    else:
        raise InputError(
            f"{path}: not a model" + (": the file is empty" if not content else ""), archive.FORMATS
        )
    return Model(path, path.stem, sha256, "keras", shapes.fixed(str(path), loaded, input_shapes), None)


def takes_custom_objects(path: Path) -> bool:
    """Whether a model file may need the user's own layers: neither a `.tflite` nor a SavedModel does."""
    try:
        with path.open("rb") as file:
            return file.read(8)[4:] != b"TFL3"
    except OSError:  # a folder, or what `load` has a message for
        return False


def keras_model(model: Model) -> Any:
    """The Keras model of a `.keras` or `.h5` file. Raises InputError for any other model."""
    if model.kind != "keras" or model.keras is None:
        raise InputError(f"{model.path} is no Keras model", "give a .keras or .h5 file")
    return model.keras
