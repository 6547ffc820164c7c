"""Files that somebody damaged, found by `test_fuzz` or by thought: taken or refused, within little memory."""

from __future__ import annotations

import tracemalloc

import pytest

from microwright import graph, ops
from microwright.errors import UnsupportedOp
from tests.support import seeds
from tests.support.fuzz import compiled
from tests.support.tflite_maker import Maker


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
    compiled(seeds.filled(rank))


def test_what_is_refused_is_counted_all_the_same() -> None:
    m = Maker()
    x, y = m.tensor((), scale=0.1), m.tensor((4,), scale=0.1)
    m.node("BATCH_MATMUL", [x, x], [y])
    made = graph.read(m.build([x], [y]), "g")
    assert ops.macs(made) == 4
    with pytest.raises(UnsupportedOp, match="node 0 BATCH_MATMUL"):
        ops.check(made)


def test_a_function_without_its_second_operand_is_refused() -> None:
    with pytest.raises(UnsupportedOp, match="POW"):
        compiled(seeds.through_floats("POW"))


def test_a_function_of_floats_that_says_it_makes_integers_is_refused() -> None:
    m = Maker()
    x, y = (m.tensor((1, 4), scale=0.1) for _ in range(2))
    a = m.tensor((1, 4), "float32")
    m.node("DEQUANTIZE", [x], [a])
    m.node("NEG", [a], [y])
    with pytest.raises(UnsupportedOp, match="node 1 NEG"):
        compiled(m.build([x], [y]))
