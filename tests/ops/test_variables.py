"""Variables that are read and assigned, over sequences of inferences against TensorFlow Lite Micro."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from microwright.graph import Graph, read
from microwright.plan import plan
from tests.support.layers import Rng, pick
from tests.support.native import assert_equal_to_reference
from tests.support.stateful import Streaming

SHAPE = (1, 4)


def random_stream(rng: Rng) -> Graph:
    """Variables that are read, assigned and read again at any place among other operators."""
    m = Streaming()
    quantization: dict[str, Any] = {"scale": 0.1, "zero_point": -3}
    x = m.tensor(SHAPE, **quantization)
    for number in range(int(rng.integers(1, 4))):
        values = rng.integers(-128, 128, SHAPE, np.int8) if rng.random() < 0.7 else np.full(SHAPE, 5, np.int8)
        m.variable(f"v{number}", values, **quantization)
    names = sorted(m.handles)
    m.call_once()
    known = [x]
    for _ in range(int(rng.integers(6, 20))):
        match pick(rng, ("read", "read", "assign", "assign", "maximum", "abs", "reshape")):
            case "assign":
                m.assign(pick(rng, names), pick(rng, known))
                continue
            case "read":
                y = m.read(pick(rng, names), SHAPE, **quantization)
            case "maximum":
                y = m.tensor(SHAPE, **quantization)
                m.node("MAXIMUM", [pick(rng, known), pick(rng, known)], [y])
            case "abs":
                y = m.tensor(SHAPE, **quantization)
                m.node("ABS", [pick(rng, known)], [y])
            case _:
                y = m.tensor(SHAPE, **quantization)
                m.node("RESHAPE", [pick(rng, known), m.const(SHAPE, dtype="int32")], [y])
        known.append(y)
    computed = [i for i in known if i != x] or [m.read(names[0], SHAPE, **quantization)]
    outputs = rng.choice(computed, min(len(computed), 3), replace=False)
    return read(m.build([x], [int(i) for i in outputs]), "stream")


def assert_exact(seed: int) -> None:
    rng = np.random.default_rng(seed)
    made = random_stream(rng)
    samples = [(rng.integers(-128, 128, SHAPE, np.int8),) for _ in range(10)]
    assert_equal_to_reference(made, samples)


@pytest.mark.parametrize("seed", range(8))
def test_random_streams(seed: int) -> None:
    assert_exact(seed)


@pytest.mark.thorough
@pytest.mark.parametrize("seed", range(100, 140))
def test_many_random_streams(seed: int) -> None:
    assert_exact(seed)


@pytest.mark.parametrize("dtype", ["float32", "int16", "int32"])
def test_variables_of_other_types(dtype: str) -> None:
    m = Streaming()
    x = m.tensor(SHAPE, dtype)
    m.variable("v", np.array([[3, 1, 4, 1]], dtype))
    m.call_once()
    before = m.read("v", SHAPE, dtype)
    m.assign("v", x)
    after = m.read("v", SHAPE, dtype)
    y = m.tensor((2, 4), dtype)
    m.node("CONCATENATION", [before, after], [y], axis=0)
    rng = np.random.default_rng(0)
    samples = [(rng.integers(-99, 99, SHAPE).astype(dtype),) for _ in range(4)]
    assert_equal_to_reference(read(m.build([x], [y]), "typed"), samples)


def test_a_variable_is_read_in_place_where_nothing_changes_it_meanwhile() -> None:
    def calls(*, late: bool) -> int:
        m = Streaming()
        x, y, z = (m.tensor(SHAPE, scale=0.1) for _ in range(3))
        m.variable("v", np.zeros(SHAPE, np.int8), scale=0.1)
        m.call_once()
        before = m.read("v", SHAPE, scale=0.1)
        m.node("ADD", [before, x], [y])
        m.assign("v", y)
        m.node("ADD", [before if late else x, y], [z])
        return len(plan(read(m.build([x], [z]), "m")).calls)

    assert calls(late=False) == 3  # ADD, assignment, ADD
    assert calls(late=True) == 4
