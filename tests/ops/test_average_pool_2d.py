"""AVERAGE_POOL_2D against TensorFlow Lite Micro, and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest

from microwright import ops
from microwright.errors import UnsupportedOp
from tests.support import layers
from tests.support.layers import Layers, Rng, assert_random_layers_equal


def add_pool(made: Layers, rng: Rng) -> None:
    layers.add_pool(made, rng, "AVERAGE_POOL_2D")


def test_random_layers() -> None:
    assert_random_layers_equal(add_pool, seed=1, count=20)


@pytest.mark.thorough
@pytest.mark.parametrize("seed", range(100, 110))
def test_many_random_layers(seed: int) -> None:
    assert_random_layers_equal(add_pool, seed=seed, count=40)


def test_pools_have_no_macs() -> None:
    assert ops.macs(layers.pool("AVERAGE_POOL_2D")) == 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dtype": "uint8"}, "is uint8, the kernels take"),
        ({"out_scale": 1.1}, "quantised differently"),
        ({"out_zp": 1}, "quantised differently"),
        ({"out_shape": (1, 2, 2, 4)}, "4 channels, expected 1 and 3"),
        ({"out_shape": (1, 4, 2, 3)}, "size 4 along h, expected 2"),
        ({"filter_width": 0}, "window of 0 taps"),
    ],
)
def test_what_cannot_be_exact_is_refused(changes: dict[str, Any], message: str) -> None:
    ops.check(layers.pool("AVERAGE_POOL_2D"))
    with pytest.raises(UnsupportedOp) as caught:
        ops.check(layers.pool("AVERAGE_POOL_2D", **changes))
    assert message in caught.value.message
