"""Arena plans: no byte is overwritten before its last reader, and no space is wasted without need."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from microwright import ops
from microwright.arena import ALIGN_BYTES
from microwright.errors import TooLarge, UnsupportedOp
from microwright.graph import Graph, Node, read
from microwright.ops import Op, Step
from microwright.plan import Plan, plan
from tests.support.tflite_maker import Maker


def _no_check(graph: Graph, node: Node) -> None:
    pass


def _lower_node(graph: Graph, node: Node) -> tuple[Step, ...]:
    """Scratch and overlaps that the name of the node's output says: `SCRATCH|POSITION:DISTANCE|...`."""
    scratch, *overlaps = graph.tensors[node.outputs[0]].name.split("|")
    overlap = {int(o.split(":")[0]): None if o.endswith("-") else int(o.split(":")[1]) for o in overlaps}
    return (
        Step(
            "made",
            node.inputs,
            node.outputs,
            scratch_bytes=int(scratch) if scratch else None,
            overlap=overlap,
        ),
    )


def _lower_twice(graph: Graph, node: Node) -> tuple[Step, ...]:
    """Two calls; the second reads the first's output back, which it could overwrite."""
    (out,) = node.outputs
    return (
        Step("first", node.inputs, node.outputs, overlap={0: 0}),
        Step("second", (out, *node.inputs), node.outputs, overlap={0: 0, 1: 0}),
    )


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
def _extras(draw: st.DrawFn, inputs: int) -> str:
    """What _lower_node takes: scratch, and distances for some of the inputs."""
    distance = st.one_of(st.sampled_from(("0", "-")), st.integers(-300, 300).map(str))
    parts = [draw(st.sampled_from(("", "0", "37", "100")))]
    parts += [f"{position}:{draw(distance)}" for position in range(inputs) if draw(st.booleans())]
    return "|".join(parts)


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
            size = draw(st.one_of(sizes, st.just(m.tensors[first].shape[-1])))
            name = draw(_extras(1 + len(more)))
            made = [m.tensor((size if i == 0 else draw(sizes),), name=name) for i in range(count)]
            m.node(op, [first, *more], made)
        values += made
    return _Built(m, inputs, draw(st.lists(st.sampled_from(values), min_size=1, max_size=3)))


class _Memory:
    """An arena that knows whose value each byte holds."""

    def __init__(self, planned: Plan) -> None:
        self.planned = planned
        self.owner = np.full(planned.arena_bytes, -(10**6))

    def place(self, tensor: int) -> tuple[int, range]:
        """A tensor's root and its bytes' addresses; none for a constant."""
        root = self.planned.roots[tensor]
        if root not in self.planned.offsets:
            assert self.planned.graph.tensors[root].data is not None
            return root, range(0)
        offset = self.planned.offsets[root]
        return root, range(offset, offset + self.planned.graph.tensors[root].size_bytes)

    def write(self, owner: int, addresses: range) -> None:
        assert addresses.start % ALIGN_BYTES == 0
        assert addresses.start >= 0 and addresses.stop <= self.owner.size
        self.owner[addresses.start : addresses.stop] = owner

    def check(self, owner: int, addresses: range) -> None:
        assert (self.owner[addresses.start : addresses.stop] == owner).all()

    def call(self, number: int) -> None:
        """Run a call as the laziest kernel does that keeps to its overlaps, byte by byte.

        When it writes byte `i` of the output it has read no more than i + 1 - distance bytes of an input; of
        one without an overlap, nothing. One that it may only overlap in place has to lie there.
        """
        call = self.planned.calls[number]
        step = call.step
        inputs = [self.place(tensor) for tensor in step.inputs]
        outputs = [self.place(tensor) for tensor in step.outputs]
        for place in inputs:
            self.check(*place)
        scratch = None
        if step.scratch_bytes:
            assert call.scratch is not None
            scratch = (-1 - number, range(call.scratch, call.scratch + step.scratch_bytes))
            self.write(*scratch)
            # Inputs are all there while there is scratch.
            for place in inputs:
                self.check(*place)
        for output in outputs:
            for position, (owner, unread) in enumerate(inputs):
                if owner != output[0] and unread and set(unread) & set(output[1]):
                    assert len(outputs) == 1 and position in step.overlap
                    distance = step.overlap[position]
                    if distance is None:
                        assert unread.start == output[1].start
                        continue
                    for i, address in enumerate(output[1]):
                        assert address not in unread[max(0, i + 1 - distance) :]
            self.write(*output)
        for place in (*outputs, *([scratch] if scratch else [])):
            self.check(*place)


@given(_graphs())
@settings(max_examples=200, deadline=None, derandomize=True)
def test_every_byte_lasts_until_its_last_reader(built: _Built) -> None:
    planned = built.plan()
    graph = planned.graph
    memory = _Memory(planned)
    for tensor in graph.inputs:
        memory.write(*memory.place(tensor))
    for number in range(len(planned.calls)):
        memory.call(number)
    for tensor in graph.outputs:
        memory.check(*memory.place(tensor))


def _aligned(size: int) -> int:
    return -(-size // ALIGN_BYTES) * ALIGN_BYTES


@given(_graphs())
@settings(max_examples=100, deadline=None, derandomize=True)
def test_the_arena_ends_with_its_last_buffer_and_wastes_little(built: _Built) -> None:
    planned = built.plan()
    buffers = planned.buffers
    assert planned.arena_bytes == max(b.offset + _aligned(b.size_bytes) for b in buffers)
    # Without any overlap, what lives at once has to fit.
    busiest = max(
        sum(_aligned(b.size_bytes) for b in buffers if b.first <= call <= b.last)
        for call in range(-1, len(planned.calls) + 1)
    )
    assert planned.arena_bytes <= 1.3 * busiest
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
    m.node("TOPK_V2", [x], [y])
    with pytest.raises(UnsupportedOp, match="node 0 TOPK_V2 'block/erf'") as caught:
        _Built(m, [x], [y]).plan()
    assert "end the model in front of it" in caught.value.hint


def _made(m: Maker, size: int, extras: str, *inputs: int) -> int:
    """A node that computes a tensor with the scratch and overlaps of `extras`."""
    made = m.tensor((size,), name=extras)
    m.node("CUMSUM", list(inputs), [made])
    return made


@pytest.mark.parametrize(
    ("extras", "arena_bytes"),
    [
        (("", "", ""), 2000),
        (("|0:0", "|0:0", "|0:0"), 1008),
        (("|0:-", "|0:-", "|0:-"), 1008),
        (("|0:0", "|0:300", "|0:0"), 1312),
        (("|0:-50", "|0:0", "|0:-"), 1008),
        (("48|0:0", "16|0:0", "|0:0"), 1056),
    ],
)
def test_a_chain_of_kernels_that_overlap_needs_little_more_than_a_tensor(
    extras: tuple[str, ...], arena_bytes: int
) -> None:
    m = Maker()
    x = last = m.tensor((1000,))
    for extra in extras:
        last = _made(m, 1000, extra, last)
    # 1000 bytes take 1008; an arena is planned in blocks of 16 bytes.
    assert abs(_Built(m, [x], [last]).plan().arena_bytes - arena_bytes) <= 16


def test_an_input_that_is_needed_later_is_not_overwritten() -> None:
    m = Maker()
    x = m.tensor((160,))
    a = _made(m, 160, "|0:0", x)
    b = _made(m, 160, "|0:0", a)
    y = _made(m, 160, "|0:0|1:0", b, x)
    planned = _Built(m, [x], [y]).plan()
    assert planned.arena_bytes == 320
    assert planned.offsets[a] == planned.offsets[b] != planned.offsets[x]


def test_an_output_of_the_graph_is_not_overwritten() -> None:
    m = Maker()
    x = m.tensor((160,))
    a = _made(m, 160, "|0:0", x)
    b = _made(m, 160, "|0:0", a)
    planned = _Built(m, [x], [a, b]).plan()
    assert planned.arena_bytes == 320


@pytest.mark.parametrize(
    ("extras", "arena_bytes"), [("|0:0", 320), ("|0:0|1:0", 160), ("|0:0|1:32", 192), ("|0:32|1:-", 320)]
)
def test_an_operand_taken_twice_has_to_allow_it_twice(extras: str, arena_bytes: int) -> None:
    m = Maker()
    x = m.tensor((160,))
    y = _made(m, 160, extras, x, x)
    assert _Built(m, [x], [y]).plan().arena_bytes == arena_bytes


def test_a_reshape_of_an_input_may_be_overwritten_when_nobody_needs_the_input() -> None:
    m = Maker()
    x, flat = m.tensor((4, 40)), m.tensor((160,))
    m.node("RESHAPE", [x], [flat])
    y = _made(m, 160, "|0:0", flat)
    assert _Built(m, [x], [y]).plan().arena_bytes == 160
    z = _made(m, 160, "|0:0|1:0", y, x)
    assert _Built(m, [x], [z]).plan().arena_bytes == 320


def test_a_kernel_with_two_outputs_overlaps_nothing() -> None:
    m = Maker()
    x, y, z = m.tensor((160,)), m.tensor((160,), name="|0:0"), m.tensor((160,))
    m.node("CUMSUM", [x], [y, z])
    assert _Built(m, [x], [y, z]).plan().arena_bytes == 480
