"""PAD (with the zero point) and PADV2 (with a constant), int8, any axes."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

from microwright.graph import Graph, Node
from microwright.ops.base import Field, Op, Step, input_tensor, optional_input, output_tensor, unsupported
from microwright.ops.quantized import per_tensor, require_int8

# Groups of axes that the kernel loops over, and axes that the reference interpreter takes.
_MAX_GROUPS = 4
_MAX_AXES = 5


class _Axis(NamedTuple):
    extent: int
    before: int
    after: int


def axes(graph: Graph, node: Node) -> list[_Axis]:
    """Extent and padding of each axis of the input."""
    x, paddings = input_tensor(graph, node, 0), input_tensor(graph, node, 1)
    if (
        paddings.data is None
        or paddings.dtype not in ("int32", "int64")
        or paddings.elements != 2 * len(x.shape)
    ):
        raise unsupported(
            node,
            "the paddings are not a constant with two integers an axis",
            "give the padding as numbers, not as a tensor computed by the model",
        )
    pairs = paddings.data.reshape(-1, 2).tolist()
    return [_Axis(extent, *pair) for extent, pair in zip(x.shape, pairs, strict=True)]


def _groups(axes: list[_Axis]) -> list[_Axis]:
    """Axes without padding merged into the one before them, led by axes of extent 1 up to the kernel's 4."""
    groups: list[_Axis] = []
    for axis in axes:
        if groups and axis.before == axis.after == 0:
            groups[-1] = _Axis(*(size * axis.extent for size in groups[-1]))
        else:
            groups.append(axis)
    return [_Axis(1, 0, 0)] * (_MAX_GROUPS - len(groups)) + groups


def check(graph: Graph, node: Node) -> None:
    """int8, with constant paddings that give the output's shape."""
    x, y = input_tensor(graph, node, 0), output_tensor(graph, node)
    require_int8(node, x)
    require_int8(node, y)
    paddings = axes(graph, node)
    if any(axis.before < 0 or axis.after < 0 for axis in paddings):
        raise unsupported(node, "negative padding", "use a cropping layer")
    shape = tuple(axis.before + axis.extent + axis.after for axis in paddings)
    if shape != y.shape:
        raise unsupported(node, f"padding gives {shape}, the output is {y.shape}", "export the model again")
    if len(paddings) > _MAX_AXES or len(_groups(paddings)) > _MAX_GROUPS:
        raise unsupported(
            node,
            f"padding of {len(paddings)} axes, the kernel takes {_MAX_GROUPS} with padding "
            f"of {_MAX_AXES} in all",
            "pad in two steps",
        )
    per_tensor(node, y)
    value = optional_input(graph, node, 2)
    if value is not None:
        require_int8(node, value)
        if value.data is None or value.elements != 1:
            raise unsupported(node, "the padding value is not one constant", "pad with a number")
        if per_tensor(node, value) != per_tensor(node, y):
            raise unsupported(
                node,
                "the padding value has another scale or zero point than the output",
                "quantise the model again: the converter makes them equal",
            )


def lower(graph: Graph, node: Node) -> tuple[Step, ...]:
    """One kernel call."""
    x, y = input_tensor(graph, node, 0), output_tensor(graph, node)
    constant = optional_input(graph, node, 2)
    value = per_tensor(node, y)[1]
    if constant is not None and constant.data is not None:
        value = int(constant.data.reshape(-1)[0])
    groups = _groups(axes(graph, node))
    fields: dict[str, Field] = {
        "extents": tuple(group.extent for group in groups),
        "before": tuple(group.before for group in groups),
        "after": tuple(group.after for group in groups),
        "value": value,
    }
    # Each row moves down to its place, as long as the last one does: the others move farther.
    return (Step("pad_s8", (x.index,), (y.index,), fields, overlap={0: _last_row_moves(groups)}),)


def _last_row_moves(groups: list[_Axis]) -> int:
    """How much farther from the start the input's last row of bytes is in the output than in the input."""
    moves = groups[-1].before
    in_bytes = out_bytes = 1
    for inner, outer in pairwise(reversed(groups)):
        in_bytes *= inner.extent
        out_bytes *= sum(inner)
        moves += (outer.before + outer.extent - 1) * out_bytes - (outer.extent - 1) * in_bytes
    return moves


OP = Op(
    check, lower, types="int8", kernels=("pad_s8",), limits="constant paddings of up to 4 axes, of 5 in all"
)
