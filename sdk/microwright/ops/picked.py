"""Slices by indices that the model computes: GATHER, GATHER_ND and EMBEDDING_LOOKUP up to their shapes."""

from __future__ import annotations

import math

from microwright.graph import ITEM_BYTES, Graph, Node, Tensor
from microwright.ops import table
from microwright.ops.base import Field, Step, input_tensor, output_tensor, unsupported

DEPTH = 5


def step(
    node: Node,
    x: Tensor,
    indices: Tensor,
    y: Tensor,
    *,
    batches: int,
    outer: int,
    extents: tuple[int, ...],
    run: int,
) -> Step:
    """A call. `extents` are of the axes that an index has numbers for; `run` elements lie behind them."""
    table.check_types(node, (indices,), ("int32",))
    if 0 in (x.elements, y.elements, indices.elements):
        raise unsupported(node, f"of {x.shape} it makes {y.shape}", "export the model again")
    run_bytes = run * ITEM_BYTES[x.dtype]
    strides = tuple(run_bytes * math.prod(extents[axis + 1 :]) for axis in range(len(extents)))
    unused = (0,) * (DEPTH - len(extents))
    fields: dict[str, Field] = {
        "batches": batches,
        "outer": outer,
        "count": indices.elements // batches // len(extents),
        "depth": len(extents),
        "extents": extents + unused,
        "strides": strides + unused,
        "outer_bytes": run_bytes * math.prod(extents),
        "run_bytes": run_bytes,
    }
    return Step("gather", (x.index, indices.index), (y.index,), fields)


def in_micro(graph: Graph, node: Node) -> bool:
    """TensorFlow Lite Micro takes int8 and float32, and indices of 32 bits."""
    indices = next(t for t in (input_tensor(graph, node, i) for i in (1, 0)) if "int" in t.dtype)
    return output_tensor(graph, node).dtype in ("int8", "float32") and indices.dtype == "int32"
