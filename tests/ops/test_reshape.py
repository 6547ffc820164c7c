"""RESHAPE, SQUEEZE and EXPAND_DIMS: no code, no copy, and still the reference's outputs."""

from __future__ import annotations

import numpy as np
import pytest

from microwright import ops
from microwright.errors import UnsupportedOp
from microwright.graph import Graph
from microwright.plan import plan
from tests.support.layers import Layers
from tests.support.operands import assert_equal_on_random_data


def reshapes() -> Graph:
    """Each of the three, from an input to an output, in three types."""
    made = Layers()
    for dtype in ("int8", "float32", "int16"):
        x = made.input((2, 1, 6), dtype, scale=0.5)
        shape = made.maker.const(np.array([3, 4], np.int32))
        made.maker.node("RESHAPE", [x, shape], [made.output((3, 4), dtype, scale=0.5)])
        made.maker.node("SQUEEZE", [x], [made.output((2, 6), dtype, scale=0.5)], squeeze_dims=[1])
        axis = made.maker.const(np.array(-1, np.int32))
        made.maker.node("EXPAND_DIMS", [x, axis], [made.output((2, 1, 6, 1), dtype, scale=0.5)])
    return made.graph()


def test_outputs_equal_the_reference() -> None:
    assert_equal_on_random_data(reshapes(), seed=41)


def test_no_kernel_and_no_memory() -> None:
    made = plan(reshapes())
    assert made.calls == ()
    assert made.arena_bytes == 16 + 48 + 32


def test_a_reshaped_constant_is_an_operand() -> None:
    made = Layers()
    x = made.input((2, 3), scale=0.1)
    constant = made.maker.const(np.arange(-3, 3, dtype=np.int8), scale=0.2)
    shape = made.maker.const(np.array([2, 3], np.int32))
    reshaped = made.maker.tensor((2, 3), scale=0.2)
    made.maker.node("RESHAPE", [constant, shape], [reshaped])
    made.maker.node("ADD", [x, reshaped], [made.output((2, 3), scale=0.3)])
    assert_equal_on_random_data(made.graph(), seed=42)


def reshape(out: tuple[int, ...], dtype: str) -> Graph:
    made = Layers()
    x = made.input((2, 3), scale=0.1)
    made.maker.node("RESHAPE", [x], [made.output(out, dtype, scale=0.1, name="layer")])
    return made.graph()


def test_other_sizes_or_types_are_refused() -> None:
    ops.check(reshape((6,), "int8"))
    with pytest.raises(UnsupportedOp, match=r"input is int8 \(2, 3\), output int8 \(7,\)"):
        ops.check(reshape((7,), "int8"))
    with pytest.raises(UnsupportedOp, match=r"output uint8"):
        ops.check(reshape((6,), "uint8"))
