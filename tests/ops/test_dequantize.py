"""DEQUANTIZE against TensorFlow Lite Micro, to the bit of the float, for every input value."""

from __future__ import annotations

import numpy as np
import pytest

from microwright import ops
from microwright.errors import UnsupportedOp
from microwright.graph import Graph
from tests.support import layers
from tests.support.layers import Layers
from tests.support.native import assert_equal_to_reference
from tests.support.unary import Case, one


def to_floats(seed: int, count: int) -> Graph:
    """Scales of every magnitude of a float32, denormal ones and products that overflow included."""
    rng = np.random.default_rng(seed)
    made = Layers()
    for _ in range(count):
        scale = float(np.float32(10.0 ** rng.uniform(-44, 38)))
        zero_point = layers.zero_point(rng)
        x = made.input((256,), scale=scale, zero_point=zero_point)
        y = made.output((256,), "float32", name=f"{scale=:g} {zero_point=}")
        made.maker.node("DEQUANTIZE", [x], [y])
    return made.graph()


@pytest.mark.parametrize(
    ("seed", "count"),
    [(111, 40), *(pytest.param(s, 100, marks=pytest.mark.thorough) for s in range(11100, 11110))],
)
def test_every_value_at_many_scales(seed: int, count: int) -> None:
    graph = to_floats(seed, count)
    values = np.arange(-128, 128, dtype=np.int8)
    assert_equal_to_reference(graph, [(values,) * count])


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (Case(1.0, 0, 1.0, 0, "uint8", "float32"), "is uint8"),
        (Case(1.0, 0, 1.0, 0, "int8", "int16"), "is int16"),
    ],
)
def test_what_cannot_be_exact_is_refused(changed: Case, message: str) -> None:
    with pytest.raises(UnsupportedOp) as caught:
        ops.check(one("DEQUANTIZE", changed))
    assert message in caught.value.message
    assert caught.value.message.startswith("node 0 DEQUANTIZE 'layer': ")
