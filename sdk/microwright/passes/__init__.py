"""Exact graph rewrites: Graph -> Graph, each in a file of its own, applied in the order of PASSES."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from microwright import ops
from microwright.errors import InputError
from microwright.graph import Graph
from microwright.passes import activations, channels, constants, padding, requantize, reshapes, unused

__all__ = ["PASSES", "Applied", "apply", "run"]

PASSES: Mapping[str, Callable[[Graph], Graph]] = {
    "unused": unused.run,
    "constants": constants.run,
    "requantize": requantize.run,
    "reshapes": reshapes.run,
    "padding": padding.run,
    "activations": activations.run,
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
    """The passes that change the graph, in order, until none does: each makes it smaller, so that this ends.

    A graph that the engine does not take loses its unused nodes only; the plan says what is wrong with it.
    """
    applied: list[Applied] = []

    def change(names: Iterable[str]) -> bool:
        nonlocal graph
        before = len(applied)
        for name in names:
            after = PASSES[name](graph)
            if after is not graph:
                applied.append(Applied(name, graph, after))
                graph = after
        return len(applied) > before

    change(["unused"])
    if _is_supported(graph):
        while change(PASSES):
            pass
    return tuple(applied)


def _is_supported(graph: Graph) -> bool:
    try:
        ops.check(graph)
    except InputError:
        return False
    return True
