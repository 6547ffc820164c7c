"""Exact graph rewrites: Graph -> Graph, each in a file of its own, applied in the order of PASSES."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from microwright import ops
from microwright.errors import InputError
from microwright.graph import Graph
from microwright.passes import channels, unused

__all__ = ["PASSES", "Applied", "apply", "run"]

PASSES: Mapping[str, Callable[[Graph], Graph]] = {
    "unused": unused.run,
    "channels": channels.run,
}


@dataclass(frozen=True, eq=False)
class Applied:
    """A pass, and the graph before and after it."""

    name: str
    before: Graph
    after: Graph


def run(graph: Graph) -> Graph:
    """Apply all passes. The outputs stay equal to the byte."""
    applied = apply(graph)
    return applied[-1].after if applied else graph


def apply(graph: Graph) -> tuple[Applied, ...]:
    """The passes that change the graph, in order.

    A graph that the engine does not take loses its unused nodes only; the plan says what is wrong with it.
    """
    applied: list[Applied] = []
    for name, rewrite in PASSES.items():
        if name != "unused" and not _is_supported(graph):
            continue
        after = rewrite(graph)
        if after is not graph:
            applied.append(Applied(name, graph, after))
            graph = after
    return tuple(applied)


def _is_supported(graph: Graph) -> bool:
    try:
        ops.check(graph)
    except InputError:
        return False
    return True
