"""Functions in float32 between a DEQUANTIZE and a QUANTIZE: one table of int8.

So the converter leaves functions that it has no int8 form of.
"""

from __future__ import annotations

from microwright.graph import Graph
from microwright.passes import tables


def run(graph: Graph) -> Graph:
    """The graph with tables for what is made of one int8 tensor by way of float32."""
    return tables.without_floats(graph)
