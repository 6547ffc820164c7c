"""Whatever is made of one int8 tensor becomes a table: the reference's bytes for all 256 values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pytest

from microwright import ops, passes
from microwright.errors import UnsupportedOp
from microwright.graph import Graph
from tests.support import layers
from tests.support.layers import Layers, Rng
from tests.support.native import assert_equal_to_reference
from tests.support.tflite_maker import Maker

VALUES = np.arange(-128, 128).astype(np.int8)


def operators(graph: Graph) -> list[str]:
    return [node.op for node in passes.run(graph).nodes]


class Chain:
    """Operators of one input of all 256 values."""

    def __init__(self, *, scale: float = 0.03, zero_point: int = 5) -> None:
        self.layers = Layers()
        self.x = self.layers.input((256,), scale=scale, zero_point=zero_point)

    @property
    def maker(self) -> Maker:
        return self.layers.maker

    def node(
        self, op: str, operands: Sequence[int], dtype: str = "int8", scale: float = 0.02, **options: object
    ) -> int:
        """A node of operands of 256 elements or one."""
        quantization = {"scale": scale, "zero_point": 3} if dtype == "int8" else {}
        y = self.maker.tensor((256,), dtype, **quantization)
        self.maker.node(op, operands, [y], **options)
        return y

    def constant(self, value: int, *, scale: float = 0.02, zero_point: int = 3) -> int:
        return self.maker.const(np.int8(value), scale=scale, zero_point=zero_point)

    def graph(self, *outputs: int) -> Graph:
        self.layers.outputs += outputs
        return self.layers.graph()


def swish(c: Chain) -> int:
    gate = c.maker.tensor((256,), scale=1 / 256, zero_point=-128)
    c.maker.node("LOGISTIC", [c.x], [gate])
    return c.node("MUL", [c.x, gate])


def shrink(c: Chain) -> int:
    small = c.node("ABS", [c.x])
    kept = c.node("GREATER", [small, c.constant(25)], "bool")
    y = c.node("ADD", [c.x, c.constant(3)])
    return c.node("SELECT_V2", [kept, y, c.constant(3)])


def softsign(c: Chain) -> int:
    below = c.node("ADD", [c.node("ABS", [c.x]), c.constant(53)], scale=0.05)
    return c.node("DIV", [c.x, below], scale=0.01)


def logic(c: Chain) -> int:
    inside = [c.node(op, [c.x, c.constant(at)], "bool") for op, at in (("LESS", 90), ("GREATER_EQUAL", -20))]
    both = c.node("LOGICAL_AND", inside, "bool")
    either = c.node("LOGICAL_OR", [both, c.node("LOGICAL_NOT", inside[:1], "bool")], "bool")
    return c.node("SELECT_V2", [either, c.node("SQUARED_DIFFERENCE", [c.x, c.constant(9)]), c.constant(-4)])


def clip(c: Chain) -> int:
    quantization = {"scale": 0.03, "zero_point": 5}
    y = c.maker.tensor((256,), **quantization)
    c.maker.node("MINIMUM", [c.x, c.constant(70, **quantization)], [y])
    z = c.maker.tensor((256,), **quantization)
    c.maker.node("MAXIMUM", [y, c.constant(-70, **quantization)], [z])
    return z


def truth_as_number(c: Chain) -> int:
    truth = c.node("GREATER", [c.x, c.constant(9)], "bool")
    return c.node("MUL", [c.x, c.node("QUANTIZE", [c.node("CAST", [truth], "float32")])])


def floats(*names: str, constant: float | None = None) -> Callable[[Chain], int]:
    """Operators of float32 one after the other, each with a constant where there is one."""

    def chain(c: Chain) -> int:
        y = c.node("DEQUANTIZE", [c.x], "float32")
        for name in names:
            operands = [y] if constant is None else [y, c.maker.const(np.float32(constant))]
            y = c.node(name, operands, "float32")
        return c.node("QUANTIZE", [y])

    return chain


def chosen_float(c: Chain) -> int:
    x = c.node("DEQUANTIZE", [c.x], "float32")
    positive = c.node("GREATER", [x, c.maker.const(np.float32(0))], "bool")
    return c.node("QUANTIZE", [c.node("SELECT_V2", [positive, x, c.node("SIN", [x], "float32")], "float32")])


CHAINS: Mapping[str, Callable[[Chain], int]] = {
    "swish": swish,
    "shrink": shrink,
    "softsign": softsign,
    "logic": logic,
    "clip": clip,
    "truth as number": truth_as_number,
    "chosen float": chosen_float,
    "ABS SQRT": floats("ABS", "SQRT"),
    "EXP": floats("EXP"),
    "TANH ELU": floats("TANH", "ELU"),
    **{name: floats(name) for name in ("CEIL", "COS", "FLOOR", "NEG", "ROUND", "SIGN", "SIN", "SQUARE")},
    **{name: floats(name, constant=0.3) for name in ("FLOOR_DIV", "FLOOR_MOD", "ADD", "SUB", "MUL", "DIV")},
    "POW": floats("POW", constant=3.0),
    "negative FLOOR_MOD": floats("FLOOR_MOD", constant=-0.7),
    "MAXIMUM": floats("MAXIMUM", "MINIMUM", constant=0.4),
}


@pytest.mark.parametrize("name", CHAINS)
def test_chains_of_operators_are_one_table(name: str) -> None:
    chain = Chain()
    graph = chain.graph(CHAINS[name](chain))
    assert operators(graph) == [ops.LOOKUP]
    assert_equal_to_reference(graph, [(VALUES,)])


@pytest.mark.parametrize(("power", "least", "at_zero"), [(-1.0, -47, 127), (-0.5, 3, 127), (2.0, 3, 3)])
def test_a_power_of_zero_is_what_c_says(power: float, least: int, at_zero: int) -> None:
    chain = Chain(scale=1.0)
    (node,) = passes.run(chain.graph(floats("POW", constant=power)(chain))).nodes
    table = np.array(node.options["table"], np.uint8).view(np.int8)
    # The input's zero point is 5, the output's 3; roots of negative numbers are no numbers, which become 0.
    assert (table[5], table.min()) == (at_zero, least)


def test_random_functions_in_float32() -> None:
    made, rng = Layers(), np.random.default_rng(53)
    names = ("ELU", "NEG", "SQRT", "SQUARE")
    for op in names * 8:
        _between_floats(made, rng, op)
    graph = made.graph()
    assert operators(graph) == [ops.LOOKUP] * 32
    assert_equal_to_reference(graph, [(VALUES,) * len(graph.inputs)])


def _between_floats(made: Layers, rng: Rng, op: str) -> None:
    scale = float(np.float32(2.0 ** rng.uniform(-8, -3)))
    # Square roots of negative numbers are no numbers.
    zero_point = -128 if op == "SQRT" else layers.zero_point(rng)
    x = made.input((256,), scale=scale, zero_point=zero_point)
    first, second = (made.maker.tensor((256,), "float32") for _ in range(2))
    out_scale = float(np.float32(2.0 ** rng.uniform(-8, 0)))
    y = made.output((256,), scale=out_scale, zero_point=layers.zero_point(rng))
    made.maker.node("DEQUANTIZE", [x], [first])
    made.maker.node(op, [first], [second])
    made.maker.node("QUANTIZE", [second], [y])


def test_a_tensor_that_others_read_stays() -> None:
    c = Chain()
    squashed = c.maker.tensor((256,), scale=1 / 128)
    c.maker.node("TANH", [c.x], [squashed])
    graph = c.graph(squashed, c.node("MUL", [c.x, squashed]))
    assert operators(graph) == ["TANH", ops.LOOKUP]
    assert_equal_to_reference(graph, [(VALUES,)])


def test_functions_of_two_tensors_stay() -> None:
    c = Chain()
    other = c.layers.input((256,), scale=0.03, zero_point=5)
    product = c.node("MUL", [c.x, other])
    graph = c.graph(c.node("ADD", [product, c.node("ABS", [c.x])]))
    assert operators(graph) == ["MUL", "ABS", "ADD"]
    assert_equal_to_reference(graph, [(VALUES, VALUES[::-1].copy())])


def test_constants_of_several_values_stay() -> None:
    c = Chain()
    by_element = c.maker.const(VALUES, scale=0.02)
    graph = c.graph(c.node("ABS", [c.node("ADD", [c.x, by_element])]))
    assert operators(graph) == ["ADD", "ABS"]


def test_a_function_whose_floats_are_an_output_stays() -> None:
    c = Chain()
    real = c.node("DEQUANTIZE", [c.x], "float32")
    graph = c.graph(real, c.node("QUANTIZE", [c.node("NEG", [real], "float32")]))
    assert operators(graph) == ["DEQUANTIZE", ops.LOOKUP]


def test_one_operator_keeps_its_name() -> None:
    c = Chain()
    assert operators(c.graph(c.node("ABS", [c.x]))) == ["ABS"]


def test_arithmetic_of_truth_values_is_refused() -> None:
    """Such files are damaged ones: numpy has no `-` of them."""
    c = Chain()
    large = c.node("GREATER", [c.x, c.constant(25)], "bool")
    graph = c.graph(c.node("NEG", [large], "bool"))
    assert operators(graph) == ["GREATER", "NEG"]
    with pytest.raises(UnsupportedOp):
        ops.check(graph)
