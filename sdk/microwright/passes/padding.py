"""Padding nodes before a window without padding of its own: the window pads itself.

Exact where the node pads with what the window leaves out: the zero point for a convolution, the smallest
value for a maximum.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from microwright import ops
from microwright.graph import Graph, Node, Option
from microwright.ops import window
from microwright.ops.quantized import limits
from microwright.passes import edit


def run(graph: Graph) -> Graph:
    """The graph with padding done by convolutions and maximum pools; nodes with other readers stay."""
    writers = edit.writers(graph)
    return edit.with_nodes(graph, [_padded(graph, n, writers.get(n.inputs[0])) for n in graph.nodes])


def _padded(graph: Graph, node: Node, pad: Node | None) -> Node:
    if pad is None or pad.op not in ("PAD", "PADV2") or node.options.get("padding") != "VALID":
        return node
    if node.op not in ("CONV_2D", "DEPTHWISE_CONV_2D", "MAX_POOL_2D"):
        return node
    x, y = graph.tensors[pad.inputs[0]], graph.tensors[pad.outputs[0]]
    (step,) = ops.get(pad).lower(graph, pad)
    zero = 0 if y.quantization is None else y.quantization.zero_points[0]
    # A maximum leaves out what is smaller than all values.
    left_out = zero if node.op != "MAX_POOL_2D" else None if y.dtype == "float32" else limits(y)[0]
    if not edit.same_values(graph, x.index, y.index) or step.fields["value"] != left_out:
        return node
    options = _options(graph, node, pad)
    return node if options is None else replace(edit.read_instead(node, y.index, x.index), options=options)


def _options(graph: Graph, node: Node, pad: Node) -> Mapping[str, Option] | None:
    """Of the window that pads as the padding node does; None where there is none.

    A window has to reach into the image, and there is no padding along other axes.
    """
    paddings = graph.tensors[pad.inputs[1]].data
    assert paddings is not None
    batch, height, width, channels = ((int(before), int(after)) for before, after in paddings.reshape(-1, 2))
    _, in_h, in_w, _ = graph.tensors[pad.inputs[0]].shape
    (step,) = ops.get(node).lower(graph, node)
    if any((*batch, *channels)):
        return None
    same = True
    for side, size, (before, after) in (("h", in_h, height), ("w", in_w, width)):
        dilation = step.number(f"dilation_{side}") if f"dilation_{side}" in step.fields else 1
        span = (step.number(f"filter_{side}") - 1) * dilation + 1
        if before >= span or after >= span:
            return None
        out, stride = step.number(f"out_{side}"), step.number(f"stride_{side}")
        same &= (out, before) == window.same_padding(size, span, stride)
    if same:
        return {**node.options, "padding": "SAME"}
    return {**node.options, "padding": window.EXPLICIT, "padding_h": height, "padding_w": width}
