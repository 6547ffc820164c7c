"""SOFTMAX and LOG_SOFTMAX against TensorFlow Lite Micro, and what it refuses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from microwright import ops
from microwright.errors import UnsupportedOp
from microwright.graph import Graph
from tests.support import layers
from tests.support.layers import Layers, Rng, assert_random_layers_equal, pick
from tests.support.native import assert_equal_to_reference, native

# Scale and zero point of the output.
OUT = {"SOFTMAX": (1 / 256, -128), "LOG_SOFTMAX": (1 / 16, 127)}


def add_log_softmax(made: Layers, rng: Rng) -> None:
    add_softmax(made, rng, "LOG_SOFTMAX")


def add_softmax(made: Layers, rng: Rng, op: str = "SOFTMAX") -> None:
    # The reference stops the process where the sum of exponentials reaches 512.
    depth = int(pick(rng, (1, 2, 3, 10, 12, 17, 100, 511)))
    leading = tuple(int(size) for size in rng.integers(1, 4, int(rng.integers(4))))
    beta = float(np.float32(pick(rng, (1.0, 1.0, 0.1, 3.7))))
    scale = float(np.float32(10.0 ** rng.uniform(-6.5, 4)))
    x = made.input((*leading, depth), scale=scale, zero_point=layers.zero_point(rng))
    out_scale, out_zero_point = OUT[op]
    name = f"{op} {leading} {depth} {scale=:g} {beta=:g}"
    y = made.output((*leading, depth), scale=out_scale, zero_point=out_zero_point, name=name)
    made.maker.node(op, [x], [y], **({"beta": beta} if op == "SOFTMAX" else {}))


@pytest.mark.parametrize("add", [add_softmax, add_log_softmax])
def test_random_layers(add: Any) -> None:
    assert_random_layers_equal(add, seed=61, count=25)


@pytest.mark.parametrize("op", OUT)
def test_every_difference_at_many_scales(op: str) -> None:
    made = Layers()
    values = np.arange(-128, 128, dtype=np.int8)
    for scale in np.geomspace(2e-8, 4, 30):
        x = made.input((256, 2), scale=float(np.float32(scale)), zero_point=3)
        out_scale, out_zero_point = OUT[op]
        y = made.output((256, 2), scale=out_scale, zero_point=out_zero_point, name=f"{scale=:g}")
        made.maker.node(op, [x], [y], **({"beta": 1.0} if op == "SOFTMAX" else {}))
    pairs = np.stack([np.full(256, 127, np.int8), values], axis=1)
    assert_equal_to_reference(made.graph(), [(pairs,) * 30, (pairs[:, ::-1].copy(),) * 30])


@pytest.mark.thorough
@pytest.mark.parametrize("seed", range(6100, 6110))
@pytest.mark.parametrize("add", [add_softmax, add_log_softmax])
def test_many_random_layers(add: Any, seed: int) -> None:
    assert_random_layers_equal(add, seed=seed, count=60, samples=4)


def softmax(
    shape: tuple[int, ...] = (1, 10),
    out: tuple[int, ...] | None = None,
    *,
    dtype: str = "int8",
    scale: float = 0.1,
    out_scale: float = 1 / 256,
    out_zero_point: int = -128,
    beta: float = 1.0,
) -> Graph:
    made = Layers()
    x = made.input(shape, dtype, scale=scale)
    y = made.output(out or shape, dtype, scale=out_scale, zero_point=out_zero_point, name="layer")
    made.maker.node("SOFTMAX", [x], [y], beta=beta)
    return made.graph()


@pytest.mark.parametrize("depth", [512, 2000, 4095])
def test_more_classes_than_the_reference_takes(depth: int) -> None:
    (even,) = native(softmax((1, depth)))([np.full((1, depth), 9, np.int8)])
    assert (even == -128).all()
    one_hot = np.full((1, depth), -128, np.int8)
    one_hot[0, 7] = 127
    (peak,) = native(softmax((1, depth)))([one_hot])
    assert peak[0, 7] == 127
    assert (np.delete(peak[0], 7) == -128).all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dtype": "int32"}, "is int32"),
        ({"out_scale": 1 / 128}, "output's scale is not 1/256 with zero point -128"),
        ({"out_zero_point": 0}, "output's scale is not 1/256 with zero point -128"),
        ({"out": (10, 1)}, "input has shape (1, 10), output (10, 1)"),
        ({"shape": ()}, "input has shape ()"),
        ({"shape": (1, 4096)}, "4096 classes, the kernel takes 1 to 4095"),
        ({"scale": 1e-9}, "beta 1 times the input's scale 1e-09 is out of range"),
        ({"beta": -1.0}, "beta -1 times"),
        ({"beta": 0.0}, "beta 0 times"),
    ],
)
def test_what_cannot_be_exact_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UnsupportedOp) as caught:
        ops.check(softmax(**changes))
    assert message in caught.value.message
    assert caught.value.message.startswith("node 0 SOFTMAX 'layer': ")
