"""Stock architectures of hundreds of layers: quantised, compiled, equal to the reference, also on a board."""

from __future__ import annotations

import itertools
from functools import cache
from pathlib import Path

import pytest

from microwright import board
from microwright.graph import Graph
from tests.support import applications
from tests.support.applications import APPLICATIONS
from tests.support.device import assert_equal_on_board
from tests.support.keras_layers import inputs
from tests.support.native import assert_equal_to_reference

quantized = cache(applications.quantized)


def assert_equal(made: Graph) -> None:
    assert_equal_to_reference(made, inputs(made)[2:4])


def test_a_small_one() -> None:
    made = quantized("MobileNetV2")
    assert len(made.nodes) > 60
    assert_equal(made)


@pytest.mark.thorough
@pytest.mark.parametrize("name", [name for name in APPLICATIONS if name != "MobileNetV2"])
def test_each(name: str) -> None:
    assert_equal(quantized(name))


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("name", "board_id"),
    [
        *itertools.product(
            ("DenseNet121", "InceptionV3", "MobileNet", "MobileNetV2", "ResNet50", "ResNet50V2", "Xception"),
            ("mps2-an500", "mps3-an547"),
        ),
        *itertools.product(("EfficientNetB0", "MobileNetV3Large", "MobileNetV3Small"), ("mps2-an500",)),
    ],
)
def test_on_a_board(tmp_path: Path, name: str, board_id: str) -> None:
    made = quantized(name)
    assert_equal_on_board(tmp_path / "p", board.load(board_id), made, inputs(made)[2:4])
