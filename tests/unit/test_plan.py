"""Arena plans: no value is overwritten before its last reader, and no space is wasted without need."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from microwright import ops
from microwright.errors import TooLarge, UnsupportedOp
from microwright.graph import Graph, Node, read
from microwright.ops import Op, Step
from microwright.plan import ALIGN_BYTES, Plan, plan
from tests.support.tflite_maker import Maker


def _no_check(graph: Graph, node: Node) -> None:
    pass


def _lower_node(graph: Graph, node: Node) -> tuple[Step, ...]:
    """As many bytes of scratch as the node's position says; none for every third node."""
    scratch = None if node.index % 3 == 0 else 37 * (node.index % 5)
    return (Step("made", node.inputs, node.outputs, scratch_bytes=scratch),)


def _lower_twice(graph: Graph, node: Node) -> tuple[Step, ...]:
    """Two calls; the second reads the first's output back."""
    (out,) = node.outputs
    return (Step("first", node.inputs, node.outputs), Step("second", (out, *node.inputs), node.outputs))


@pytest.fixture(scope="module", autouse=True)
def made_operators() -> Iterator[None]:
    """Operators that take any shapes: CUMSUM one call, RANK two calls, RESHAPE an alias."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            ops,
            "OPS",
            {
                "CUMSUM": Op(_no_check, _lower_node),
                "RANK": Op(_no_check, _lower_twice),
                "RESHAPE": Op(_no_check, _lower_node, alias=True),
            },
        )
        yield


@dataclass
class _Built:
    maker: Maker
    inputs: list[int]
    outputs: list[int]

    def plan(self) -> Plan:
        return plan(read(self.maker.build(self.inputs, self.outputs), "g"))


@st.composite
def _graphs(draw: st.DrawFn) -> _Built:
    m = Maker()
    sizes = st.integers(1, 300)
    inputs = [m.tensor((draw(sizes),)) for _ in range(draw(st.integers(1, 3)))]
    constants = [m.const(np.zeros(5, np.int8))]
    values = list(inputs)
    for _ in range(draw(st.integers(1, 15))):
        op = draw(st.sampled_from(("CUMSUM", "CUMSUM", "RANK", "RESHAPE")))
        first = draw(st.sampled_from(values))
        if op == "RESHAPE":
            made = [m.tensor((1, *m.tensors[first].shape))]
            m.node(op, [first, constants[0]], made)
        else:
            more = draw(st.lists(st.sampled_from(values + constants), max_size=2))
            count = 1 if op == "RANK" else draw(st.integers(1, 2))
            made = [m.tensor((draw(sizes),)) for _ in range(count)]
            m.node(op, [first, *more], made)
        values += made
    return _Built(m, inputs, draw(st.lists(st.sampled_from(values), min_size=1, max_size=3)))


class _Memory:
    """An arena that knows whose value each byte holds."""

    def __init__(self, size_bytes: int) -> None:
        self.owner = np.full(size_bytes, -(10**6))

    def write(self, offset: int, size: int, owner: int) -> None:
        assert offset % ALIGN_BYTES == 0
        assert offset >= 0 and offset + size <= self.owner.size
        self.owner[offset : offset + size] = owner

    def holds(self, offset: int, size: int, owner: int) -> bool:
        return bool((self.owner[offset : offset + size] == owner).all())


@given(_graphs())
@settings(max_examples=300, deadline=None, derandomize=True)
def test_every_value_lasts_until_its_last_reader(built: _Built) -> None:
    planned = built.plan()
    graph = planned.graph
    memory = _Memory(planned.arena_bytes)

    def place(tensor: int) -> tuple[int, int, int] | None:
        root = planned.roots[tensor]
        if root not in planned.offsets:
            assert graph.tensors[root].data is not None
            return None
        return planned.offsets[root], graph.tensors[root].size_bytes, root

    def write(tensor: int) -> None:
        where = place(tensor)
        assert where is not None
        memory.write(*where)

    def check(tensor: int) -> None:
        where = place(tensor)
        assert where is None or memory.holds(*where)

    for tensor in graph.inputs:
        write(tensor)
    for number, call in enumerate(planned.calls):
        for tensor in call.step.inputs:
            check(tensor)
        if call.step.scratch_bytes:
            assert call.scratch is not None
            memory.write(call.scratch, call.step.scratch_bytes, -1 - number)
        for tensor in call.step.outputs:
            write(tensor)
        # A kernel reads its inputs and its scratch while it writes its outputs.
        for tensor in (*call.step.inputs, *call.step.outputs):
            check(tensor)
        if call.step.scratch_bytes:
            assert call.scratch is not None
            assert memory.holds(call.scratch, call.step.scratch_bytes, -1 - number)
    for tensor in graph.outputs:
        check(tensor)


def _aligned(size: int) -> int:
    return -(-size // ALIGN_BYTES) * ALIGN_BYTES


@given(_graphs())
@settings(max_examples=200, deadline=None, derandomize=True)
def test_the_arena_ends_with_its_last_buffer_and_wastes_little(built: _Built) -> None:
    planned = built.plan()
    buffers = planned.buffers
    assert planned.arena_bytes == max(b.offset + _aligned(b.size_bytes) for b in buffers)
    # What lives at once is the least that any plan needs; greedy by size stays within a small factor of it.
    busiest = max(
        sum(_aligned(b.size_bytes) for b in buffers if b.first <= call <= b.last)
        for call in range(-1, len(planned.calls) + 1)
    )
    assert busiest <= planned.arena_bytes <= 2 * busiest
    # Each buffer lies at the bottom or on top of one that it could not share bytes with.
    for b in buffers:
        assert b.offset == 0 or any(
            o.offset + _aligned(o.size_bytes) == b.offset and o.first <= b.last and b.first <= o.last
            for o in buffers
        )
    assert built.plan().buffers == buffers


def _chain(*sizes: int) -> _Built:
    m = Maker()
    tensors = [m.tensor((size,)) for size in sizes]
    for source, target in itertools.pairwise(tensors):
        m.node("RANK", [source], [target])
    return _Built(m, [tensors[0]], [tensors[-1]])


@pytest.mark.parametrize(
    ("sizes", "arena_bytes"),
    [
        ((64, 64, 64, 64), 128),
        ((16, 1600, 800, 16), 2400),
        ((1600, 16, 1600, 16), 1616),
        ((1, 1), 32),
    ],
)
def test_a_chain_needs_its_largest_neighbours(sizes: tuple[int, ...], arena_bytes: int) -> None:
    assert _chain(*sizes).plan().arena_bytes == arena_bytes


def test_a_reshape_costs_nothing() -> None:
    m = Maker()
    x, flat, y = m.tensor((4, 8)), m.tensor((32,)), m.tensor((32,))
    m.node("RESHAPE", [x], [flat])
    m.node("RANK", [flat], [y])
    planned = _Built(m, [x], [y]).plan()
    assert planned.roots[flat] == x
    assert [call.node for call in planned.calls] == [1, 1]
    assert planned.arena_bytes == 64


def test_reshapes_of_reshapes_share_the_first_ones_bytes() -> None:
    m = Maker()
    x, a, b, y = m.tensor((4, 8)), m.tensor((32,)), m.tensor((8, 4)), m.tensor((32,))
    m.node("RESHAPE", [x], [a])
    m.node("RESHAPE", [a], [b])
    m.node("RANK", [x], [y])
    planned = _Built(m, [x], [b, y]).plan()
    assert planned.roots[b] == x
    # The output b is the input's bytes, which therefore last to the end.
    assert planned.offsets[x] != planned.offsets[y]


def test_an_output_that_is_a_constant_is_refused() -> None:
    m = Maker()
    x, weights, y = (
        m.tensor((4,)),
        m.const(np.zeros(4, np.int8), name="weights"),
        m.tensor((2, 2), name="out"),
    )
    m.node("RESHAPE", [weights], [y])
    with pytest.raises(UnsupportedOp, match="output 'out' is a constant"):
        _Built(m, [x], [y]).plan()


def test_an_arena_that_no_offset_can_reach_is_refused() -> None:
    with pytest.raises(TooLarge, match="needs 6000000000 bytes"):
        m = Maker()
        x, y, z = (m.tensor((2_000_000_000,)) for _ in range(3))
        m.node("RANK", [x], [y])
        m.node("RANK", [x, y], [z])
        _Built(m, [x], [z]).plan()


def test_an_operator_without_a_kernel_is_named() -> None:
    m = Maker()
    x, y = m.tensor((4,)), m.tensor((4,), name="block/erf")
    m.node("GELU", [x], [y])
    with pytest.raises(UnsupportedOp, match="node 0 GELU 'block/erf'") as caught:
        _Built(m, [x], [y]).plan()
    assert "CUMSUM, RANK, RESHAPE" in caught.value.hint
