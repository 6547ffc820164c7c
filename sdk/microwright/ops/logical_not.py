"""LOGICAL_NOT: a table whose first entry is true."""

from __future__ import annotations

import numpy as np

from microwright.graph import Graph, Node
from microwright.ops import table
from microwright.ops.base import Constant, Field, Op, Step, input_tensor, output_tensor


def lower(graph: Graph, node: Node) -> tuple[Step, ...]:
    """One call. Every byte but 0 is true."""
    x, y = input_tensor(graph, node, 0), output_tensor(graph, node)
    table.check_types(node, (x, y), ("bool",))
    table.check_elements(node, x, y)
    table_of = Constant((np.arange(256) == 0).astype(np.uint8))
    fields: dict[str, Field] = {"elements": x.elements, "table": table_of}
    return (Step("lookup_8", (x.index,), (y.index,), fields, overlap={0: 0}),)


OP = Op.lowered(lower, types="bool", kernels=("lookup_8",))
