"""int8 quantisation with calibration data: (Model, Data) -> Graph."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from microwright import _loops, _tensorflow, graph, load
from microwright.data import Data
from microwright.errors import InputError
from microwright.graph import Array, Graph
from microwright.load import Model
from microwright.progress import Progress, silent
from microwright.sources import Source

MIN_SAMPLES = 10


@dataclass(frozen=True)
class Recipe:
    """How a float model becomes int8: the calibration samples."""

    calibration: Source | None = None


def quantize(model: Model, calibration: Data, *, progress: Progress = silent) -> Graph:
    """Quantise a float model to int8: per-channel weights, int8 inputs and outputs, batch 1.

    The calibration samples set the ranges of all activations, so they should look like what the device will
    see; a few hundred are enough. The same model and data give the same bytes (`Graph.flatbuffer`, the
    `.tflite` file). Raises InputError for data that does not fit or cannot calibrate, and for a model with
    operators that have no int8 form.
    """
    inputs = load.inputs_of(model, calibration)
    _check(model, inputs)
    tf = _tensorflow.tensorflow()
    call, dtypes = load.function(model)
    specs = [
        tf.TensorSpec((1, *array.shape[1:]), dtype, name=f"input_{i}")
        for i, (array, dtype) in enumerate(zip(inputs, dtypes, strict=True))
    ]
    samples = calibration.samples
    chatter = _tensorflow.Quiet()

    def representative() -> Iterator[list[Array]]:
        chatter.show()
        for i in range(samples):
            progress("quantise", i, samples)
            yield [array[i : i + 1] for array in inputs]
        chatter.hide()

    failure: Exception | None = None
    flatbuffer = b""
    with chatter:
        try:
            # Traced with the batch fixed: a batch of any size leaves shape arithmetic in the model.
            with _loops.unrolled(model.keras):
                concrete = tf.function(call, autograph=False).get_concrete_function(*specs)
            _loops.refuse(concrete, model.name)
            flatbuffer = _convert(tf, concrete, representative)
        except InputError:
            raise
        # The converter raises its own and Python's exceptions for what it cannot convert.
        except Exception as error:
            failure = error
    if failure is not None:
        raise InputError(
            f"{model.name}: the TensorFlow Lite converter failed: {_reason(str(failure) + chatter.text)}",
            "replace layers that have no int8 form in TensorFlow Lite",
        )
    progress("quantise", samples, samples)
    quantized = graph.read(bytes(flatbuffer), model.name)
    for tensor in (quantized.tensors[i] for i in (*quantized.inputs, *quantized.outputs)):
        if tensor.dtype != "int8":
            raise InputError(
                f"{model.name}: {tensor.name[:80]!r} stays {tensor.dtype}, there is no int8 form of it",
                "give the model float32 inputs and outputs",
            )
    return quantized


def _convert(tf: Any, concrete: Any, representative: Any) -> bytes:
    # Without the trackable object the converter folds the variables into constants.
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete])
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = representative
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = tf.int8
    converter.inference_output_type = tf.int8
    flatbuffer: bytes = converter.convert()
    return flatbuffer


def _check(model: Model, inputs: tuple[Array, ...]) -> None:
    for position, array in enumerate(inputs):
        if array.dtype != np.float32:
            raise InputError(
                f"{model.name}: input {position} is {array.dtype}, only float32 inputs can be quantised",
                "give the model float32 inputs",
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
