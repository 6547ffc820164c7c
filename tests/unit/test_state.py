"""Variables: where they may be, and what the generated C does with them."""

from __future__ import annotations

import itertools
import re
import tracemalloc
from collections.abc import Callable
from typing import Any, TypeAlias

import pytest

from microwright.emit import aot
from microwright.errors import InputError, UnsupportedOp
from microwright.graph import read
from microwright.plan import plan
from tests.support.stateful import Streaming, counter, graph_of, memories
from tests.support.tflite_maker import Maker

Change: TypeAlias = Callable[[Streaming, int], None]


def test_variables_lie_in_front_of_the_arena_and_share_no_bytes() -> None:
    m, states, line = memories(3)
    planned = plan(graph_of(m, line))
    assert planned.state_bytes == 3 * 48  # 36 bytes, aligned
    ends = sorted((planned.offsets[i], planned.offsets[i] + 36) for i in states)
    assert all(end <= start for (_, end), (start, _) in itertools.pairwise(ends))
    others = [buffer for buffer in planned.buffers if buffer.what != "memory"]
    assert all(buffer.offset >= planned.state_bytes for buffer in others)
    assert planned.arena_bytes == max(b.offset + -(-b.size_bytes // 16) * 16 for b in others)


def test_the_header_says_what_of_the_arena_is_state() -> None:
    m, _, line = memories(2)
    header = aot.emit(plan(graph_of(m, line)))["mw_model.h"]
    assert re.search(r"#define MW_STATE_BYTES 96u\n", header)
    assert "enum mw_status mw_model_reset(void *arena);" in header


def test_a_variable_is_the_state_of_one_operator_and_nothing_else() -> None:
    m, states, line = memories(2)
    m.nodes[1].inputs = [*m.nodes[1].inputs[:4], states[0]]
    with pytest.raises(
        InputError, match="input 4 of node 1 SVDF is variable 'memory', which is the state of"
    ):
        graph_of(m, line)
    m, states, line = memories(1)
    with pytest.raises(InputError, match="output 0 is variable 'memory'"):
        read(m.build([line[0]], [states[0]]), "memories")
    m, states, line = memories(1)
    m.node("ABS", [states[0]], [m.tensor((1, 18), "int16", scale=1.0)])
    with pytest.raises(InputError, match="input 0 of node 1 ABS is variable 'memory', where no state can be"):
        graph_of(m, line)
    m, states, line = memories(1)
    m.node("ABS", [line[0]], [states[0]])
    with pytest.raises(InputError, match=r"output 0 of node 1 ABS.*has its value already"):
        graph_of(m, line)


def test_a_state_of_gigabytes_is_one_error_and_no_gigabytes() -> None:
    m, states, line = memories(1)
    m.tensors[states[0]].shape = (1, 2**29)
    tracemalloc.start()
    with pytest.raises(UnsupportedOp, match="a memory of 536870912"):
        plan(graph_of(m, line))
    assert tracemalloc.get_traced_memory()[1] < 1 << 24
    tracemalloc.stop()


def test_first_values_come_from_the_initialisation() -> None:
    m, x, y = counter()
    made = read(m.build([x], [y]), "counter")
    assert [node.op for node in made.nodes] == ["READ_VARIABLE", "ADD", "ASSIGN_VARIABLE"]
    assert [node.index for node in made.nodes] == [0, 1, 2]
    (variable,) = made.states
    tensor = made.tensors[variable]
    assert (tensor.name, tensor.shape) == ("total", (1, 4))
    assert tensor.state is not None and tensor.state.tolist() == [[1, 2, 3, 4]]
    assert made.streams
    source = aot.emit(plan(made))["mw_model.c"]
    assert re.search(rf"memcpy\(base \+ 0, state_{variable}, 4u\);", source)


def _change(number: int, **changes: Any) -> Change:
    """A node of the main subgraph, counted as CALL_ONCE, VAR_HANDLE, READ_VARIABLE, ADD, ASSIGN_VARIABLE."""

    def change(m: Streaming, x: int) -> None:
        for name, value in changes.items():
            setattr(m.nodes[number], name, value)

    return change


def _initialise(op: str, **options: Any) -> Change:
    def change(m: Streaming, x: int) -> None:
        init = m.others[0]
        init.node(op, [], [] if op == "CALL_ONCE" else [init.tensor((1, 4), scale=0.1)], **options)

    return change


def _order(*positions: int) -> Change:
    def change(m: Streaming, x: int) -> None:
        m.nodes = [m.nodes[i] for i in positions]

    return change


def _computed(m: Streaming, x: int) -> None:
    init = m.others[0]
    value = init.tensor((1, 4), scale=0.1)
    init.node("ABS", [init.nodes[1].inputs[1]], [value])
    init.nodes[1].inputs = [init.nodes[1].inputs[0], value]


def _resized(m: Streaming, x: int) -> None:
    made = m.others[0].tensors[m.others[0].nodes[1].inputs[1]]
    made.shape, made.data = (1, 2), b"ab"


def _unused_subgraph(m: Streaming, x: int) -> None:
    m.others.append(Maker())


def _handle_of_nothing(m: Streaming, x: int) -> None:
    m.tensors[x].dtype = "resource"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (_change(0, options={"init_subgraph_index": 7}), "CALL_ONCE runs subgraph 7, of 1 to 1"),
        (_change(0, options={"init_subgraph_index": 0}), "CALL_ONCE runs subgraph 0, of 1 to 1"),
        (_change(0, options={"init_subgraph_index": -1}), "CALL_ONCE runs subgraph -1, of 1 to 1"),
        (_change(0, op="WHILE", options={}), "WHILE '' is control flow"),
        (
            _change(1, options={"shared_name": "other"}),
            "variable 'other' is read, and nothing sets it before",
        ),
        (_change(1, outputs=[1]), "VAR_HANDLE makes no handle"),
        (_change(2, inputs=[1]), "READ_VARIABLE has no handle of a variable"),
        (_change(2, inputs=[]), "READ_VARIABLE has no handle of a variable"),
        (_change(2, outputs=[]), "node 2 has no outputs"),
        (_change(3, inputs=[2, 2]), "node 3 ADD has tensor 2, a handle, among its operands"),
        (_change(4, inputs=[2, -1]), "ASSIGN_VARIABLE has 2 inputs and 0 outputs"),
        (_change(4, inputs=[2, 2]), "a handle, among its operands"),
        (_change(4, inputs=[2]), "ASSIGN_VARIABLE has 1 inputs"),
        (_order(0, 2, 1, 3, 4), "READ_VARIABLE has no handle of a variable"),
        (_order(1, 2, 0, 3, 4), "CALL_ONCE comes after a variable is used"),
        (_order(0, 1, 2, 4, 3), "has no value yet"),
        (_initialise("CALL_ONCE", init_subgraph_index=1), "CALL_ONCE computes the first values of variables"),
        (_computed, "ABS computes the first values|ASSIGN_VARIABLE computes the first values"),
        (_resized, r"is int8 \[1, 4\] here, int8 \[1, 2\] before"),
        (_unused_subgraph, "3 subgraphs, expected 2"),
        (_handle_of_nothing, "a handle, among its operands|a handle, is an input or output"),
    ],
)
def test_hostile_variables_are_one_error(change: Change, says: str) -> None:
    m, x, y = counter()
    change(m, x)
    with pytest.raises(InputError, match=says) as caught:
        read(m.build([x], [y]), "counter")
    assert caught.value.hint


def test_a_variable_of_gigabytes_is_one_error() -> None:
    m, x, y = counter()
    for made in m.tensors:
        if made.dtype == "int8":
            made.shape = (1, 2**29)
    _, handle, reading, _, assignment = m.nodes
    m.nodes, m.others = [handle, assignment, reading], []
    assignment.inputs, reading.outputs = [handle.outputs[0], x], [y]
    with pytest.raises(UnsupportedOp, match="tensors of more than"):
        plan(read(m.build([x], [y]), "counter"))
