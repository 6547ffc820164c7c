"""PAD (with the zero point, or 0) and PADV2 (with a constant), any axes."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

from microwright.graph import ITEM_BYTES, Graph, Node
from microwright.ops import typed
from microwright.ops.base import Field, Op, Step, input_tensor, optional_input, output_tensor, unsupported
from microwright.ops.quantized import per_tensor

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
    """Of one type, with constant paddings that give the output's shape."""
    x, y = input_tensor(graph, node, 0), output_tensor(graph, node)
    typed.suffix(node, x, y)
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
    value = optional_input(graph, node, 2)
    if value is not None:
        typed.suffix(node, y, value)
        if value.data is None or value.elements != 1:
            raise unsupported(node, "the padding value is not one constant", "pad with a number")
        if y.dtype != "float32" and per_tensor(node, value) != per_tensor(node, y):
            raise unsupported(
                node,
                "the padding value has another scale or zero point than the output",
                "quantise the model again: the converter makes them equal",
            )


def lower(graph: Graph, node: Node) -> tuple[Step, ...]:
    """One kernel call."""
    x, y = input_tensor(graph, node, 0), output_tensor(graph, node)
    constant = optional_input(graph, node, 2)
    value: int | float = 0.0 if y.dtype == "float32" else per_tensor(node, y)[1]
    if constant is not None and constant.data is not None:
        value = constant.data.reshape(-1)[0].item()
    groups = _groups(axes(graph, node))
    fields: dict[str, Field] = {
        "extents": tuple(group.extent for group in groups),
        "before": tuple(group.before for group in groups),
        "after": tuple(group.after for group in groups),
        "value": value,
    }
    # Each row moves down to its place, as long as the last one does: the others move farther.
    distance = ITEM_BYTES[x.dtype] * _last_row_moves(groups)
    kernel = f"pad_{typed.suffix(node, x, y)}"
    return (Step(kernel, (x.index,), (y.index,), fields, overlap={0: distance}),)


def _last_row_moves(groups: list[_Axis]) -> int:
    """How much farther from the start the input's last row is in the output than in the input, in values."""
    moves = groups[-1].before
    in_size = out_size = 1
    for inner, outer in pairwise(reversed(groups)):
        in_size *= inner.extent
        out_size *= sum(inner)
        moves += (outer.before + outer.extent - 1) * out_size - (outer.extent - 1) * in_size
    return moves


OP = Op(
    check,
    lower,
    types=typed.TYPES,
    kernels=typed.kernels("pad"),
    limits="constant paddings of up to 4 axes, of 5 in all",
)
