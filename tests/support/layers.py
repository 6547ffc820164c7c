"""Random layers for differential tests: many in a graph, so that one compile covers them all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from microwright import graph
from microwright.graph import Array, Graph
from tests.support.native import assert_equal_to_reference
from tests.support.tflite_maker import Maker

Rng = np.random.Generator
ACTIVATIONS = ("NONE", "NONE", "RELU", "RELU6", "RELU_N1_TO_1")


class Layers:
    """A model of layers that do not depend on each other."""

    def __init__(self) -> None:
        self.maker = Maker()
        self.inputs: list[int] = []
        self.outputs: list[int] = []

    def input(self, shape: Sequence[int], dtype: str = "int8", **quantization: Any) -> int:
        """A graph input."""
        self.inputs.append(self.maker.tensor(shape, dtype, **quantization))
        return self.inputs[-1]

    def output(self, shape: Sequence[int], dtype: str = "int8", **quantization: Any) -> int:
        """A graph output."""
        self.outputs.append(self.maker.tensor(shape, dtype, **quantization))
        return self.outputs[-1]

    def graph(self) -> Graph:
        """The layers as a graph."""
        return graph.read(self.maker.build(self.inputs, self.outputs), "layers")


def assert_random_layers_equal(
    add: Callable[[Layers, Rng], None], *, seed: int, count: int, samples: int = 2
) -> None:
    """`count` layers made by `add` give the reference's bytes, on random and on extreme inputs."""
    rng = np.random.default_rng(seed)
    layers = Layers()
    for _ in range(count):
        add(layers, rng)
    made = layers.graph()
    shapes = [made.tensors[i].shape for i in made.inputs]
    data: list[tuple[Array, ...]] = [
        tuple(np.full(shape, value, np.int8) for shape in shapes) for value in (-128, 127)
    ]
    data += [tuple(rng.integers(-128, 128, shape, np.int8) for shape in shapes) for _ in range(samples)]
    assert_equal_to_reference(made, data)


def pick(rng: Rng, values: Sequence[Any]) -> Any:
    """One of the values."""
    return values[int(rng.integers(len(values)))]


def zero_point(rng: Rng) -> int:
    """A zero point of int8, the extremes as often as the rest."""
    return int(pick(rng, (-128, 127, 0, -1, int(rng.integers(-128, 128)))))


def scale(rng: Rng) -> float:
    """A scale from 1e-4 to 10, exact in float32."""
    return float(np.float32(10.0 ** rng.uniform(-4, 1)))


def weights(rng: Rng, shape: Sequence[int]) -> npt.NDArray[np.int8]:
    """Random weights; now and then all of them, or a channel's along the first axis, at an extreme."""
    values = rng.integers(-128, 128, shape, np.int8)
    match int(rng.integers(6)):
        case 0:
            values[...] = pick(rng, (-128, -127, 127, 0))
        case 1:
            values[0] = pick(rng, (-128, 127, 0))
    return values


def weights_scales(rng: Rng, count: int) -> npt.NDArray[np.float32]:
    """Scales of weights; now and then powers of two, which give exact ties to round."""
    exponents = rng.uniform(-9, -3, count)
    return np.float32(2.0 ** (np.round(exponents) if rng.random() < 0.3 else exponents))


def bias(rng: Rng, by_channel: npt.NDArray[np.int8], in_zp: int) -> npt.NDArray[np.int32]:
    """Biases for weights [channel, taps]; now and then as large as the accumulator allows."""
    low, high = -128 - in_zp, 127 - in_zp
    w = by_channel.astype(np.int64)
    rise = (np.maximum(w, 0) * high + np.minimum(w, 0) * low).sum(axis=1)
    fall = (np.maximum(w, 0) * low + np.minimum(w, 0) * high).sum(axis=1)
    match int(rng.integers(6)):
        case 0:
            values = 2**31 - 1 - rise
        case 1:
            values = -(2**31) - fall
        case _:
            spread = 2000 * int(np.sqrt(by_channel.shape[1]))
            values = rng.integers(-spread, spread + 1, by_channel.shape[0])
    return np.asarray(values, np.int32)


def output_scale(rng: Rng, in_scale: float, weights_scale: float, taps: int) -> float:
    """A scale that mostly spreads the outputs over int8, and now and then is off by up to 2**36."""
    exponent = np.log2(70.0 * 70.0 * np.sqrt(taps) / 50.0)
    exponent += rng.uniform(-18, 36) if rng.random() < 0.2 else rng.uniform(-2, 2)
    # A scale of the weights that is a power of two gives ties only if the output's is one times the input's.
    mantissa, _ = np.frexp(weights_scale)
    factor = 2.0 ** (np.round(exponent) if mantissa == 0.5 else exponent)
    # Below this, the bounds of a fused activation leave 32 bits, which the reference refuses.
    return max(float(np.float32(in_scale * weights_scale * factor)), 2.0**-28)


def out_size(size: int, taps: int, stride: int, dilation: int, padding: str) -> int:
    """Outputs of a window along an axis."""
    span = (taps - 1) * dilation + 1
    return -(-size // stride) if padding == "SAME" else (size - span) // stride + 1


def window(
    rng: Rng, *, dilated: bool = True, taps: tuple[int, int] | None = None
) -> tuple[dict[str, Any], tuple[int, int], tuple[int, int], tuple[int, int]]:
    """Options of a convolution's window, and its image, filter and output sizes (height, width).

    With `taps` the filter has this size, the same stride of 1 or 2 both ways, and no dilation, as in most
    layers.
    """
    padding = pick(rng, ("SAME", "VALID"))
    options: dict[str, Any] = {"padding": padding}
    image, sizes, out = [], [], []
    usual_stride = int(pick(rng, (1, 1, 2)))
    for side, usual_size in zip("hw", taps or (None, None), strict=True):
        size, filter_size = int(rng.integers(1, 13)), int(pick(rng, (1, 2, 3, 3, 4, 5)))
        stride = int(pick(rng, (1, 1, 2, 3, 7)))
        dilation = int(pick(rng, (1, 1, 1, 2, 3, 20))) if dilated else 1
        if usual_size is not None:
            filter_size, stride, dilation = usual_size, usual_stride, 1
        if padding == "VALID":
            size += (filter_size - 1) * dilation
        options[f"stride_{side}"] = stride
        if dilated:
            options[f"dilation_{side}_factor"] = dilation
        image.append(size)
        sizes.append(filter_size)
        out.append(out_size(size, filter_size, stride, dilation, padding))
    return options, (image[0], image[1]), (sizes[0], sizes[1]), (out[0], out[1])


def add_pool(made: Layers, rng: Rng, op: str) -> None:
    """A random pool."""
    options, image, taps, out = window(rng, dilated=False)
    batches, channels = int(pick(rng, (1, 1, 2))), int(pick(rng, (1, 2, 3, 7, 16, 17)))
    quantization = {"scale": scale(rng), "zero_point": zero_point(rng)}
    options |= {
        "filter_height": taps[0],
        "filter_width": taps[1],
        "fused_activation_function": pick(rng, ACTIVATIONS),
    }
    x = made.input((batches, *image, channels), **quantization)
    name = f"{op} {image}x{channels} {options} {quantization}"
    y = made.output((batches, *out, channels), **quantization, name=name)
    made.maker.node(op, [x], [y], **options)


def pool(
    op: str,
    *,
    dtype: str = "int8",
    out_shape: tuple[int, ...] = (1, 2, 2, 3),
    out_scale: float = 1.0,
    out_zp: int = 0,
    **options: Any,
) -> Graph:
    """A 2x2 pool of a 4x4x3 image that the engine takes, but for what the caller changes."""
    made = Layers()
    x = made.input((1, 4, 4, 3), dtype, scale=1.0)
    y = made.output(out_shape, dtype, scale=out_scale, zero_point=out_zp)
    settings = {"padding": "VALID", "stride_h": 2, "stride_w": 2, "filter_height": 2, "filter_width": 2}
    made.maker.node(op, [x], [y], **{**settings, **options})
    return made.graph()
