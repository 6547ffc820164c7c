"""MAXIMUM and MINIMUM, with broadcasting."""

from __future__ import annotations

from microwright.graph import Graph, Node
from microwright.ops import broadcast, integers, typed
from microwright.ops.base import Op, Step, input_tensor, output_tensor, unsupported
from microwright.ops.quantized import per_tensor


def _check(graph: Graph, node: Node) -> None:
    """Operands and output of one type, scale and zero point: integers are compared as they are."""
    suffix = broadcast.suffix(graph, node)
    broadcast.nest(graph, node)
    if suffix == "f32":
        return
    y = per_tensor(node, output_tensor(graph, node))
    if any(per_tensor(node, input_tensor(graph, node, i)) != y for i in range(2)):
        raise unsupported(
            node,
            "operands and output have different scales or zero points",
            "quantise the model again: the converter makes them equal",
        )


def op(stem: str) -> Op:
    """The operator whose kernels are STEM_s8 and so on."""

    def lower(graph: Graph, node: Node) -> tuple[Step, ...]:
        return (broadcast.step(graph, node, f"{stem}_{broadcast.suffix(graph, node)}", {}),)

    return integers.also(
        Op(
            _check,
            lower,
            types=typed.TYPES,
            kernels=typed.kernels(stem),
            limits="operands and output of one scale and zero point",
        )
    )
