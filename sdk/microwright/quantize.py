"""Quantisation with calibration data, by a scheme: (Model, Data) -> Graph."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

import numpy as np

from microwright import _loops, _tensorflow, graph, load
from microwright import data as datas
from microwright.data import MAX_BYTES, Data
from microwright.errors import InputError
from microwright.graph import Array, Graph, Node, mark
from microwright.load import Model
from microwright.progress import Progress, silent
from microwright.sources import Source

MIN_SAMPLES = 10
_RANDOM = 100
_SHOWN = 4
# How operators begin that hold a trained range.
_FAKE = ("FakeQuant", "QuantizeAndDequantize")
_EVERYTHING = ("everything",)


Scheme: TypeAlias = Literal["int8", "int16x8", "float32"]
SCHEMES: tuple[Scheme, ...] = get_args(Scheme)
IOType: TypeAlias = Literal["int8", "uint8", "int16", "float32"]
IO_TYPES: tuple[IOType, ...] = get_args(IOType)
# The types that inputs and outputs may have, first the one that they have unless another is asked for.
_IO_TYPES_OF: Mapping[Scheme, tuple[IOType, ...]] = {
    "int8": ("int8", "uint8", "float32"),
    "int16x8": ("int16", "float32"),
    "float32": ("float32",),
}


@dataclass(frozen=True)
class Recipe:
    """How a float model is quantised: calibration samples or random ones, the scheme, types of the ends.

    A type of None is the scheme's own.
    """

    calibration: Source | None = None
    calibrate_randomly: bool = False
    input_type: IOType | None = None
    output_type: IOType | None = None
    scheme: Scheme = "int8"


def quantize(
    model: Model,
    calibration: Data | None = None,
    *,
    randomly: bool = False,
    scheme: Scheme = "int8",
    input_type: IOType | None = None,
    output_type: IOType | None = None,
    progress: Progress = silent,
) -> Graph:
    """Quantise a float model: batch 1, inputs and outputs of the types given (None: the scheme's own).

    Schemes: `int8` has int8 activations and per-channel weights. `int16x8` has int16 activations, which take
    twice the memory and more time and lose next to nothing, and int8 weights. `float32` is not quantised and
    needs no calibration samples: four times int8's memory, and much of its time on cores without an FPU.

    The calibration samples set the ranges of all activations that the model was not trained with, so they
    should look like what the device will see; a few hundred are enough. Where it was trained with all ranges,
    no samples are needed, and those that are given set nothing. `randomly` draws samples from a normal
    distribution instead. The model says so wherever it goes (`Graph.ranges`). The same model and data give
    the same bytes (`Graph.flatbuffer`, the `.tflite` file). Raises InputError where ranges are missing, for
    data that does not fit or cannot calibrate, for types that the scheme has not, and for a model with
    operators that have no form in it.
    """
    types = _io_types(model, scheme, input_type, output_type)
    if scheme == "float32":
        return to_float(model)
    traced = _trace(model, scheme)
    without = _without_ranges(model, traced, scheme)
    if without:
        if calibration is None and not randomly:
            raise _no_samples(model, without)
        origin = mark.RANDOM if calibration is None else f"calibrated on {calibration.samples} samples"
        origin = origin if without is _EVERYTHING else f"{mark.TRAINED}, the rest {origin}"
    else:
        # The converter wants samples, which set nothing.
        calibration, origin = None, mark.TRAINED
    samples = calibration or _random(model, _RANDOM if without else MIN_SAMPLES)
    inputs = load.inputs_of(model, samples)
    _check(model, inputs)
    count = samples.samples
    chatter = _tensorflow.Quiet()

    def representative() -> Iterator[list[Array]]:
        chatter.show()
        for i in range(count):
            progress("quantise", i, count)
            yield [array[i : i + 1] for array in inputs]
        chatter.hide()

    def configure(tf: Any, converter: Any) -> None:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = representative
        operators = tf.lite.OpsSet
        converter.target_spec.supported_ops = [
            operators.TFLITE_BUILTINS_INT8
            if scheme == "int8"
            else operators.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
        ]
        converter.inference_input_type, converter.inference_output_type = (getattr(tf, t) for t in types)

    quantized = _converted(model, traced, chatter, configure, scheme, origin)
    progress("quantise", count, count)
    # Indices of the model stay as they are.
    integers = {i for i, array in zip(quantized.inputs, inputs, strict=True) if array.dtype == np.int32}
    for indices, wanted in zip((quantized.inputs, quantized.outputs), types, strict=True):
        for tensor in (quantized.tensors[i] for i in indices if i not in integers):
            if tensor.dtype != wanted:
                raise InputError(
                    f"{model.name}: {tensor.name[:80]!r} stays {tensor.dtype}, it has no {wanted} form",
                    "give the model float32 inputs and outputs",
                )
    return quantized


def to_float(model: Model) -> Graph:
    """A float model as a float32 `.tflite` by the same converter: layers have the names of its int8 form."""
    return _converted(model, _trace(model, "float32"), _tensorflow.Quiet())


def _io_types(
    model: Model, scheme: Scheme, input_type: IOType | None, output_type: IOType | None
) -> tuple[IOType, IOType]:
    allowed = _IO_TYPES_OF[scheme]
    for name, asked in (("inputs", input_type), ("outputs", output_type)):
        if asked is not None and asked not in allowed:
            raise InputError(
                f"{model.name}: the scheme {scheme} has no {name} of {asked}",
                f"choose one of: {', '.join(allowed)}",
            )
    return input_type or allowed[0], output_type or allowed[0]


def _random(model: Model, count: int) -> Data:
    generator = np.random.default_rng(0)
    shapes, dtypes = load.input_shapes(model), load.function(model)[1]
    if 4 * count * sum(map(math.prod, shapes)) > MAX_BYTES:
        raise InputError(
            f"{model.name}: {count} random samples of its inputs take more than {MAX_BYTES} bytes",
            "give smaller sizes with --input-shape, or samples with --calibration",
        )
    # Indices are 0 or 1, which almost any table has.
    return datas.make(
        tuple(
            generator.integers(0, 2, (count, *shape))
            if np.dtype(getattr(dtype, "as_numpy_dtype", dtype)).kind in "iu"
            else generator.standard_normal((count, *shape), np.float32)
            for shape, dtype in zip(shapes, dtypes, strict=True)
        )
    )


def _trace(model: Model, scheme: Scheme) -> Any:
    """What a float model computes, as a function of TensorFlow of one sample."""
    tf = _tensorflow.tensorflow()
    call, dtypes = load.function(model)
    # The int8 model's inputs have the names of the model's, by which data may name its arrays.
    specs = [
        tf.TensorSpec((1, *each.shape), dtype, name=re.sub(r"[^\w.]", "_", each.name))
        for each, dtype in zip(load.inputs(model), dtypes, strict=True)
    ]
    # Traced with the batch fixed: a batch of any size leaves shape arithmetic in the model.
    with _tensorflow.Quiet():
        try:
            with _loops.unrolled(model.keras):
                traced = tf.function(call, autograph=False).get_concrete_function(*specs)
            _loops.refuse(traced, model.name)
            return traced
        except InputError:
            raise
        # Layers of the user's raise what they want.
        except Exception as error:
            failure = str(error)
    raise _failed(model, failure, scheme)


def _without_ranges(model: Model, traced: Any, scheme: Scheme) -> tuple[str, ...]:
    """The layers of a model trained for int8 that have a value without a trained range; `_EVERYTHING` for a
    model that was not. Raises InputError for another scheme.
    """
    if not any(node.op.startswith(_FAKE) for node in _loops.nodes(traced)):
        return _EVERYTHING
    if scheme != "int8":
        raise InputError(
            f"{model.name} was trained for int8, and has no form in the scheme {scheme}",
            "leave --scheme out, or give the model without its fake quantisation",
        )

    def configure(tf: Any, converter: Any) -> None:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]

    # Without samples, the converter quantises what has ranges, and leaves the rest in float32.
    found = _converted(model, traced, _tensorflow.Quiet(), configure, scheme)
    return tuple(
        _layer(found, node)
        for node in found.nodes
        if node.op not in ("QUANTIZE", "DEQUANTIZE")
        and any(found.tensors[i].dtype == "float32" for i in (*node.inputs, *node.outputs) if i >= 0)
    )


def _layer(found: Graph, node: Node) -> str:
    if node.outputs[0] in found.outputs:
        return f"{node.op} {found.output_names[found.outputs.index(node.outputs[0])][:80]!r}"
    return f"{node.op} {node.name.partition(';')[0][:80]!r}"


def _no_samples(model: Model, without: tuple[str, ...]) -> InputError:
    if without is _EVERYTHING:
        return InputError(
            f"{model.path} has to be quantised, which takes samples of its input",
            "add --calibration SAMPLES (a .npz, a .csv, a folder of images, ...), or give an int8 .tflite; "
            "for sizes and latency alone, --calibrate-randomly will do",
        )
    more = f" and {len(without) - _SHOWN} more" if len(without) > _SHOWN else ""
    return InputError(
        f"{model.path} was trained for int8, but not with ranges of {', '.join(without[:_SHOWN])}{more}",
        "add --calibration SAMPLES, which set those ranges; the trained ones stay",
    )


def _converted(
    model: Model,
    traced: Any,
    chatter: _tensorflow.Quiet,
    configure: Callable[[Any, Any], None] = lambda tf, converter: None,
    scheme: Scheme = "float32",
    ranges: str = "",
) -> Graph:
    """A float model as a `.tflite`, by the converter as it is configured: called with TensorFlow and it.

    `ranges` is written into the file, and so are the names of its inputs and outputs.
    """
    tf = _tensorflow.tensorflow()
    with chatter:
        try:
            # Without the trackable object the converter folds the variables into constants.
            converter = tf.lite.TFLiteConverter.from_concrete_functions([traced])
            configure(tf, converter)
            flatbuffer = bytes(converter.convert())
            failure = ""
        # The converter raises its own and Python's exceptions for what it cannot convert.
        except Exception as error:
            failure = str(error) or type(error).__name__
    if failure:
        raise _failed(model, failure + chatter.text, scheme)
    plain = graph.read(flatbuffer, model.name)
    names = load.output_names(model, len(plain.outputs))
    inputs = [each.name for each in load.inputs(model)]
    signed = mark.write(
        flatbuffer,
        ranges=ranges,
        inputs=list(zip(inputs, plain.inputs, strict=True)),
        outputs=list(zip(names, plain.outputs, strict=True)),
    )
    return graph.read(signed, model.name)


def _failed(model: Model, said: str, scheme: Scheme) -> InputError:
    return InputError(
        f"{model.name}: the TensorFlow Lite converter failed: {_reason(said)}",
        f"replace layers that have no {scheme} form in TensorFlow Lite",
    )


def _check(model: Model, inputs: tuple[Array, ...]) -> None:
    for position, array in enumerate(inputs):
        if array.dtype not in (np.float32, np.int32):
            raise InputError(
                f"{model.name}: input {position} is {array.dtype}, only float32 can be quantised",
                "give the model float32 inputs, or int32 for indices",
            )
        if len(array) < MIN_SAMPLES:
            raise InputError(
                f"{model.name}: {len(array)} calibration samples, at least {MIN_SAMPLES} are needed",
                "give some hundred samples that look like what the device will see",
            )
        if (array == array[0]).all():
            raise InputError(
                f"{model.name}: all calibration samples of input {position} are equal, so they set no range",
                "give samples that look like what the device will see",
            )


def _reason(text: str) -> str:
    """The line of the converter's output that says why."""
    lines = [" ".join(line.split()) for line in text.splitlines() if line.strip()]
    said = next((line for line in lines if "error:" in line), lines[0] if lines else "no reason given")
    return said[:300]
