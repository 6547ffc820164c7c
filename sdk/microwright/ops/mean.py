"""MEAN: mean over any axes, with a rescale from the input's scale to the output's."""

from __future__ import annotations

import math
from itertools import groupby

from microwright.graph import Graph, Node, Tensor
from microwright.ops.base import Op, Step, input_tensor, output_tensor, unsupported
from microwright.ops.quantized import Multiplier, per_tensor, require_int8, rescale

# The kernel loops over so many merged axes of each kind.
_LOOPS = 3

# A sum of so many values less their zero point fits in 32 bits.
_MAX_COUNT = 2**23


def lower(graph: Graph, node: Node) -> tuple[Step, ...]:
    """One call of mean_s8. Neighbouring axes that are both kept, or both reduced, are merged into one."""
    tensor = input_tensor(graph, node, 0)
    output = output_tensor(graph, node)
    require_int8(node, tensor)
    require_int8(node, output)
    in_scale, in_zp = per_tensor(node, tensor)
    out_scale, out_zp = per_tensor(node, output)
    reduced = _axes(node, tensor, input_tensor(graph, node, 1))
    kept = [size for axis, size in enumerate(tensor.shape) if axis not in reduced]
    with_ones = [1 if axis in reduced else size for axis, size in enumerate(tensor.shape)]
    expected = with_ones if node.options["keep_dims"] else kept
    if list(output.shape) != expected or tensor.elements == 0:
        raise unsupported(
            node,
            f"its output has shape {list(output.shape)}, expected {expected} with no size of 0",
            "export the model again",
        )
    count = math.prod(tensor.shape[axis] for axis in reduced)
    if count > _MAX_COUNT:
        raise unsupported(node, f"a mean of {count} values is too large", "reduce in two steps")
    keep, reduce = _loops(node, tensor.shape, reduced)
    factor = _mean_multiplier(rescale(node, in_scale / out_scale), count)
    return (
        Step(
            "mean_s8",
            (tensor.index,),
            (output.index,),
            {
                "keep_size": tuple(size for size, _ in keep),
                "keep_stride": tuple(stride for _, stride in keep),
                "reduce_size": tuple(size for size, _ in reduce),
                "reduce_stride": tuple(stride for _, stride in reduce),
                "in_zp": in_zp,
                "out_zp": out_zp,
                "mult": factor.mult,
                "shift": factor.shift,
            },
            # Outputs are computed in the order of the first input that each reads, so output i and those
            # before it need nothing of what is read later at input i or below.
            overlap={0: 0},
        ),
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


Loops = list[tuple[int, int]]


def _loops(node: Node, shape: tuple[int, ...], reduced: frozenset[int]) -> tuple[Loops, Loops]:
    """(size, stride) of the merged axes, those kept and those reduced; outermost first, _LOOPS of each."""
    loops: tuple[Loops, Loops] = ([], [])
    stride = math.prod(shape)
    # An axis of size 1 is neither, so that it does not part its neighbours.
    axes = [axis for axis, size in enumerate(shape) if size > 1]
    for is_reduced, run in groupby(axes, lambda axis: axis in reduced):
        size = math.prod(shape[axis] for axis in run)
        stride //= size
        loops[is_reduced].append((size, stride))
    if max(map(len, loops)) > _LOOPS:
        raise unsupported(
            node, f"axes {sorted(reduced)} of {len(shape)} dimensions alternate too often", "transpose first"
        )
    keep, reduce = ([(1, 0)] * (_LOOPS - len(loop_list)) + loop_list for loop_list in loops)
    return keep, reduce


def _mean_multiplier(scale: Multiplier, count: int) -> Multiplier:
    """scale / count, as QuantizedMeanOrSum of TensorFlow Lite rounds it: down."""
    shift = min(count.bit_length() - 1, 32, 31 + scale.shift)
    return Multiplier((scale.mult << shift) // count, scale.shift - shift)


OP = Op.lowered(lower)
