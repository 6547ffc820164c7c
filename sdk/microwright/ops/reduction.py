"""Reductions over axes: what sums, means and maxima share."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import groupby
from typing import Literal

from microwright.graph import DType, Graph, Node, Tensor
from microwright.ops import table, typed
from microwright.ops.base import Field, Op, Step, always, input_tensor, never, output_tensor, unsupported
from microwright.ops.quantized import Multiplier, per_tensor

# The kernel loops over so many merged axes of each kind.
_LOOPS = 3

# A sum of so many values less their zero point fits in 32 bits; in float32 there is no limit to keep.
_MAX_COUNT = {"int8": 2**23, "int16": 2**15, "float32": 2**23}
# Of sums, in words.
LIMITS = "constant axes, alternating up to 3 times; up to 2^23 values, of int16 2^15"


def operands(graph: Graph, node: Node, dtype: DType | None = None) -> tuple[Tensor, Tensor, frozenset[int]]:
    """(input, output, reduced axes), checked, both of one type that sums can have, or of `dtype`.

    Raises UnsupportedOp.
    """
    x, y = input_tensor(graph, node, 0), output_tensor(graph, node)
    if dtype is None:
        typed.suffix(node, x, y)
    else:
        table.check_types(node, (x, y), (dtype,))
    reduced = _axes(node, x, input_tensor(graph, node, 1))
    kept = [size for axis, size in enumerate(x.shape) if axis not in reduced]
    with_ones = [1 if axis in reduced else size for axis, size in enumerate(x.shape)]
    expected = with_ones if node.options["keep_dims"] else kept
    if list(y.shape) != expected or x.elements == 0:
        raise unsupported(
            node,
            f"its output has shape {list(y.shape)}, expected {expected} with no size of 0",
            "export the model again",
        )
    return x, y, reduced


def sums(
    node: Node, x: Tensor, y: Tensor, reduced: frozenset[int], rescaling: Callable[[], Multiplier], count: int
) -> Step:
    """A call of the type's mean. Neighbouring axes that are both kept, or both reduced, are merged into one.

    Sums are rescaled, or in float32 divided by `count`.
    """
    if math.prod(x.shape[axis] for axis in reduced) > _MAX_COUNT[x.dtype]:
        raise unsupported(
            node,
            f"a {node.op.lower()} of more than {_MAX_COUNT[x.dtype]} values is too large",
            "reduce in two steps",
        )
    last: dict[str, Field] = {"count": float(count)}
    if x.dtype != "float32":
        factor = rescaling()
        last = {**typed.zero_points(node, {"in": x, "out": y}), "mult": factor.mult, "shift": factor.shift}
    return Step(
        f"mean_{typed.suffix(node, x, y)}",
        (x.index,),
        (y.index,),
        {**_loops(node, x.shape, reduced), **last},
        # Outputs are computed in the order of the first input that each reads, so output i and those
        # before it need nothing of what is read later at input i or below.
        overlap={0: 0},
    )


def extremum(graph: Graph, node: Node, dtype: DType, *, flip: int) -> Step:
    """A call of reduce_max_s8; `flip` 0 is for the largest value, -1 for the smallest."""
    x, y, reduced = operands(graph, node, dtype)
    check_scales(node, x, y)
    fields = {**_loops(node, x.shape, reduced), "flip": flip}
    # As in `sums`.
    return Step("reduce_max_s8", (x.index,), (y.index,), fields, overlap={0: 0})


def extremum_op(dtype: Literal["int8", "bool"], *, flip: int) -> Op:
    """The operator of one call of `extremum`. TensorFlow Lite Micro has none for bool."""
    return Op.lowered(
        lambda graph, node: (extremum(graph, node, dtype, flip=flip),),
        types=dtype,
        kernels=("reduce_max_s8",),
        limits="constant axes, alternating up to 3 times"
        + ("; one scale and zero point" if dtype == "int8" else ""),
        in_micro=always if dtype == "int8" else never,
    )


def check_scales(node: Node, x: Tensor, y: Tensor) -> None:
    """Raise UnsupportedOp where what is compared as integers would become other numbers."""
    if x.dtype == "int8" and per_tensor(node, x) != per_tensor(node, y):
        raise unsupported(
            node,
            "input and output have different scales or zero points",
            "quantise the model again: the converter makes them equal",
        )


def _axes(node: Node, tensor: Tensor, axes: Tensor) -> frozenset[int]:
    """The reduced axes, from 0; negative ones count from the end, repeated ones once."""
    if axes.data is None or axes.dtype != "int32":
        raise unsupported(node, "its axes are not constant int32", "use fixed axes")
    rank = len(tensor.shape)
    values = [int(axis) for axis in axes.data.reshape(-1)]
    for axis in values:
        if not -rank <= axis < rank:
            raise unsupported(node, f"axis {axis} of a tensor of {rank} dimensions", "export the model again")
    return frozenset(axis % rank for axis in values)


def _loops(node: Node, shape: tuple[int, ...], reduced: frozenset[int]) -> dict[str, Field]:
    """Sizes and strides of the merged axes, those kept and those reduced; outermost first, _LOOPS of each."""
    loops: dict[bool, list[tuple[int, int]]] = {False: [], True: []}
    stride = math.prod(shape)
    # An axis of size 1 is neither, so that it does not part its neighbours.
    axes = [axis for axis, size in enumerate(shape) if size > 1]
    for is_reduced, run in groupby(axes, lambda axis: axis in reduced):
        size = math.prod(shape[axis] for axis in run)
        stride //= size
        loops[is_reduced].append((size, stride))
    if max(map(len, loops.values())) > _LOOPS:
        raise unsupported(
            node, f"axes {sorted(reduced)} of {len(shape)} dimensions alternate too often", "transpose first"
        )
    fields: dict[str, Field] = {}
    for name, found in zip(("keep", "reduce"), loops.values(), strict=True):
        padded = [(1, 0)] * (_LOOPS - len(found)) + found
        fields[f"{name}_size"] = tuple(size for size, _ in padded)
        fields[f"{name}_stride"] = tuple(stride for _, stride in padded)
    return fields
