"""LOG_SOFTMAX over the last axis, int8. The output's scale is 1/16 and its zero point 127."""

from __future__ import annotations

from microwright.graph import Graph, Node
from microwright.ops import softmax, table
from microwright.ops.base import Field, Op, Step, unsupported
from microwright.ops.quantized import multiplier, per_tensor


def lower(graph: Graph, node: Node) -> tuple[Step, ...]:
    """One call."""
    x, y = table.check_unary(graph, node)
    if per_tensor(node, y) != (1 / 16, 127):
        raise unsupported(
            node, "the output's scale is not 1/16 with zero point 127", "quantise the model again"
        )
    rows = softmax.rows(node, x, y)
    rescaling, entries = softmax.exponents(node, x)
    back = multiplier(2.0 ** (31 - rescaling.shift) / rescaling.mult)
    fields: dict[str, Field] = {
        **rows,
        "mult": rescaling.mult,
        "shift": rescaling.shift,
        "back_mult": back.mult,
        "back_shift": back.shift,
        "entries": entries,
    }
    # An element is written when it, and all that its row's sum needs, has been read.
    return (Step("log_softmax_s8", (x.index,), (y.index,), fields, overlap={0: 0}),)


OP = Op.lowered(
    lower,
    types="int8",
    kernels=("log_softmax_s8",),
    limits="up to 4095 classes; an output of scale 1/16 and zero point 127",
)
