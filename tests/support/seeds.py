"""Small models that have every operator, for tests that change files at random."""

from __future__ import annotations

from functools import cache

import numpy as np

from tests.ops import (
    test_pairs,
    test_products,
    test_rearrange,
    test_reductions,
    test_svdf,
    test_unidirectional_sequence_lstm,
)
from tests.support.layers import Layers
from tests.support.random_graph import RandomGraph
from tests.support.stateful import counter
from tests.support.tflite_maker import Maker

_UNARY = ("ABS", "ELU", "EXP", "HARD_SWISH", "LOG", "NEG", "RSQRT", "SQRT", "SQUARE", "TANH")
_CUT = ("RELU_0_TO_1", "RELU_N1_TO_1")


def through_floats(op: str) -> bytes:
    """A function in float32 between int8 and int8."""
    m = Maker()
    x, y = (m.tensor((1, 4), scale=0.1) for _ in range(2))
    a, b = (m.tensor((1, 4), "float32") for _ in range(2))
    m.node("DEQUANTIZE", [x], [a])
    m.node(op, [a], [b])
    m.node("QUANTIZE", [b], [y])
    return m.build([x], [y])


def filled(rank: int = 3) -> bytes:
    """A constant of the shape of the input; SHAPE says it has `rank` dimensions."""
    m = Maker()
    x, f, y = (m.tensor((2, 3, 4), scale=0.1) for _ in range(3))
    shape = m.tensor((rank,), "int32")
    m.node("SHAPE", [x], [shape])
    m.node("FILL", [shape, m.const(np.int8(3), scale=0.1)], [f])
    m.node("MAXIMUM", [x, f], [y])
    return m.build([x], [y])


def _unary(op: str) -> bytes:
    """A function of int8, whose results are all finite."""
    m = Maker()
    x, y = m.tensor((1, 4), scale=0.1, zero_point=-128), m.tensor((1, 4), scale=0.2)
    m.node(op, [x], [y])
    return m.build([x], [y])


def _shapes() -> bytes:
    """What only gives elements another shape, and padding of a value of its own."""
    m = Maker()
    x = m.tensor((1, 2, 3, 1), scale=0.1)
    padded, squeezed, y = (m.tensor(shape, scale=0.1) for shape in ((1, 4, 3, 1), (4, 3), (1, 4, 3)))
    around, value = m.const([[0, 0], [1, 1], [0, 0], [0, 0]], dtype="int32"), m.const(np.int8(3), scale=0.1)
    m.node("PADV2", [x, around, value], [padded])
    m.node("SQUEEZE", [padded], [squeezed], squeeze_dims=[0, 3])
    m.node("EXPAND_DIMS", [squeezed, m.const(np.int32(0))], [y])
    return m.build([x], [y])


def _least() -> bytes:
    m = Maker()
    x, y = m.tensor((2, 5), scale=0.1), m.tensor((2,), "int32")
    m.node("ARG_MIN", [x, m.const(np.int32(1))], [y], output_type=2)
    return m.build([x], [y])


def _variable() -> bytes:
    m, x, y = counter()
    return m.build([x], [y])


@cache
def models() -> tuple[bytes, ...]:
    """A small model of each operator, and some of several."""
    rng = np.random.default_rng(0)
    made = [*(through_floats(op) for op in ("EXP", "SQRT", "NEG", "ELU")), *map(_unary, (*_UNARY, *_CUT))]
    made += [filled(), _shapes(), _least()]
    made.append(_variable())
    families = (*test_rearrange.OPERATORS.values(), *test_products.FAMILIES, *test_reductions.FAMILIES)
    for add in (*families, test_svdf.add_svdf, test_unidirectional_sequence_lstm.add_lstm):
        layers = Layers()
        add(layers, rng)
        made.append(layers.maker.build(layers.inputs, layers.outputs))
    for op in test_pairs.SCALES:
        layers = Layers()
        while not layers.outputs:
            test_pairs.add_pair(layers, rng, op)
        made.append(layers.maker.build(layers.inputs, layers.outputs))
    return (*made, *(RandomGraph(seed).build(8).flatbuffer for seed in range(8)))
