"""Remove channels that are the same in every inference, and channels that no output depends on.

A channel that is constant over all inputs and pixels goes into the biases of the layers that read it; one
whose readers multiply it by zero goes without a trace. Layers that work channel by channel lose it with their
input. A constant other than the zero point stays where a padded convolution reads it: at the border it counts
less. Pass `merging` makes those fewer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from microwright import ops
from microwright.graph import Graph, Node, Quantization, Tensor
from microwright.ops import Step, concatenation
from microwright.passes import ranges
from microwright.passes.ranges import Bounds, Ints

Flags: TypeAlias = npt.NDArray[np.bool_]

# Operators that give each element, or each channel, from the same one of their input.
_BY_CHANNEL = frozenset(
    {
        "ABS",
        "EXP",
        "GELU",
        "LOG",
        "SQRT",
        "BATCH_TO_SPACE_ND",
        "RESIZE_BILINEAR",
        "RESIZE_NEAREST_NEIGHBOR",
        "SPACE_TO_BATCH_ND",
    }
    | {"AVERAGE_POOL_2D", "DEQUANTIZE", "ELU", "EXPAND_DIMS", "HARD_SWISH", "LEAKY_RELU", "LOGISTIC"}
    | {"MAX_POOL_2D", "QUANTIZE", "RELU", "RELU6", "RESHAPE", "RSQRT", "SQUEEZE", "TANH", ops.LOOKUP}
)
_ELEMENTWISE = frozenset({"ADD", "MAXIMUM", "MINIMUM", "MUL", "PRELU", "SQUARED_DIFFERENCE", "SUB"})


def run(graph: Graph) -> Graph:
    """The graph with fewer channels, of which every tensor keeps at least one."""
    bounds = ranges.of(graph)
    return graph if bounds is None else without_idle(graph, bounds)


def without_idle(graph: Graph, bounds: Mapping[int, Bounds]) -> Graph:
    """The graph without channels that no output depends on, given the bounds of its values."""
    layers = layers_of(graph, bounds)
    keep = _kept(graph, layers)
    if all(flags.all() for flags in keep.values()):
        return graph
    return _Rewrite(graph, layers, keep).graph()


@dataclass(frozen=True, eq=False)
class _Tie:
    """Channel `of[i]` of tensor `tensor` is kept exactly when channel `with_of[i]` of `with_tensor` is."""

    tensor: int
    of: Ints
    with_tensor: int
    with_of: Ints


@dataclass(frozen=True, eq=False)
class Layer:
    """A convolution or fully connected layer, by the channels of its input.

    weights   [outputs, taps, channels]
    constant  [channels]: the value less the zero point where all pixels always have the same, else 0
    vanishes  [channels]: such a value's products are the same at every output pixel
    """

    weights: Ints
    constant: Ints
    vanishes: Flags


def _channels(tensor: Tensor) -> int:
    return tensor.shape[-1] if tensor.shape else 1


def layers_of(graph: Graph, bounds: Mapping[int, Bounds]) -> Mapping[int, Layer]:
    """By index of the node; without layers that are grouped, or that split the channels of a pixel."""
    layers: dict[int, Layer] = {}
    for node in graph.nodes:
        # Other types than int8 have no bounds.
        if node.op in ("CONV_2D", "FULLY_CONNECTED") and node.inputs[0] in bounds:
            (step,) = ops.get(node).lower(graph, node)
            weights = graph.tensors[node.inputs[1]].data
            x = graph.tensors[node.inputs[0]]
            channels = _channels(x)
            assert weights is not None
            grouped = "groups" in step.fields and step.number("groups") > 1
            if x.elements and not grouped and weights[0].size % channels == 0:
                by_channel = weights.reshape(len(weights), -1, channels).astype(np.int64)
                layers[node.index] = _layer(step, by_channel, bounds[node.inputs[0]])
    return layers


def _layer(step: Step, weights: Ints, image: Bounds) -> Layer:
    low = image.low.reshape(-1, weights.shape[-1])
    high = image.high.reshape(low.shape)
    same = (high == low[0]).all(axis=0) & (low == low[0]).all(axis=0)
    constant = np.where(same, low[0] - step.number("in_zp"), 0)
    return Layer(weights, constant, same & (constant == 0) if _is_padded(step) else same)


def _is_padded(step: Step) -> bool:
    if "filter_h" not in step.fields:
        return False

    def reaches_out(side: str, before: int) -> bool:
        span = (step.number(f"filter_{side}") - 1) * step.number(f"dilation_{side}") + 1
        end = (step.number(f"out_{side}") - 1) * step.number(f"stride_{side}") + span - before
        return before > 0 or end > step.number(f"in_{side}")

    return reaches_out("h", step.number("pad_top")) or reaches_out("w", step.number("pad_left"))


def _kept(graph: Graph, layers: Mapping[int, Layer]) -> dict[int, Flags]:
    """Channels that each tensor in use keeps: the fewest that those that have to stay depend on."""
    used = {i for node in graph.nodes for i in (*node.inputs, *node.outputs) if i >= 0}
    used.update(graph.inputs, graph.outputs)
    tensors = [graph.tensors[i] for i in sorted(used)]
    keep = {t.index: np.full(_channels(t), t.data is not None) for t in tensors}
    ties = [tie for node in graph.nodes for tie in _ties(graph, node) or ()]
    for index in (*graph.inputs, *graph.outputs, *_whole(graph, layers)):
        keep[index][:] = True
    readers = [(node, layers[node.index]) for node in reversed(graph.nodes) if node.index in layers]
    matters = {node.index: (layer.weights != 0).any(axis=1) & ~layer.vanishes for node, layer in readers}
    while True:
        before = sum(int(flags.sum()) for flags in keep.values())
        for node, _ in readers:
            keep[node.inputs[0]] |= matters[node.index][keep[node.outputs[0]]].any(axis=0)
        for tie in reversed(ties):
            both = keep[tie.tensor][tie.of] | keep[tie.with_tensor][tie.with_of]
            np.logical_or.at(keep[tie.tensor], tie.of, both)
            np.logical_or.at(keep[tie.with_tensor], tie.with_of, both)
        if sum(int(flags.sum()) for flags in keep.values()) == before:
            empty = next((flags for flags in keep.values() if flags.size and not flags.any()), None)
            if empty is None:
                return keep
            empty[0] = True


def _whole(graph: Graph, layers: Mapping[int, Layer]) -> list[int]:
    """Tensors that keep all channels because of a node that reads or writes them."""
    return [
        index
        for node in graph.nodes
        if node.index not in layers and _ties(graph, node) is None
        for index in (*node.inputs, *node.outputs)
        if index >= 0
    ]


def _ties(graph: Graph, node: Node) -> list[_Tie] | None:
    """Which channels of the node's operands and output stay together; None where it ties none."""
    x, y = graph.tensors[node.inputs[0]], graph.tensors[node.outputs[0]]
    if x.dtype == y.dtype != "int8":
        return None
    if node.op == "DEPTHWISE_CONV_2D":
        outputs = np.arange(_channels(y))
        return [_Tie(x.index, outputs * _channels(x) // _channels(y), y.index, outputs)]
    if node.op in _BY_CHANNEL or (node.op in ("MEAN", "SUM") and _means_channels_apart(graph, node)):
        return _regrouped(x, y)
    if node.op == "TRANSPOSE" and _keeps_channels(graph, node):
        return _regrouped(x, y)
    if node.op in ("PAD", "PADV2") and _channels(x) == _channels(y):
        return _regrouped(x, y)
    if node.op in _ELEMENTWISE:
        # An operand that is broadcast along the channels has one, which stays.
        variables = [t for t in (graph.tensors[i] for i in node.inputs) if t.data is None]
        return [tie for t in variables if _channels(t) == _channels(y) for tie in _regrouped(t, y) or ()]
    if node.op == "CONCATENATION":
        return [
            _Tie(index, np.arange(part.stop - part.start), y.index, np.arange(part.start, part.stop))
            for index, part in _parts(graph, node)
            if graph.tensors[index].data is None
        ]
    return None


def _keeps_channels(graph: Graph, node: Node) -> bool:
    """Whether a transpose leaves the last axis where it is."""
    order = graph.tensors[node.inputs[1]].data
    return order is not None and int(order.reshape(-1)[-1]) == len(graph.tensors[node.inputs[0]].shape) - 1


def _means_channels_apart(graph: Graph, node: Node) -> bool:
    (step,) = ops.get(node).lower(graph, node)
    sizes, strides = step.fields["reduce_size"], step.fields["reduce_stride"]
    assert isinstance(sizes, tuple) and isinstance(strides, tuple)
    channels = _channels(graph.tensors[node.inputs[0]])
    return all(size == 1 or stride % channels == 0 for size, stride in zip(sizes, strides, strict=True))


def _regrouped(x: Tensor, y: Tensor) -> list[_Tie] | None:
    """Ties of the same elements in the same order; of the same channels where there are as many."""
    of, into = _channels(x), _channels(y)
    if not of or not into or (of % into and into % of):
        return None
    places = np.arange(max(of, into))
    return [_Tie(x.index, places % of, y.index, places % into)]


def _parts(graph: Graph, node: Node) -> list[tuple[int, slice]]:
    """The operands of a concatenation, each with the output's channels that it becomes."""
    y = graph.tensors[node.outputs[0]]
    along_channels = concatenation.axis_of(graph, node) == len(y.shape) - 1
    parts: list[tuple[int, slice]] = []
    start = 0
    for index in node.inputs:
        channels = _channels(graph.tensors[index])
        parts.append((index, slice(start, start + channels)))
        start += channels if along_channels else 0
    return parts


class _Rewrite:
    """The graph with the kept channels only. Constants are copied, since others may read them whole."""

    def __init__(self, graph: Graph, layers: Mapping[int, Layer], keep: Mapping[int, Flags]) -> None:
        self._old = graph
        self._layers = layers
        self._keep = keep
        self._tensors = list(graph.tensors)
        for index, flags in keep.items():
            if not flags.all():
                shape = (*graph.tensors[index].shape[:-1], int(flags.sum()))
                self._tensors[index] = replace(graph.tensors[index], shape=shape)

    def graph(self) -> Graph:
        """All of it."""
        nodes = tuple(replace(node, inputs=tuple(self._inputs(node))) for node in self._old.nodes)
        return replace(self._old, nodes=nodes, tensors=tuple(self._tensors))

    def _inputs(self, node: Node) -> Sequence[int]:
        kept = self._keep[node.outputs[0]]
        if node.index in self._layers or node.op == "DEPTHWISE_CONV_2D":
            return self._weighted(node)
        if node.op in _ELEMENTWISE:
            return [self._operand(i, kept) for i in node.inputs]
        if node.op == "CONCATENATION":
            return [self._operand(i, kept[part]) for i, part in _parts(self._old, node)]
        return node.inputs

    def _operand(self, index: int, kept: Flags) -> int:
        """An operand; a constant that has a value a channel loses those that are not kept."""
        tensor = self._old.tensors[index]
        if tensor.data is None or _channels(tensor) != kept.size:
            return index
        return self._sliced(tensor, len(tensor.shape) - 1, kept)

    def _weighted(self, node: Node) -> Sequence[int]:
        x, weights = self._old.tensors[node.inputs[0]], self._old.tensors[node.inputs[1]]
        kept_in, kept_out = self._keep[x.index], self._keep[node.outputs[0]]
        if kept_in.all() and kept_out.all():
            return node.inputs
        sliced = self._sliced(weights, 3 if node.op == "DEPTHWISE_CONV_2D" else 0, kept_out)
        if node.index in self._layers:
            columns = np.tile(kept_in, weights.shape[-1] // kept_in.size)
            sliced = self._sliced(self._tensors[sliced], len(weights.shape) - 1, columns)
        bias = self._bias(node, self._tensors[sliced])
        return (x.index, sliced) if bias is None else (x.index, sliced, self._added(bias))

    def _bias(self, node: Node, weights: Tensor) -> Tensor | None:
        """The biases with the removed channels' constants; `weights` are those that are kept.

        They fit 32 bits: that no accumulator leaves them, whatever the inputs, was checked with the removed
        channels among the inputs.
        """
        kept = self._keep[node.outputs[0]]
        x = self._old.tensors[node.inputs[0]]
        given = self._old.tensors[node.inputs[2]] if len(node.inputs) > 2 and node.inputs[2] >= 0 else None
        values = np.zeros(kept.size, np.int64)
        if given is not None and given.data is not None:
            values += given.data.reshape(-1).astype(np.int64)
        layer = self._layers.get(node.index)
        if layer is not None:
            removed = np.where(self._keep[x.index], 0, layer.constant)
            values += layer.weights.sum(axis=1) @ removed
        if given is None and not values.any():
            return None
        assert x.quantization is not None and weights.quantization is not None
        scales = tuple(x.quantization.scales[0] * scale for scale in weights.quantization.scales)
        return Tensor(
            index=-1,
            name=(given or weights).name,
            dtype="int32",
            shape=(int(kept.sum()),),
            quantization=Quantization(scales, (0,) * len(scales)),
            data=values[kept].astype(np.int32),
        )

    def _sliced(self, tensor: Tensor, axis: int, kept: Flags) -> int:
        """The kept part of a constant along an axis, as a tensor of its own."""
        if kept.all():
            return tensor.index
        assert tensor.data is not None
        data = np.ascontiguousarray(np.compress(kept, tensor.data, axis))
        q = tensor.quantization
        if q is not None and len(q.scales) > 1 and q.axis == axis:
            places = np.flatnonzero(kept)
            q = Quantization(
                tuple(q.scales[i] for i in places), tuple(q.zero_points[i] for i in places), axis
            )
        return self._added(replace(tensor, shape=data.shape, quantization=q, data=data))

    def _added(self, tensor: Tensor) -> int:
        self._tensors.append(replace(tensor, index=len(self._tensors)))
        return len(self._tensors) - 1
