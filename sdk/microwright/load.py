"""Recognise Keras files and `.tflite` by what is in them: path -> Model."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from microwright import _output, _tensorflow, _wrappers
from microwright.data import Data, Input
from microwright.errors import InputError, OutputError
from microwright.graph import Array

MAX_BYTES = 2 << 30  # of a model file, unpacked

_FORMATS = "give a .keras, .h5 or .tflite file, or a SavedModel folder"
_HDF5 = b"\x89HDF\r\n\x1a\n"
# Operators that touch files or run Python when TensorFlow loads or runs a SavedModel.
_UNSAFE_OPS = frozenset(
    {"EagerPyFunc", "MatchingFiles", "PyFunc", "PyFuncStateless", "ReadFile", "WriteFile"}
)
_BATCH = 64


@dataclass(frozen=True, eq=False)
class Model:
    """A model as the user has it.

    `keras` is the Keras model (kind "keras") or the loaded SavedModel (kind "saved_model"); `flatbuffer` the
    bytes of a `.tflite` (kind "tflite"). `sha256` is of the file, or of all files of a SavedModel with their
    names.
    """

    path: Path
    name: str
    sha256: str
    kind: Literal["keras", "saved_model", "tflite"]
    keras: Any | None
    flatbuffer: bytes | None


def load(path: Path) -> Model:
    """Load a `.keras` (Keras 3), `.h5` (Keras 2 or 3), SavedModel folder or `.tflite`.

    Code that a file carries (Lambda layers, custom classes) is never run: InputError, as for anything that
    is no model or is damaged. Layers of an `.h5` that tensorflow-model-optimization wrapped to prune them
    come without the wrappers, and what it pruned is exactly zero. Only a `.tflite` loads without TensorFlow;
    the others raise ToolMissing there.
    """
    try:
        if path.is_dir():
            return _load_saved_model(path)
        size_bytes = path.stat().st_size
        if size_bytes > MAX_BYTES:
            raise InputError(f"{path}: {size_bytes} bytes, more than {MAX_BYTES}", "give a smaller model")
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}", "check the path of the model") from None
    sha256 = hashlib.sha256(content).hexdigest()
    if content[4:8] == b"TFL3":
        return Model(path, path.stem, sha256, "tflite", None, content)
    if content.startswith(b"PK\x03\x04"):
        return Model(path, path.stem, sha256, "keras", _load_keras(path), None)
    if content.startswith(_HDF5):
        return Model(path, path.stem, sha256, "keras", _load_h5(path), None)
    raise InputError(f"{path}: not a model" + (": the file is empty" if not content else ""), _FORMATS)


def keras_model(path: Path) -> Any:
    """The Keras model of a `.keras` or `.h5` file. Raises InputError for any other model."""
    model = load(path)
    if model.kind != "keras" or model.keras is None:
        raise InputError(f"{path} is no Keras model", "give a .keras or .h5 file")
    return model.keras


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
    """Inputs of a float model. Raises InputError where a size other than the batch is not fixed."""
    if model.kind == "saved_model":
        known = [(name, tuple(spec.shape)) for name, spec in _signature(model)[1]]
    else:
        _require_keras(model)
        known = [(tensor.name, tuple(tensor.shape)) for tensor in model.keras.inputs]  # type: ignore[union-attr]
    for position, (_, shape) in enumerate(known):
        if not shape or any(size is None for size in shape[1:]):
            raise InputError(
                f"{model.name}: input {position} has the shape {shape}: a size is not fixed",
                "fix the size of every axis but the batch (keras.Input(shape=...)) and save the model again",
            )
    return tuple(Input(name, shape[1:]) for name, shape in known)


def input_shapes(model: Model) -> tuple[tuple[int, ...], ...]:
    """Shape of one sample of each input. Raises InputError as `inputs` does."""
    return tuple(each.shape for each in inputs(model))


def function(model: Model) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """The float model in inference mode, from input tensors to output tensors, and the inputs' dtypes."""
    if model.kind == "saved_model":
        signature, specs = _signature(model)
        names = [name for name, _ in specs]

        def call(*inputs: Any) -> list[Any]:
            outputs = signature(**dict(zip(names, inputs, strict=True)))
            return [outputs[name] for name in sorted(outputs)]

        return call, tuple(spec.dtype for _, spec in specs)
    _require_keras(model)
    network: Any = model.keras

    def run(*inputs: Any) -> list[Any]:
        outputs = network(inputs[0] if len(inputs) == 1 else list(inputs), training=False)
        return _flat(outputs)

    return run, tuple(tensor.dtype for tensor in network.inputs)


def inputs_of(model: Model, data: Data) -> tuple[Array, ...]:
    """The data as the float model takes it: (samples, *shape), the input's dtype. Raises InputError."""
    shapes = input_shapes(model)
    if len(data.inputs) != len(shapes):
        raise InputError(
            f"{model.name}: the model has {len(shapes)} inputs, the data {len(data.inputs)}",
            "give one array per model input: x, or x0, x1, ...",
        )
    for position, (shape, array) in enumerate(zip(shapes, data.inputs, strict=True)):
        if array.shape[1:] != shape:
            expected, got = _shape(shape), _shape(array.shape[1:])
            raise InputError(
                f"{model.name}: input {position}: expected samples of shape {expected}, got {got}",
                f"give an array of shape {_shape(('samples', *shape))}",
            )
    dtypes = [np.dtype(getattr(dtype, "as_numpy_dtype", dtype)) for dtype in function(model)[1]]
    with np.errstate(over="ignore"):
        inputs = tuple(array.astype(dtype) for array, dtype in zip(data.inputs, dtypes, strict=True))
    for position, array in enumerate(inputs):
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise InputError(
                f"{model.name}: input {position}: the samples have values too large for {array.dtype}",
                "scale the samples as they were scaled for training",
            )
    return inputs


def predict(model: Model, data: Data) -> tuple[Array, ...]:
    """Outputs of the float model, float32 (samples, ...) each. Raises InputError."""
    call, _ = function(model)
    inputs = inputs_of(model, data)
    tf = _tensorflow.tensorflow()
    batches = []
    for start in range(0, data.samples, _BATCH):
        outputs = call(*(tf.constant(array[start : start + _BATCH]) for array in inputs))
        batches.append([np.asarray(output) for output in outputs])
    return tuple(np.concatenate(parts) for parts in zip(*batches, strict=True))


def _require_keras(model: Model) -> None:
    if model.kind != "keras" or model.keras is None:
        raise InputError(
            f"{model.path}: a .tflite file, a Keras model is needed", "give a .keras or .h5 file"
        )


def _flat(outputs: Any) -> list[Any]:
    if isinstance(outputs, dict):
        return [outputs[name] for name in outputs]
    return list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]


def _signature(model: Model) -> tuple[Any, list[tuple[str, Any]]]:
    """The signature that serves, and its (name, spec) by name."""
    signatures: Any = model.keras.signatures  # type: ignore[union-attr]
    name = "serving_default"
    if name not in signatures:
        raise InputError(
            f"{model.path}: the SavedModel has no signature {name!r}",
            "export it with model.export(path), or give a .keras file",
        )
    signature = signatures[name]
    return signature, sorted(signature.structured_input_signature[1].items())


def _load_keras(path: Path) -> Any:
    try:
        with zipfile.ZipFile(path) as archive:
            if "config.json" not in archive.namelist():
                raise InputError(f"{path}: a zip file, but not a Keras model (no config.json)", _FORMATS)
            size_bytes = sum(member.file_size for member in archive.infolist())
            if size_bytes > MAX_BYTES:
                raise InputError(
                    f"{path}: {size_bytes} bytes unpacked, more than {MAX_BYTES}", "give a smaller model"
                )
            config = json.loads(archive.read("config.json"))
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError, OSError) as error:
        raise _damaged(path, error) from None
    _check_config(path, config)
    return _model(path, path)


def _load_h5(path: Path) -> Any:
    h5py = _tensorflow.h5py()
    try:
        with h5py.File(path, "r") as file:
            text = file.attrs.get("model_config")
            config = None if text is None else json.loads(text)
            has_weights = "model_weights" in file
    # h5py raises what the damage happens to hit.
    except Exception as error:
        raise _damaged(path, error) from None
    if config is None or not has_weights:
        raise InputError(
            f"{path}: an HDF5 file, but not a Keras model with its weights",
            "save the whole model: model.save('model.keras'), not save_weights",
        )
    wrappers = _wrappers.unwrap_config(config)
    _check_config(path, config)
    if not _modernise(config) and not wrappers:
        return _model(path, path)
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "model.h5")
        copy.write_bytes(path.read_bytes())
        try:
            with h5py.File(copy, "r+") as file:
                file.attrs["model_config"] = json.dumps(config)
                if wrappers:
                    _wrappers.unwrap_weights(file["model_weights"], wrappers)
        except Exception as error:
            raise _damaged(path, error) from None
        return _model(copy, path)


def _model(path: Path, shown: Path) -> Any:
    """Keras model of a file whose configuration was checked; Keras 2 reads what Keras 3 cannot."""
    keras = _tensorflow.keras()
    try:
        with _tensorflow.Quiet():
            loaded = keras.models.load_model(path, compile=False, safe_mode=True)
    # Keras raises whatever a wrong configuration happens to hit.
    except Exception as error:
        if path.suffix == ".h5" and (legacy := _tensorflow.tf_keras()):
            with contextlib.suppress(Exception), _tensorflow.Quiet():
                return legacy.models.load_model(path, compile=False)
        hint = "open and save it again with the Keras version that wrote it"
        if path.suffix == ".h5":
            hint = "pip install tf_keras, which reads files of Keras 2, or save the model again with Keras 3"
        raise InputError(f"{shown}: Keras cannot read it: {_line(error)}", hint) from None
    if not getattr(loaded, "inputs", None):
        raise InputError(
            f"{shown}: the model does not know its input shape",
            "start it with keras.Input(shape=...) and save it again",
        )
    return loaded


def _load_saved_model(path: Path) -> Model:
    if not (path / "saved_model.pb").is_file():
        raise InputError(f"{path}: a folder, but not a SavedModel (no saved_model.pb)", _FORMATS)
    tf = _tensorflow.tensorflow()
    digest = hashlib.sha256()
    for file in sorted(p for p in path.rglob("*") if p.is_file()):
        digest.update(f"{file.relative_to(path).as_posix()}\0".encode())
        digest.update(file.read_bytes())
    from tensorflow.core.protobuf import saved_model_pb2

    try:
        parsed = saved_model_pb2.SavedModel.FromString((path / "saved_model.pb").read_bytes())
        for meta in parsed.meta_graphs:
            graph = meta.graph_def
            nodes = [*graph.node, *(node for f in graph.library.function for node in f.node_def)]
            unsafe = sorted({node.op for node in nodes} & _UNSAFE_OPS)
            if unsafe:
                raise InputError(
                    f"{path}: the operator {unsafe[0]} of the SavedModel could run code or touch files",
                    "export the model without Python functions and file access",
                )
        with _tensorflow.Quiet():
            loaded = tf.saved_model.load(str(path))
    except InputError:
        raise
    # TensorFlow and protobuf raise what the damage happens to hit.
    except Exception as error:
        raise _damaged(path, error) from None
    name = path.resolve().name
    return Model(path, name, digest.hexdigest(), "saved_model", loaded, None)


def _check_config(path: Path, config: Any) -> None:
    """Refuse a configuration that would run code from the file or import a class from elsewhere."""
    pending = [(config, "")]
    while pending:
        value, layer = pending.pop()
        if isinstance(value, list):
            pending += [(item, layer) for item in value]
        if not isinstance(value, dict):
            continue
        kind, module = value.get("class_name"), value.get("module")
        inner = value.get("config")
        name = inner.get("name", layer) if isinstance(inner, dict) else layer
        if kind in ("Lambda", "__lambda__"):
            raise InputError(
                f"{path}: layer {str(name)[:80]!r} is a Lambda: code from a model file is never run",
                "replace it by standard layers (Rescaling, Reshape, ...) and save the model again",
            )
        if isinstance(module, str) and module.split(".")[0] not in ("builtins", "keras", "tf_keras"):
            hint = "replace it by standard layers, or export the model as a SavedModel (model.export)"
            if kind == _wrappers.WRAPPER:
                hint = "save the pruned model as .h5, or strip it with tfmot.sparsity.keras.strip_pruning"
            raise InputError(
                f"{path}: layer {str(name)[:80]!r} is of the custom class {str(kind)[:80]!r}", hint
            )
        pending += [(item, name) for item in value.values()]


def _modernise(config: Any) -> bool:
    """Write options as Keras 3 reads them that only Keras 2 wrote otherwise; True where one was."""
    changed = False
    pending = [config]
    while pending:
        value = pending.pop()
        if isinstance(value, list):
            pending += value
        elif isinstance(value, dict):
            kind, inner = value.get("class_name"), value.get("config")
            options = inner if isinstance(inner, dict) else {}
            if kind == "DepthwiseConv2D" and options.get("groups") == 1:
                del options["groups"]
                changed = True
            axis = options.get("axis")
            if kind == "BatchNormalization" and isinstance(axis, list) and len(axis) == 1:
                options["axis"] = axis[0]
                changed = True
            pending += value.values()
    return changed


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


def _damaged(path: Path, error: Exception) -> InputError:
    return InputError(
        f"{path}: the file is damaged or cut short: {_line(error)}", "copy or save the model again"
    )


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


def _shape(shape: tuple[object, ...]) -> str:
    return "x".join(str(size) for size in shape) or "scalar"
