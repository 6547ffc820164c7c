"""Small models that have every operator, for tests that change files at random."""

from __future__ import annotations

from functools import cache, partial

import numpy as np

from tests.ops import (
    test_comparisons,
    test_gather,
    test_pairs,
    test_products,
    test_rearrange,
    test_reductions,
    test_softmax,
    test_svdf,
    test_unidirectional_sequence_lstm,
)
from tests.support.layers import Layers
from tests.support.random_graph import RandomGraph
from tests.support.stateful import counter
from tests.support.tflite_maker import Maker

# Layers of operators whose kernel is the same on all cores.
PAIRS = tuple(partial(test_pairs.add_pair, op=op) for op in test_pairs.SCALES)
FAMILIES = (
    *test_products.FAMILIES,
    *test_reductions.FAMILIES,
    *test_comparisons.FAMILIES,
    test_gather.add_constant,
    test_pairs.add_int32,
    test_softmax.add_log_softmax,
)
_UNARY = ("ABS", "ELU", "EXP", "GELU", "HARD_SWISH", "LOG", "RSQRT", "SQRT", "TANH")
_CUT = ("RELU_0_TO_1", "RELU_N1_TO_1")
_FLOATS = ("CEIL", "COS", "ELU", "EXP", "FLOOR", "NEG", "ROUND", "SIGN", "SIN", "SQRT", "SQUARE")


def through_floats(op: str, constant: float | None = None) -> bytes:
    """A function in float32 between int8 and int8, of a constant as well."""
    m = Maker()
    x, y = (m.tensor((1, 4), scale=0.1) for _ in range(2))
    a, b = (m.tensor((1, 4), "float32") for _ in range(2))
    m.node("DEQUANTIZE", [x], [a])
    m.node(op, [a] if constant is None else [a, m.const(np.float32(constant))], [b])
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


def _places() -> bytes:
    m = Maker()
    x, y, z = m.tensor((2, 5), scale=0.1), m.tensor((2,), "int32"), m.tensor((2,), "int32")
    m.node("ARG_MIN", [x, m.const(np.int32(1))], [y], output_type=2)
    m.node("ARG_MAX", [x, m.const(np.int32(1))], [z], output_type=2)
    return m.build([x], [y, z])


def _truths() -> bytes:
    """What makes truth values of truth values, and chooses by them."""
    m = Maker()
    x, y = (m.tensor((2, 5), scale=0.1) for _ in range(2))
    a, b, c, d = (m.tensor((2, 5), "bool") for _ in range(4))
    some = m.tensor((2, 1), "bool")
    compared = [m.tensor((2, 5), "bool") for _ in test_comparisons.COMPARISONS]
    for op, truth in zip(test_comparisons.COMPARISONS, compared, strict=True):
        m.node(op, [x, m.const(np.int8(3), scale=0.1)], [truth])
    m.node("LOGICAL_OR", compared[:2], [a])
    m.node("LOGICAL_NOT", [a], [b])
    m.node("LOGICAL_OR", [a, b], [c])
    m.node("LOGICAL_AND", [b, c], [d])
    m.node("REDUCE_ANY", [d, m.const([1], dtype="int32")], [some], keep_dims=True)
    all_of = m.tensor((2, 1), "bool")
    all_of = m.tensor((2, 1), "bool")
    m.node("REDUCE_ALL", [d, m.const([1], dtype="int32")], [all_of], keep_dims=True)
    chosen = m.tensor((2, 5), scale=0.1)
    m.node("SELECT_V2", [some, x, m.const(np.int8(3), scale=0.1)], [chosen])
    m.node("SELECT", [d, chosen, x], [y])
    return m.build([x], [y, all_of, *compared])


def _embedding() -> bytes:
    """Rows by indices that come as float32, as they do of an Embedding layer, and some more of them."""
    m = Maker()
    x, real, index = m.tensor((4,), scale=0.5), m.tensor((4,), "float32"), m.tensor((4,), "int32")
    rows = m.const(np.arange(12, dtype=np.int8).reshape(6, 2), scale=0.1)
    y, z = (m.tensor((4, 2), scale=0.1) for _ in range(2))
    m.node("DEQUANTIZE", [x], [real])
    m.node("CAST", [real], [index])
    m.node("GATHER", [rows, index], [y])
    m.node("EMBEDDING_LOOKUP", [index, rows], [z])
    return m.build([x], [y, z])


def _variable() -> bytes:
    m, x, y = counter()
    return m.build([x], [y])


@cache
def models() -> tuple[bytes, ...]:
    """A small model of each operator, and some of several."""
    rng = np.random.default_rng(0)
    made = [*map(through_floats, _FLOATS), *map(_unary, (*_UNARY, *_CUT))]
    made += [through_floats(op, 0.7) for op in ("FLOOR_DIV", "FLOOR_MOD", "POW")]
    made += [filled(), _shapes(), _places(), _truths(), _embedding(), _variable()]
    families = (
        *test_rearrange.OPERATORS.values(),
        *FAMILIES,
        test_svdf.add_svdf,
        test_unidirectional_sequence_lstm.add_lstm,
        *PAIRS,
    )
    for add in families:
        layers = Layers()
        while not layers.outputs:
            add(layers, rng)
        made.append(layers.maker.build(layers.inputs, layers.outputs))
    return (*made, *(RandomGraph(seed).build(8).flatbuffer for seed in range(8)))
