"""What is loaded, and what a float model computes."""

from __future__ import annotations

import hashlib
import io
import json
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from microwright import _output, _tensorflow
from microwright.data import Data, Input, shape_text
from microwright.errors import InputError, OutputError
from microwright.graph import Array
from microwright.load import shapes
from microwright.load.shapes import Shape, Shapes

_BATCH = 64


@dataclass(frozen=True, eq=False)
class Model:
    """A model as the user has it.

    `keras` is the Keras model (kind "keras") or the signature of a SavedModel (kind "saved_model");
    `flatbuffer` the bytes of a `.tflite` (kind "tflite"). `sha256` is of the file, or of all files of a
    SavedModel with their names. `given` are shapes of a SavedModel's inputs that it leaves open.
    """

    path: Path
    name: str
    sha256: str
    kind: Literal["keras", "saved_model", "tflite"]
    keras: Any | None
    flatbuffer: bytes | None
    given: Shapes | None = field(default=None, kw_only=True)


def from_keras(keras_model: Any, name: str) -> Model:
    """Model of a Keras model in memory. `sha256` is of its architecture and weights."""
    digest = hashlib.sha256(keras_model.to_json().encode())
    for weights in keras_model.get_weights():
        digest.update(np.ascontiguousarray(weights).tobytes())
    return Model(Path(name), name, digest.hexdigest(), "keras", keras_model, None)


def save(keras_model: Any, path: Path) -> None:
    """Write a Keras model as `.keras`, whole or not at all; the same model gives the same bytes.

    Raises OutputError.
    """
    if path.suffix != ".keras":
        raise OutputError(f"{path}: a Keras model is saved as .keras", f"name it {path.stem}.keras")
    try:
        with tempfile.TemporaryDirectory() as folder:
            saved = Path(folder, "model.keras")
            keras_model.save(saved)
            content = _without_dates(saved)
    except OSError as error:
        raise OutputError(
            f"{path}: {error.strerror or error}", "check the space for temporary files"
        ) from None
    _output.write(path, content)


def inputs(model: Model) -> tuple[Input, ...]:
    """Inputs of a float model, in the order of its data. Raises InputError where a size is not fixed."""
    entries = []
    for name, shape, _ in _entries(model):
        sizes = tuple(size for size in shape if size is not None)
        if len(sizes) != len(shape):
            shown = "x".join("?" if size is None else str(size) for size in shape)
            raise InputError(
                f"{model.name}: the input {name!r} has the shape {shown}: a size is not fixed", shapes.HINT
            )
        entries.append(Input(name, sizes))
    return tuple(entries)


def input_shapes(model: Model) -> tuple[Shape, ...]:
    """Shape of one sample of each input. Raises InputError as `inputs` does."""
    return tuple(each.shape for each in inputs(model))


def output_names(model: Model, count: int) -> tuple[str, ...]:
    """Names of the `count` outputs of `function`, each another: keys of a signature or of a dictionary, else
    layers, or numbers where these do not tell, as of a class of the user's or of a list in a dictionary.
    """
    network: Any = model.keras
    outputs = getattr(network, "output", None)
    names: list[str]
    if model.kind == "saved_model":
        names = sorted(network.structured_outputs)
    elif isinstance(outputs, dict):
        names = list(map(str, outputs))
    else:
        names = list(getattr(network, "output_names", None) or [])
        if not names and getattr(network, "layers", None):
            names = [network.layers[-1].name]
    if len(names) != count:
        return tuple(f"output_{i}" for i in range(count))
    # A layer that is called several times has several outputs.
    seen = [names[:i].count(name) for i, name in enumerate(names)]
    return tuple(f"{name}_{before}" if before else name for name, before in zip(names, seen, strict=True))


def function(model: Model) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """The float model in inference mode, from input tensors to output tensors, and the inputs' dtypes."""
    names = [name for name, _, _ in _entries(model)]
    dtypes = tuple(dtype for _, _, dtype in _entries(model))
    network: Any = model.keras
    if model.kind == "saved_model":

        def call(*tensors: Any) -> list[Any]:
            outputs = network(**dict(zip(names, tensors, strict=True)))
            return [outputs[name] for name in sorted(outputs)]

        return call, dtypes

    def run(*tensors: Any) -> list[Any]:
        return _flat(network(shapes.arranged(network, tensors), training=False))

    return run, dtypes


def inputs_of(model: Model, data: Data) -> tuple[Array, ...]:
    """The data as the float model takes it: (samples, *shape), the input's dtype. Raises InputError."""
    wanted = input_shapes(model)
    if len(data.inputs) != len(wanted):
        raise InputError(
            f"{model.name}: the model has {len(wanted)} inputs, the data {len(data.inputs)}",
            "give one array per model input: x, or x0, x1, ...",
        )
    for position, (shape, array) in enumerate(zip(wanted, data.inputs, strict=True)):
        if array.shape[1:] != shape:
            raise InputError(
                f"{model.name}: input {position}: expected samples of shape {shape_text(shape)},"
                f" got {shape_text(array.shape[1:])}",
                f"give an array of shape {shape_text(('samples', *shape))}",
            )
    dtypes = [np.dtype(getattr(dtype, "as_numpy_dtype", dtype)) for _, _, dtype in _entries(model)]
    with np.errstate(over="ignore"):
        taken = tuple(array.astype(dtype) for array, dtype in zip(data.inputs, dtypes, strict=True))
    for position, array in enumerate(taken):
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise InputError(
                f"{model.name}: input {position}: the samples have values too large for {array.dtype}",
                "scale the samples as they were scaled for training",
            )
    return taken


def predict(model: Model, data: Data) -> tuple[Array, ...]:
    """Outputs of the float model, float32 (samples, ...) each. Raises InputError."""
    call, _ = function(model)
    arrays = inputs_of(model, data)
    tf = _tensorflow.tensorflow()
    batches = []
    for start in range(0, data.samples, _BATCH):
        outputs = call(*(tf.constant(array[start : start + _BATCH]) for array in arrays))
        batches.append([np.asarray(output) for output in outputs])
    return tuple(np.concatenate(parts) for parts in zip(*batches, strict=True))


def _entries(model: Model) -> list[tuple[str, tuple[int | None, ...], Any]]:
    """Name, shape of one sample (None: not fixed) and dtype of each input."""
    if model.kind == "saved_model":
        signature: Any = model.keras
        specs = sorted(signature.structured_input_signature[1].items())
        given = shapes.given(str(model.path), model.given, [name for name, _ in specs])
        return [(name, _sample(model, name, spec, given.get(name)), spec.dtype) for name, spec in specs]
    _require_keras(model)
    network: Any = model.keras
    tensors = zip(shapes.input_names(network), network.inputs, strict=True)
    return [(name, tuple(tensor.shape)[1:], tensor.dtype) for name, tensor in tensors]


def _sample(model: Model, name: str, spec: Any, given: Shape | None) -> tuple[int | None, ...]:
    if spec.shape.rank is None:
        return given or (None,)
    shape = spec.shape.as_list()
    if shape[:1] not in ([None], [1]):
        raise InputError(
            f"{model.path}: the input {name!r} has the shape {shape_text(tuple(shape))}, a fixed batch",
            "export the model with a batch of None or 1",
        )
    return shapes.merged(str(model.path), name, shape[1:], given)


def _require_keras(model: Model) -> None:
    if model.kind != "keras" or model.keras is None:
        raise InputError(
            f"{model.path}: a .tflite file, a Keras model is needed", "give a .keras or .h5 file"
        )


def _flat(outputs: Any) -> list[Any]:
    if isinstance(outputs, dict):
        outputs = list(outputs.values())
    if not isinstance(outputs, (list, tuple)):
        return [outputs]
    return [each for part in outputs for each in _flat(part)]


def _without_dates(path: Path) -> bytes:
    """A `.keras` without the time of saving, which is in its metadata and its zip entries."""
    target = io.BytesIO()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as new:
        for name in sorted(old.namelist()):
            content = old.read(name)
            if name == "metadata.json":
                metadata = json.loads(content)
                metadata.pop("date_saved", None)
                content = json.dumps(metadata).encode()
            new.writestr(zipfile.ZipInfo(name), content)
    return target.getvalue()
