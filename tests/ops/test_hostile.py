"""Files that somebody damaged: the compiler takes them or refuses them, quickly and within little memory."""

from __future__ import annotations

import random
import tracemalloc
from functools import cache

import numpy as np
import pytest

from microwright import board, graph, passes, target
from microwright.errors import MicrowrightError, UnsupportedOp
from microwright.plan import plan
from tests.ops import test_pairs, test_products, test_rearrange, test_reductions
from tests.support.layers import Layers
from tests.support.random_graph import RandomGraph
from tests.support.tflite_maker import Maker

TARGET = target.of(board.load("mps2-an386"))


def compiled(flatbuffer: bytes) -> None:
    """Everything up to the C, which only prints."""
    plan(passes.run(graph.read(flatbuffer, "hostile")), TARGET)


def through_floats(op: str) -> bytes:
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


@cache
def models() -> tuple[bytes, ...]:
    """A small model of each operator, and some of several."""
    rng = np.random.default_rng(0)
    made = [through_floats(op) for op in ("EXP", "SQRT", "NEG", "ELU")] + [filled()]
    for add in (*test_rearrange.OPERATORS.values(), *test_products.FAMILIES, *test_reductions.FAMILIES):
        layers = Layers()
        add(layers, rng)
        made.append(layers.maker.build(layers.inputs, layers.outputs))
    for op in test_pairs.SCALES:
        layers = Layers()
        while not layers.outputs:
            test_pairs.add_pair(layers, rng, op)
        made.append(layers.maker.build(layers.inputs, layers.outputs))
    return (*made, *(RandomGraph(seed).build(8).flatbuffer for seed in range(8)))


def damage(seed: int, count: int) -> None:
    rng = random.Random(seed)
    for number in range(count):
        damaged = bytearray(rng.choice(models()))
        for _ in range(rng.choice((1, 1, 2, 4))):
            damaged[rng.randrange(len(damaged))] = rng.choice((0, 1, 2, 3, 127, 128, 255, rng.randrange(256)))
        try:
            compiled(bytes(damaged))
        except MicrowrightError:
            pass
        except Exception as error:
            raise AssertionError(f"file {number} of seed {seed}") from error


def test_damaged_files_are_taken_or_refused() -> None:
    damage(1, 2000)


@pytest.mark.thorough
@pytest.mark.parametrize("seed", range(100, 110))
def test_many_damaged_files_are_taken_or_refused(seed: int) -> None:
    damage(seed, 10_000)


def larger(op: str, out: tuple[int, ...], constants: list[list[int]]) -> bytes:
    """A node that makes much of a small image; a few bytes are enough to say so."""
    m = Maker()
    x, y = m.tensor((1, 3, 3, 1), scale=0.1), m.tensor(out, scale=0.1)
    m.node(op, [x, *(m.const(values, dtype="int32") for values in constants)], [y])
    return m.build([x], [y])


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (larger("TILE", (1, 3, 3, 1 << 26), [[1, 1, 1, 1 << 26]]), "tensors of more than"),
        (larger("SPACE_TO_BATCH_ND", (1, 3, 3, 1), [[1, 1], [[0, 1 << 30], [0, 0]]]), "block"),
        (larger("BATCH_TO_SPACE_ND", (1, 3, 3, 1), [[1, 1 << 30], [[0, 0], [0, 0]]]), "block"),
    ],
    ids=["TILE", "SPACE_TO_BATCH_ND", "BATCH_TO_SPACE_ND"],
)
def test_few_bytes_do_not_become_much_memory(model: bytes, message: str) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(UnsupportedOp, match=message):
            compiled(model)
        assert tracemalloc.get_traced_memory()[1] < 1 << 24
    finally:
        tracemalloc.stop()


def test_a_node_without_operands_is_refused() -> None:
    m = Maker()
    x, y, z = (m.tensor((1, 4), scale=0.1) for _ in range(3))
    m.node("PACK", [], [y], axis=0)
    m.node("ADD", [x, y], [z])
    with pytest.raises(UnsupportedOp, match=r"node 0 PACK .*input 0 is missing"):
        compiled(m.build([x], [z]))


@pytest.mark.parametrize("rank", [1, 4])
def test_a_shape_of_another_rank_that_nobody_needs_does_no_harm(rank: int) -> None:
    compiled(filled(rank))
