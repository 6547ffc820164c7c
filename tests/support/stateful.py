"""Small models that keep state."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from microwright.graph import Graph, read
from tests.support.tflite_maker import Maker


def memories(count: int, *, length: int = 6, memory: int = 3) -> tuple[Maker, list[int], list[int]]:
    """SVDF layers in a row, their memories, and the tensors between them."""
    rng = np.random.default_rng(0)
    m = Maker()
    states: list[int] = []
    line = [m.tensor((1, length), scale=0.03)]
    for _ in range(count):
        weights = m.const(rng.integers(-127, 128, (length, length), np.int8), scale=0.01)
        time = m.const(rng.integers(-32767, 32768, (length, memory)), dtype="int16", scale=2**-15)
        bias = m.const(rng.integers(-99, 99, length), dtype="int32", scale=2**-25)
        states.append(m.tensor((1, length * memory), "int16", scale=2**-10, name="memory", variable=True))
        line.append(m.tensor((1, length), scale=0.03, name="filters"))
        m.node("SVDF", [line[-2], weights, time, bias, states[-1]], [line[-1]], rank=1)
    return m, states, line


def graph_of(m: Maker, line: Sequence[int]) -> Graph:
    return read(m.build([line[0]], [line[-1]]), "memories")
