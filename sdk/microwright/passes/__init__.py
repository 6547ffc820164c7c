"""Exact graph rewrites: Graph -> Graph, each in a file of its own, applied in the order of PASSES."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

from microwright import ops
from microwright.errors import InputError
from microwright.graph import Graph, Node
from microwright.passes import (
    activations,
    channels,
    constants,
    depthwise,
    floats,
    merging,
    padding,
    requantize,
    reshapes,
    tables,
    unused,
)

__all__ = ["PASSES", "Applied", "Rewritten", "apply", "run"]

PASSES: Mapping[str, Callable[[Graph], Graph]] = {
    "unused": unused.run,
    "constants": constants.run,
    "floats": floats.run,
    "requantize": requantize.run,
    "reshapes": reshapes.run,
    "padding": padding.run,
    "activations": activations.run,
    "depthwise": depthwise.run,
    "channels": channels.run,
    "merging": merging.run,
    "tables": tables.run,
}


@dataclass(frozen=True, eq=False)
class Applied:
    """A pass that changed the graph, and the graph before and after it."""

    name: str
    before: Graph
    after: Graph

    @property
    def channels(self) -> int:
        """Channels that the nodes' outputs lost, not counting those of nodes that went."""
        widths = {node.index: _width(self.after, node) for node in self.after.nodes}
        return sum(
            _width(self.before, node) - widths[node.index]
            for node in self.before.nodes
            if node.index in widths
        )


@dataclass(frozen=True, eq=False)
class Rewritten:
    """A graph after all passes, and what each of them did."""

    graph: Graph
    applied: tuple[Applied, ...]


def run(graph: Graph) -> Graph:
    """Apply all passes. The outputs stay equal to the byte."""
    return apply(graph).graph


def apply(graph: Graph, names: Collection[str] = tuple(PASSES)) -> Rewritten:
    """Apply passes, all or those of `names`, in order until none changes the graph: each makes it smaller, so
    that this ends.

    Of a graph that the engine does not take, only what needs no kernels is changed; the plan says what is
    wrong with it.
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

    # What computes shapes goes before anybody asks for its kernels, and what is computed in float32.
    change(["unused", "constants", "floats"])
    if _is_supported(graph):
        while change(names):
            pass
    return Rewritten(graph, tuple(applied))


def _is_supported(graph: Graph) -> bool:
    try:
        ops.check(graph)
    except InputError:
        return False
    return True


def _width(graph: Graph, node: Node) -> int:
    """Length of the last axis of the node's outputs."""
    return sum(graph.tensors[index].shape[-1] for index in node.outputs if graph.tensors[index].shape)
