"""What graph passes have in common: who writes and reads a tensor, and nodes that step out of the way."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from microwright.graph import Graph, Node
from microwright.passes import unused


def writers(graph: Graph) -> Mapping[int, Node]:
    """The node that writes each tensor that is computed."""
    return {index: node for node in graph.nodes for index in node.outputs}


def reads(graph: Graph) -> Mapping[int, int]:
    """How often each tensor is read, by nodes or as an output of the graph; without those that never are."""
    count: dict[int, int] = {}
    for index in (*graph.outputs, *(i for node in graph.nodes for i in node.inputs)):
        count[index] = count.get(index, 0) + 1
    return count


def same_values(graph: Graph, a: int, b: int) -> bool:
    """Whether two tensors' integers stand for the same numbers."""
    x, y = graph.tensors[a], graph.tensors[b]
    if x.dtype != y.dtype or x.quantization is None or y.quantization is None:
        return x.dtype == y.dtype and x.quantization is y.quantization
    return (x.quantization.scales, x.quantization.zero_points) == (
        y.quantization.scales,
        y.quantization.zero_points,
    )


def read_instead(node: Node, old: int, new: int) -> Node:
    """The node with one operand for another."""
    return replace(node, inputs=tuple(new if index == old else index for index in node.inputs))


def with_nodes(graph: Graph, nodes: Sequence[Node]) -> Graph:
    """The graph with other nodes, less those that nobody reads any longer; itself where they are its own."""
    return graph if graph.nodes == tuple(nodes) else unused.run(replace(graph, nodes=tuple(nodes)))


def without(graph: Graph, does_nothing: Callable[[Graph, Node], bool]) -> Graph:
    """The graph without nodes that do nothing: whose output, as bytes, is their first input.

    Readers of such an output read the input; where it is the graph's, the node in front writes it. A node
    stays where shapes or what the values stand for differ, or where no node in front could.
    """
    nodes: list[Node] = []
    instead: dict[int, int] = {}
    for node in (_renamed(given, instead) for given in graph.nodes):
        if not does_nothing(graph, node) or not _is_same(graph, x := node.inputs[0], y := node.outputs[0]):
            nodes.append(node)
        elif y not in graph.outputs:
            instead[y] = x
        elif x in graph.inputs or x in graph.outputs or graph.tensors[x].data is not None:
            nodes.append(node)
        else:
            nodes = [_renamed(other, {x: y}) for other in nodes]
            instead = {old: y if new == x else new for old, new in instead.items()} | {x: y}
    return graph if len(nodes) == len(graph.nodes) else replace(graph, nodes=tuple(nodes))


def _is_same(graph: Graph, x: int, y: int) -> bool:
    return graph.tensors[x].shape == graph.tensors[y].shape and same_values(graph, x, y)


def _renamed(node: Node, instead: Mapping[int, int]) -> Node:
    """The node with other tensors for some of its operands and outputs."""
    if instead.keys().isdisjoint((*node.inputs, *node.outputs)):
        return node
    inputs, outputs = (tuple(instead.get(i, i) for i in of) for of in (node.inputs, node.outputs))
    return replace(node, inputs=inputs, outputs=outputs)
