"""Small models that keep state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

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


class Streaming(Maker):
    """A model with variables that CALL_ONCE initialises."""

    def __init__(self) -> None:
        super().__init__()
        self.others = [Maker()]
        self.handles: dict[str, int] = {}

    def variable(self, name: str, values: npt.ArrayLike, **quantization: Any) -> None:
        """A variable and its first values."""
        init = self.others[0]
        handle = init.tensor((), "resource")
        init.node("VAR_HANDLE", [], [handle], shared_name=name)
        init.node("ASSIGN_VARIABLE", [handle, init.const(values, **quantization)], [])
        self.handles[name] = self.tensor((), "resource", name=name)

    def call_once(self) -> None:
        """Initialise, and make the handles."""
        self.node("CALL_ONCE", [], [], init_subgraph_index=1)
        for name, handle in self.handles.items():
            self.node("VAR_HANDLE", [], [handle], shared_name=name)

    def read(self, name: str, shape: Sequence[int], dtype: str = "int8", **quantization: Any) -> int:
        """The variable's values, a tensor."""
        y = self.tensor(shape, dtype, **quantization)
        self.node("READ_VARIABLE", [self.handles[name]], [y])
        return y

    def assign(self, name: str, x: int) -> None:
        """The variable gets a tensor's values."""
        self.node("ASSIGN_VARIABLE", [self.handles[name], x], [])


def counter() -> tuple[Streaming, int, int]:
    """A variable that adds up the inputs; the model, its input and its output."""
    m = Streaming()
    x, y = m.tensor((1, 4), scale=0.1), m.tensor((1, 4), scale=0.1, name="sum")
    m.variable("total", np.array([[1, 2, 3, 4]], np.int8), scale=0.1)
    m.call_once()
    m.node("ADD", [m.read("total", (1, 4), scale=0.1), x], [y])
    m.assign("total", y)
    return m, x, y
