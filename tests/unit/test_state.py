"""Variables: where they may be, and what the generated C does with them."""

from __future__ import annotations

import itertools
import re
import tracemalloc

import pytest

from microwright.emit import aot
from microwright.errors import InputError, UnsupportedOp
from microwright.graph import read
from microwright.plan import plan
from tests.support.stateful import graph_of, memories


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
