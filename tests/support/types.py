"""Random layers of int16 (with int8 weights) and of float32, one function an operator."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from microwright.graph import DType
from tests.support import layers
from tests.support.layers import Layers, Rng, pick
from tests.support.operands import broadcast_shapes, scale_ratio

Add = Callable[[Layers, Rng, DType], None]


class TypedLayers(Layers):
    """Layers whose tensors are of a type unless they say another; quantised as that type is."""

    def __init__(self, dtype: DType) -> None:
        super().__init__()
        self._dtype = dtype

    def input(self, shape: Any, dtype: str | None = None, **quantization: Any) -> int:
        return super().input(shape, dtype or self._dtype, **self._of_type(quantization))

    def output(self, shape: Any, dtype: str | None = None, **quantization: Any) -> int:
        return super().output(shape, dtype or self._dtype, **self._of_type(quantization))

    def _of_type(self, quantization: dict[str, Any]) -> dict[str, Any]:
        if self._dtype == "float32":
            return {name: value for name, value in quantization.items() if name == "name"}
        return {**quantization, "zero_point": 0} if "zero_point" in quantization else quantization


def _scale(rng: Rng) -> float:
    """Of an int16 tensor, now and then a power of two."""
    exponent = rng.uniform(-15, -9)
    return float(np.float32(2.0 ** (np.round(exponent) if rng.random() < 0.2 else exponent)))


def quantization(dtype: DType, scale: float) -> dict[str, Any]:
    """Of a tensor, none in float32."""
    return {} if dtype == "float32" else {"scale": float(np.float32(scale))}


def reals(rng: Rng, shape: Any) -> npt.NDArray[np.float32]:
    """Weights; now and then some of them far from the others, or 0."""
    values = rng.normal(size=shape) * 10.0 ** rng.choice((-3, 0, 0, 0, 2), shape)
    return np.float32(np.where(rng.random(shape) < 0.1, 0, values))


def _weighted(
    made: Layers,
    rng: Rng,
    dtype: DType,
    op: str,
    image: tuple[int, ...],
    shape: tuple[int, ...],
    out: tuple[int, ...],
    axis: int,
    options: dict[str, Any],
) -> None:
    """A layer with weights of `shape`, quantised along `axis`, and now and then without a bias."""
    channels = shape[axis]
    taps = int(np.prod(shape)) // channels
    in_scale = _scale(rng)
    out_scale = 1.0
    activation = pick(rng, layers.ACTIVATIONS)
    inputs = [made.input(image, dtype, **quantization(dtype, in_scale))]
    with_bias = rng.random() < 0.8
    bias_type = "float32"
    if dtype == "float32":
        inputs.append(made.maker.const(reals(rng, shape)))
        biases: npt.NDArray[Any] = reals(rng, (channels,))
    else:
        per_tensor = op == "FULLY_CONNECTED" and rng.random() < 0.5
        values = layers.weights(rng, shape)
        scales = layers.weights_scales(rng, 1 if per_tensor else channels)
        inputs.append(made.maker.const(values, scales=scales, axis=axis))
        # The rescaling has the range of its 64-bit form.
        exponent = rng.uniform(-6, 10) if rng.random() < 0.2 else rng.uniform(-1, 1)
        out_scale = in_scale * float(scales[0]) * np.sqrt(taps) * 60 * 2.0**exponent
        bias_type = pick(rng, ("int64", "int64", "int32")) if op != "DEPTHWISE_CONV_2D" else "int64"
        spread = 2**24 if bias_type == "int32" else pick(rng, (2**24, 2**40))
        if bias_type == "int32" and with_bias:
            # The sum has to fit in 32 bits.
            inputs[1] = made.maker.const(np.clip(values, -9, 9), scales=scales, axis=axis)
        biases = rng.integers(-spread, spread, channels).astype(bias_type)
    if with_bias:
        inputs.append(
            made.maker.const(biases)
            if dtype == "float32"
            else made.maker.const(biases, scales=scales * np.float32(in_scale))
        )
    name = f"{op} {dtype} {image} {shape} {options} {activation} {bias_type if with_bias else 'no bias'}"
    y = made.output(out, dtype, **quantization(dtype, out_scale), name=name)
    made.maker.node(op, inputs, [y], **options, fused_activation_function=activation)


def add_conv(made: Layers, rng: Rng, dtype: DType) -> None:
    options, image, taps, out = layers.window(rng)
    batches, groups = int(pick(rng, (1, 1, 2))), int(pick(rng, (1, 1, 1, 2)))
    in_ch, out_ch = groups * int(pick(rng, (1, 2, 3, 8))), groups * int(pick(rng, (1, 2, 3, 5)))
    shape = (out_ch, *taps, in_ch // groups)
    _weighted(
        made, rng, dtype, "CONV_2D", (batches, *image, in_ch), shape, (batches, *out, out_ch), 0, options
    )


def add_depthwise(made: Layers, rng: Rng, dtype: DType) -> None:
    options, image, taps, out = layers.window(rng)
    batches, in_ch, multiplier = (
        int(pick(rng, (1, 1, 2))),
        int(pick(rng, (1, 2, 3, 8))),
        int(pick(rng, (1, 1, 2, 3))),
    )
    options["depth_multiplier"] = multiplier
    shape = (1, *taps, in_ch * multiplier)
    out_shape = (batches, *out, in_ch * multiplier)
    _weighted(made, rng, dtype, "DEPTHWISE_CONV_2D", (batches, *image, in_ch), shape, out_shape, 3, options)


def add_dense(made: Layers, rng: Rng, dtype: DType) -> None:
    batches, in_len, out_len = (
        int(pick(rng, (1, 1, 3))),
        int(pick(rng, (1, 2, 7, 40, 600))),
        int(rng.integers(1, 9)),
    )
    shape = (out_len, in_len)
    _weighted(made, rng, dtype, "FULLY_CONNECTED", (batches, in_len), shape, (batches, out_len), 0, {})


def add_average_pool(made: Layers, rng: Rng, dtype: DType) -> None:
    _pool(made, rng, dtype, "AVERAGE_POOL_2D")


def add_max_pool(made: Layers, rng: Rng, dtype: DType) -> None:
    _pool(made, rng, dtype, "MAX_POOL_2D")


def _pool(made: Layers, rng: Rng, dtype: DType, op: str) -> None:
    options, image, taps, out = layers.window(rng, dilated=False)
    batches, channels = int(pick(rng, (1, 1, 2))), int(pick(rng, (1, 2, 3, 7)))
    options |= {"filter_height": taps[0], "filter_width": taps[1]}
    options["fused_activation_function"] = pick(rng, layers.ACTIVATIONS)
    scale = quantization(dtype, _scale(rng))
    x = made.input((batches, *image, channels), dtype, **scale)
    y = made.output((batches, *out, channels), dtype, **scale, name=f"{op} {dtype} {image} {options}")
    made.maker.node(op, [x], [y], **options)


def _pair(op: str, ratios: Callable[[Rng, float, float], float] | None) -> Add:
    """An operator of two tensors; the output has the scale of `ratios`, or all have one and no activation."""

    def add(made: Layers, rng: Rng, dtype: DType) -> None:
        a, b, shape = broadcast_shapes(rng)
        first, second = _scale(rng), _scale(rng)
        options = {"fused_activation_function": pick(rng, layers.ACTIVATIONS)} if ratios else {}
        second = second if ratios else first
        out = ratios(rng, first, second) if ratios else first
        x1 = made.input(a, dtype, **quantization(dtype, first))
        x2 = made.input(b, dtype, **quantization(dtype, second))
        y = made.output(shape, dtype, **quantization(dtype, out), name=f"{op} {dtype} {a} {b} {options}")
        made.maker.node(op, [x1, x2], [y], **options)

    return add


def _sum_scale(rng: Rng, first: float, second: float) -> float:
    # Below, the factor of the output would not be below 1.
    return max(first, second) * scale_ratio(rng, -10, 8)


def _product_scale(rng: Rng, first: float, second: float) -> float:
    return max(first * second * 2**15 * scale_ratio(rng, -6, 6), 2.0**-26)


def add_mean(made: Layers, rng: Rng, dtype: DType) -> None:
    _reduction(made, rng, dtype, "MEAN")


def add_sum(made: Layers, rng: Rng, dtype: DType) -> None:
    _reduction(made, rng, dtype, "SUM")


def _reduction(made: Layers, rng: Rng, dtype: DType, op: str) -> None:
    shape = tuple(int(size) for size in rng.integers(1, 7, int(rng.integers(1, 5))))
    axes = sorted(int(a) for a in rng.choice(len(shape), int(rng.integers(1, len(shape) + 1)), replace=False))
    keep_dims = bool(rng.integers(2))
    kept = [1 if axis in axes else size for axis, size in enumerate(shape) if keep_dims or axis not in axes]
    scale = _scale(rng)
    x = made.input(shape, dtype, **quantization(dtype, scale))
    name = f"{op} {dtype} {shape} {axes} {keep_dims}"
    y = made.output(kept, dtype, **quantization(dtype, scale * scale_ratio(rng, -4, 4)), name=name)
    made.maker.node(op, [x, made.maker.const(axes, dtype="int32")], [y], keep_dims=keep_dims)


def add_pad(made: Layers, rng: Rng, dtype: DType) -> None:
    shape, paddings = rng.integers(1, 6, 4), rng.integers(0, 3, (4, 2))
    scale = quantization(dtype, _scale(rng))
    x = made.input(shape.tolist(), dtype, **scale)
    padded = (shape + paddings.sum(axis=1)).tolist()
    y = made.output(padded, dtype, **scale, name=f"pad {dtype} {shape} {paddings.tolist()}")
    operands = [x, made.maker.const(paddings, dtype="int32")]
    if rng.random() < 0.5:
        value = rng.normal(size=1) if dtype == "float32" else rng.integers(-(2**15), 2**15, 1)
        operands.append(made.maker.const(value, dtype=dtype, **scale))
    made.maker.node("PADV2" if len(operands) == 3 else "PAD", operands, [y])


def _unary(op: str, out_scale: float | None) -> Add:
    """An operator of one tensor; the output has this scale, or about the input's."""

    def add(made: Layers, rng: Rng, dtype: DType) -> None:
        shape = (int(rng.integers(1, 4)), int(rng.integers(1, 60)))
        scale = _scale(rng)
        made_scale = out_scale or scale * (1.0 if op == "RELU6" else scale_ratio(rng, -4, 4))
        x = made.input(shape, dtype, **quantization(dtype, scale))
        y = made.output(shape, dtype, **quantization(dtype, made_scale), name=f"{op} {dtype} {scale:.6g}")
        options = {
            "SOFTMAX": {"beta": pick(rng, (1.0, 0.5, 2.0))},
            "LEAKY_RELU": {"alpha": pick(rng, (0.1, -0.3, 1.5))},
        }
        made.maker.node(op, [x], [y], **options.get(op, {}))

    return add


# Those whose results are the reference's in every bit, of both types.
EXACT: Mapping[str, Add] = {
    "CONV_2D": add_conv,
    "DEPTHWISE_CONV_2D": add_depthwise,
    "FULLY_CONNECTED": add_dense,
    "AVERAGE_POOL_2D": add_average_pool,
    "MAX_POOL_2D": add_max_pool,
    "ADD": _pair("ADD", _sum_scale),
    "SUB": _pair("SUB", _sum_scale),
    "MUL": _pair("MUL", _product_scale),
    "MEAN": add_mean,
    "SUM": add_sum,
    "PAD": add_pad,
    "RELU": _unary("RELU", None),
    "RELU6": _unary("RELU6", None),
    "LEAKY_RELU": _unary("LEAKY_RELU", None),
    "MAXIMUM": _pair("MAXIMUM", None),
    "MINIMUM": _pair("MINIMUM", None),
}
# Those whose are in int16, and next to it in float32.
EXPONENTIAL: Mapping[str, Add] = {
    "SOFTMAX": _unary("SOFTMAX", 2.0**-15),
    "LOGISTIC": _unary("LOGISTIC", 2.0**-15),
    "TANH": _unary("TANH", 2.0**-15),
}
