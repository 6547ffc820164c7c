"""What a Keras model costs on a core, layer by layer, by the compiler's cost model and without quantising it.

A layer becomes the node that the converter makes of it, with int8 weights whose zeros are the layer's; the
kernels estimate that. Batch normalisation, ReLU and padding go into the layers before them and are free, as
is what has no estimate.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from microwright import kernels, ops
from microwright.compress.inline import inline
from microwright.compress.trace import Shape, calls
from microwright.errors import UnsupportedOp
from microwright.graph import Array, Graph, Node, Option, Quantization, Tensor
from microwright.ops import Constant, Step
from microwright.target import Target

_Int8: TypeAlias = npt.NDArray[np.int8]


@dataclass(frozen=True)
class Cost:
    """Of a layer or a model: estimated instructions of an inference, bytes of constants in flash,
    multiply-accumulates of the dense layer, and entries of kernels that are not zero.
    """

    instructions: float = 0.0
    flash_bytes: int = 0
    macs: int = 0
    weights: int = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.instructions + other.instructions,
            self.flash_bytes + other.flash_bytes,
            self.macs + other.macs,
            self.weights + other.weights,
        )


def layers(model: Any, target: Target) -> Mapping[str, Cost]:
    """Costs of a Keras 3 model's layers, by name. A layer called twice computes twice from one set of
    weights.
    """
    costs: dict[str, Cost] = {}
    for layer, _, inputs, outputs in calls(inline(model)):
        if inputs and len(outputs) == 1:
            shapes = tuple(tuple(tensor.shape[1:]) for tensor in inputs)
            cost = _cost(_nodes(layer, shapes, tuple(outputs[0].shape[1:]), _real(layer)), target)
            known = costs.get(layer.name)
            costs[layer.name] = (
                cost
                if known is None
                else Cost(
                    known.instructions + cost.instructions,
                    known.flash_bytes,
                    known.macs + cost.macs,
                    known.weights,
                )
            )
    return costs


def total(model: Any, target: Target) -> Cost:
    """Cost of a Keras 3 model."""
    return sum(layers(model, target).values(), Cost())


def of_shapes(layer: Any, shapes: Sequence[Shape], shape: Shape, target: Target) -> Cost:
    """Cost of a layer if it had these inputs and this output (shapes without the batch), and no zeros."""
    return _dense(_Options(layer), tuple(shapes), shape, target)


class _Options:
    """What of a layer its cost depends on; layers of equal options are equal."""

    def __init__(self, layer: Any) -> None:
        names = ("strides", "padding", "dilation_rate", "groups", "depth_multiplier", "pool_size")
        self.values = tuple((name, getattr(layer, name)) for name in names if hasattr(layer, name))
        self.kind = type(layer).__name__
        kernel = getattr(layer, "depthwise_kernel", getattr(layer, "kernel", None))
        self.taps = () if kernel is None else tuple(kernel.shape[:-2])
        activation = getattr(layer, "activation", None)
        self.activation = getattr(activation, "__name__", "")
        self._key = (self.kind, self.values, self.taps, self.activation)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Options) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    def pair(self, name: str, default: int = 1) -> tuple[int, int]:
        """An option along height and width; a one-dimensional layer's height is 1."""
        value = dict(self.values).get(name, default)
        sizes = tuple(value) if isinstance(value, (tuple, list)) else (value,) * max(1, len(self.taps))
        return (1, sizes[0]) if len(sizes) == 1 else (sizes[0], sizes[1])

    def number(self, name: str) -> int:
        """An option that is one number, 1 where it is absent."""
        return int(dict(self.values).get(name, 1))


@dataclass(frozen=True, eq=False)
class _Layer:
    """A node of an int8 graph: shapes with the batch; weights of weighted operators."""

    op: str
    inputs: tuple[Shape, ...]
    output: Shape
    options: Mapping[str, Option]
    weights: _Int8 | None = None


# Weights of a layer's kernel (0) or its pointwise kernel (1), in the layout of the int8 graph.
_Weights: TypeAlias = Callable[[int, Shape], _Int8]


@lru_cache(maxsize=100_000)
def _dense(options: _Options, shapes: tuple[Shape, ...], shape: Shape, target: Target) -> Cost:
    return _cost(_of_options(options, shapes, shape, _without_zeros), target)


def _without_zeros(_: int, shape: Shape) -> _Int8:
    rng = np.random.default_rng(0)
    weights: _Int8 = (rng.integers(1, 24, shape) * rng.choice((-1, 1), shape)).astype(np.int8)
    return weights


def _real(layer: Any) -> _Weights:
    """The layer's own weights, as int8 with their zeros."""

    def weights(position: int, shape: Shape) -> _Int8:
        separable = hasattr(layer, "pointwise_kernel")
        name = ("depthwise_kernel", "pointwise_kernel")[position] if separable else "kernel"
        kernel = np.asarray(getattr(layer, name), np.float64)
        depthwise = "Depthwise" in type(layer).__name__ or (separable and position == 0)
        if depthwise:
            kernel = kernel.reshape(*kernel.shape[:-2], -1)
        largest = np.abs(kernel).max() or 1.0
        integers: npt.NDArray[Any] = np.rint(kernel / largest * 127)
        # A small weight is no zero: rounding to one depends on the channel's own scale.
        integers = np.where((integers == 0) & (kernel != 0), np.sign(kernel), integers)
        return (integers if depthwise else np.moveaxis(integers, -1, 0)).reshape(shape).astype(np.int8)

    return weights


def _nodes(layer: Any, shapes: tuple[Shape, ...], shape: Shape, weights: _Weights) -> list[_Layer]:
    return list(_of_options(_Options(layer), shapes, shape, weights))


def _image(shape: Shape) -> Shape:
    """With the batch, and with a height of 1 where there is only a width."""
    return (1, 1, *shape) if len(shape) == 2 else (1, *shape)


def _of_options(
    options: _Options, shapes: tuple[Shape, ...], shape: Shape, weights: _Weights
) -> Iterator[_Layer]:
    """What the converter makes of a layer."""
    kind, first = options.kind.removesuffix("1D").removesuffix("2D"), shapes[0]
    dimensions = 1 if options.kind.endswith("1D") else 2
    if kind == "Dense":
        rows = math.prod(first[:-1])
        yield _Layer(
            "FULLY_CONNECTED",
            ((rows, first[-1]),),
            (rows, shape[-1]),
            {"weights_format": "DEFAULT"},
            weights(0, (shape[-1], first[-1])),
        )
    elif kind in ("Conv", "DepthwiseConv", "SeparableConv"):
        taps = (1,) * (2 - len(options.taps)) + options.taps
        stride, dilation = options.pair("strides"), options.pair("dilation_rate")
        geometry: dict[str, Option] = {
            "padding": "VALID" if dict(options.values)["padding"] == "valid" else "SAME",
            "stride_h": stride[0],
            "stride_w": stride[1],
            "dilation_h_factor": dilation[0],
            "dilation_w_factor": dilation[1],
        }
        image, output = _image(first), _image(shape)
        if kind == "Conv":
            group = first[-1] // options.number("groups")
            yield _Layer("CONV_2D", (image,), output, geometry, weights(0, (shape[-1], *taps, group)))
        else:
            multiplier = options.number("depth_multiplier")
            between = (*output[:-1], first[-1] * multiplier)
            geometry["depth_multiplier"] = multiplier
            yield _Layer(
                "DEPTHWISE_CONV_2D", (image,), between, geometry, weights(0, (1, *taps, between[-1]))
            )
            if kind == "SeparableConv":
                one: dict[str, Option] = {"padding": "VALID", "stride_h": 1, "stride_w": 1}
                one |= {"dilation_h_factor": 1, "dilation_w_factor": 1}
                yield _Layer("CONV_2D", (between,), output, one, weights(1, (shape[-1], 1, 1, between[-1])))
    elif kind in ("MaxPooling", "AveragePooling"):
        size, stride = options.pair("pool_size"), options.pair("strides")
        if dimensions == 1:
            size, stride = (1, size[1]), (1, stride[1])
        pool: dict[str, Option] = {
            "padding": "VALID" if dict(options.values)["padding"] == "valid" else "SAME",
            "filter_height": size[0],
            "filter_width": size[1],
            "stride_h": stride[0],
            "stride_w": stride[1],
        }
        op = "MAX_POOL_2D" if kind == "MaxPooling" else "AVERAGE_POOL_2D"
        yield _Layer(op, (_image(first),), _image(shape), pool)
    elif kind in ("Add", "Multiply"):
        yield _Layer("ADD" if kind == "Add" else "MUL", ((1, *first), (1, *shapes[-1])), (1, *shape), {})
    if kind == "Softmax" or options.activation == "softmax":
        yield _Layer("SOFTMAX", ((1, *shape),), (1, *shape), {"beta": 1.0})


def _cost(nodes: Sequence[_Layer] | Iterator[_Layer], target: Target) -> Cost:
    cost = Cost()
    for layer in nodes:
        try:
            graph = _graph(layer)
            node = graph.nodes[0]
            op = ops.get(node)
            op.check(graph, node)
            choices = kernels.choose(op.lower(graph, node), target)
            macs = op.macs(graph, node)
        # The engine has no kernel for it: there is nothing to estimate.
        except UnsupportedOp:
            continue
        weights = 0 if layer.weights is None else int(np.count_nonzero(layer.weights))
        for choice in choices:
            cost += Cost(choice.instructions, _constant_bytes(choice.step))
        cost += Cost(macs=macs, weights=weights)
    return cost


def _constant_bytes(step: Step) -> int:
    return sum(value.values.nbytes for value in step.fields.values() if isinstance(value, Constant))


def _graph(layer: _Layer) -> Graph:
    """The node alone, with scales that any kernel takes."""
    tensors: list[Tensor] = []

    def add(shape: Shape, data: Array | None, quantization: Quantization) -> int:
        dtype = "int32" if data is not None and data.dtype == np.int32 else "int8"
        tensors.append(Tensor(len(tensors), "", dtype, shape, quantization, data))  # type: ignore[arg-type]
        return len(tensors) - 1

    softmax = layer.op == "SOFTMAX"
    inputs = [add(shape, None, Quantization((0.0625,), (0,))) for shape in layer.inputs]
    if layer.weights is not None:
        depthwise = layer.op == "DEPTHWISE_CONV_2D"
        axis = 3 if depthwise else 0
        channels = layer.weights.shape[axis]
        inputs += [
            add(
                layer.weights.shape,
                layer.weights,
                Quantization((2.0**-7,) * channels, (0,) * channels, axis),
            ),
            add(
                (channels,),
                np.ones(channels, np.int32),
                Quantization((2.0**-11,) * channels, (0,) * channels),
            ),
        ]
    output = add(
        layer.output, None, Quantization((1 / 256 if softmax else 0.0625,), (-128 if softmax else 0,))
    )
    options: dict[str, Option] = {
        "fused_activation_function": "NONE",
        "quantized_bias_type": "float32",  # what files have that do not say
        **layer.options,
    }
    node = Node(0, layer.op, "", tuple(inputs), (output,), options)
    return Graph("", "", tuple(tensors), (node,), tuple(range(len(layer.inputs))), (output,), b"")
