"""What calibration samples leave out is told by name."""

from __future__ import annotations

from typing import Any

import numpy as np

from microwright import coverage, data, graph
from microwright.coverage import Caution
from microwright.data import Input
from tests.support.firmware import dense
from tests.support.tflite_maker import Maker

ROW = (Input("sensors", (3,)),)


def rows(count: int = 200, scale: float = 1.0, seed: int = 0) -> Any:
    return np.random.default_rng(seed).uniform(-scale, scale, (count, 3)).astype(np.float32)


def found(x: Any, y: Any = None, validation: Any = None, classes: tuple[str, ...] = ()) -> dict[str, Caution]:
    calibration = data.make((x,), y, classes=classes)
    cautions = coverage.examine(calibration, ROW, None if validation is None else data.make((validation,)))
    assert len({caution.name for caution in cautions}) == len(cautions)
    return {caution.name: caution for caution in cautions}


def test_samples_that_cover_everything_raise_no_caution() -> None:
    assert not found(rows(), np.arange(200) % 2, rows(seed=1))


def test_too_few_samples() -> None:
    assert "99 calibration samples" in found(rows(99))["few-samples"].message
    assert not found(rows(100))


def test_a_feature_that_never_changes() -> None:
    x = rows()
    x[:, 1] = 0.5
    caution = found(x)["constant-feature"]
    assert "input 0 (sensors): 1 of 3 features never change" in caution.message
    assert "[1]" in caution.message


def test_all_samples_of_one_class() -> None:
    assert "of class 1 (dog)" in found(rows(), np.ones(200, int), classes=("cat", "dog"))["one-class"].message
    assert not found(rows(), np.linspace(0, 1, 200))


def test_validation_far_outside_the_range() -> None:
    caution = found(rows(), validation=rows(scale=2.0))["range-exceeded"]
    assert "50." in caution.message or "49." in caution.message
    assert not found(rows(), validation=rows(scale=1.1))


def test_samples_beyond_what_the_models_input_holds() -> None:
    model = dense()  # its input holds -6.55 to 6.2
    inside = data.make((np.random.default_rng(0).uniform(-6, 6, (10, 8)),))
    beyond = data.make((inside.inputs[0] * 40,))
    assert coverage.of_data(model, inside) == ()
    (caution,) = coverage.of_data(model, beyond)
    assert caution.name == "range-exceeded"
    assert "the model's input from -6.55 to 6.2" in caution.message
    # Integers are quantised already.
    assert coverage.of_data(model, data.make((np.full((3, 8), 127, np.int8),))) == ()


def test_a_float_input_holds_what_it_is_quantised_to() -> None:
    made = Maker()
    x = made.tensor((1, 4), "float32")
    y = made.tensor((1, 4), scale=0.1, zero_point=-128)
    made.node("QUANTIZE", [x], [y])
    model = graph.read(made.build([x], [y]), "m")
    (caution,) = coverage.of_data(model, data.make((np.full((3, 4), 100.0),)))
    assert "from 0 to 25.5" in caution.message
    assert "100.0% of the values are cut off" in caution.message
