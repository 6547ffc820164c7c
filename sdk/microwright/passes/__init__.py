"""Exact graph rewrites: Graph -> Graph, each in a file of its own, applied in the order of PASSES."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from microwright.graph import Graph
from microwright.passes import unused

__all__ = ["PASSES", "run"]

PASSES: Mapping[str, Callable[[Graph], Graph]] = {
    "unused": unused.run,
}


def run(graph: Graph) -> Graph:
    """Apply all passes. The outputs stay equal to the byte."""
    for rewrite in PASSES.values():
        graph = rewrite(graph)
    return graph
