"""Every layer of Keras that a microcontroller may run: quantised, compiled, and equal to the reference."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from microwright import _tensorflow, board
from tests.support import keras_layers
from tests.support.device import assert_equal_on_board
from tests.support.keras_layers import GROUPS, LEFT_OUT, ONE_BY_ONE, REFUSED

keras = _tensorflow.keras()

_TOOLS = Path(__file__).resolve().parents[2] / "tools"
_TOGETHER = [group for group in GROUPS if group not in ONE_BY_ONE]


@pytest.fixture(scope="module")
def page() -> Iterator[ModuleType]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(_TOOLS))
        yield importlib.import_module("layers_page")
    del sys.modules["layers_page"], sys.modules["pages"]


@pytest.mark.parametrize("group", _TOGETHER)
def test_layers_side_by_side(group: str) -> None:
    cases = [case for name, case in GROUPS[group].items() if name not in REFUSED]
    keras_layers.assert_equal(keras_layers.quantized(*cases))


@pytest.mark.parametrize(("group", "name"), [("recurrent", "GRU"), ("attention", "MultiHeadAttention")])
def test_a_layer_of_many_operators(group: str, name: str) -> None:
    keras_layers.assert_equal(keras_layers.quantized(GROUPS[group][name]))


@pytest.mark.parametrize(
    ("board_id", "names"),
    [
        ("mps2-an386", ("SeparableConv1D", "Conv1DTranspose", "Conv2D, grouped")),
        ("mps3-an547", ("SeparableConv2D", "Conv1D, causal", "DepthwiseConv2D, multiplier")),
    ],
)
def test_on_a_board(tmp_path: Path, board_id: str, names: tuple[str, ...]) -> None:
    made = keras_layers.quantized(*(GROUPS["convolutions"][name] for name in names))
    assert_equal_on_board(tmp_path / "p", board.load(board_id), made, keras_layers.inputs(made))


def test_every_layer_is_in_the_table_or_left_out_for_a_reason() -> None:
    layers = {
        value.__name__
        for value in vars(keras.layers).values()
        if isinstance(value, type) and issubclass(value, keras.layers.Layer)
    }
    named = {name.partition(",")[0] for cases in GROUPS.values() for name in cases} | LEFT_OUT.keys()
    assert layers - named == set()


def test_the_page_has_every_layer(page: ModuleType) -> None:
    rows = page.shown()
    assert list(rows) == [name for cases in GROUPS.values() for name in cases]
    assert {name for name, row in rows.items() if not row.endswith("| equal |")} == REFUSED


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("group", "name"), [(group, name) for group, cases in GROUPS.items() for name in cases]
)
def test_the_page_says_what_becomes_of_each_layer(page: ModuleType, group: str, name: str) -> None:
    assert page.shown()[name] == page.row(name, keras_layers.outcome(GROUPS[group][name]))
