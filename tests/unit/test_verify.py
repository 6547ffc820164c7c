"""References, agreement and accuracy."""

from __future__ import annotations

import importlib.metadata
import math
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from microwright import report, verify
from microwright.errors import InputError, MismatchError, UnsupportedOp
from microwright.graph import Array, Graph, read
from microwright.verify import Agreement, OutputAgreement
from tests.support.tflite_maker import Maker


def _sum_of_four() -> Graph:
    """y = clamp(round(1 * (a + b + c + d)) + 3), int8, all scales 1."""
    m = Maker()
    x = m.tensor((1, 4), scale=1.0, name="x")
    w = m.const(np.ones((1, 4), np.int8), scale=1.0)
    b = m.const(np.zeros(1, np.int32), scale=1.0)
    y = m.tensor((1, 1), scale=1.0, zero_point=3)
    m.node("FULLY_CONNECTED", [x, w, b], [y])
    return read(m.build([x], [y]), "sum")


def _row(*values: int) -> tuple[Array, ...]:
    return (np.array([values], np.int8),)


# tests/packaging has tflite_runtime in an environment of its own: it wants an older numpy than all others.
_MODULES = (
    "tflite_micro.python.tflite_micro.runtime",
    "ai_edge_litert.interpreter",
    "tflite_runtime.interpreter",
)


def _interpreter(package: str, module: str) -> Callable[[pytest.MonkeyPatch], str]:
    """Make the reference that comes from a package the only one; gives its version."""

    def only(patch: pytest.MonkeyPatch) -> str:
        pytest.importorskip(module, reason=f"{package} has no wheel for this platform")
        for other in _MODULES:
            if other != module:
                patch.setitem(sys.modules, other, None)
        return importlib.metadata.version(package)

    return only


_INTERPRETERS = {
    "tflite_micro {}": _interpreter("tflite_micro", "tflite_micro.python.tflite_micro.runtime"),
    "ai-edge-litert {} reference kernels, standing in for tflite_micro": _interpreter(
        "ai-edge-litert", "ai_edge_litert.interpreter"
    ),
}


@pytest.fixture(params=_INTERPRETERS)
def name(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Name of the only reference there is."""
    return str(request.param).format(_INTERPRETERS[request.param](monkeypatch))


def test_a_reference_computes_the_model(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    reference = verify.reference(_sum_of_four())
    assert reference is not None
    assert reference.name == name
    for sample, expected in ((_row(1, 2, 3, 4), 13), (_row(-1, -2, 0, 0), 0), (_row(100, 100, 0, 0), 127)):
        (output,) = reference.run(sample)
        assert output.dtype == np.int8
        assert output.tolist() == [[expected]]
    assert capfd.readouterr() == ("", "")


def test_an_earlier_output_is_not_overwritten(name: str) -> None:
    reference = verify.reference(_sum_of_four())
    assert reference is not None
    first = reference.run(_row(1, 0, 0, 0))
    reference.run(_row(50, 0, 0, 0))
    assert first[0].tolist() == [[4]]


@pytest.mark.parametrize(
    ("inputs", "says"),
    [
        ((), "0 arrays were given, the model has 1 inputs"),
        ((np.zeros((1, 5), np.int8),), r"input 0 is int8 \[1, 5\], expected int8 \[1, 4\]"),
        ((np.zeros((1, 4), np.float32),), r"input 0 is float32 \[1, 4\], expected int8"),
    ],
)
def test_wrong_inputs_are_named(name: str, inputs: tuple[Array, ...], says: str) -> None:
    reference = verify.reference(_sum_of_four())
    assert reference is not None
    with pytest.raises(InputError, match=says):
        reference.run(inputs)


def test_what_the_engine_does_not_take_reaches_no_interpreter() -> None:
    m = Maker()
    x, y = m.tensor((1, 4), scale=1.0), m.tensor((1, 4), scale=1.0, name="mish")
    m.node("CUMSUM", [x], [y])
    with pytest.raises(UnsupportedOp, match="node 0 CUMSUM 'mish'"):
        verify.reference(read(m.build([x], [y]), "sums"))


def test_an_interpreter_that_refuses_is_one_line(
    name: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    m = Maker()
    x, y = m.tensor((1, 4), scale=1.0), m.tensor((1, 4), scale=1.0)
    m.node("SVDF", [x], [y])
    monkeypatch.setattr(verify.ops, "check", lambda graph: None)
    monkeypatch.setattr(verify.passes, "run", lambda graph: graph)
    with pytest.raises(InputError, match=r"does not take the model: .+") as caught:
        verify.reference(read(m.build([x], [y]), "svdf"))
    assert caught.value.message.startswith(name)
    assert "\n" not in caught.value.message
    assert capfd.readouterr() == ("", "")


def test_no_interpreter_is_no_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in _MODULES:
        monkeypatch.setitem(sys.modules, module, None)
    assert verify.reference(_sum_of_four()) is None


def test_an_arena_beyond_the_host_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    _INTERPRETERS["tflite_micro {}"](monkeypatch)
    m = Maker()
    x, y = m.tensor((1, 2**30), scale=1.0), m.tensor((1, 2**30), scale=1.0)
    m.node("RELU", [x], [y])
    monkeypatch.setattr(verify.ops, "check", lambda graph: None)
    with pytest.raises(InputError, match="needs an arena of"):
        verify.reference(read(m.build([x], [y]), "large"))


@pytest.mark.parametrize("model", ["kws", "vww", "ic", "ad"])
def test_the_reference_models_run(shared_models: Path, monkeypatch: pytest.MonkeyPatch, model: str) -> None:
    _INTERPRETERS["tflite_micro {}"](monkeypatch)
    graph = read((shared_models / f"{model}.tflite").read_bytes(), model)
    reference = verify.reference(graph)
    assert reference is not None
    rng = np.random.default_rng(0)
    shape = graph.tensors[graph.inputs[0]].shape
    sample = (rng.integers(-128, 128, shape, np.int8),)
    first, second = reference.run(sample), reference.run(sample)
    assert verify.agreement(reference.name, [first], [second]).mismatched_bytes == 0
    assert first[0].shape == graph.tensors[graph.outputs[0]].shape
    assert len(np.unique(first[0])) > 1


def test_agreement_counts_bytes_and_the_largest_difference() -> None:
    expected = [
        (np.array([0, 127, -128], np.int8), np.array([1], np.int32)),
        (np.zeros(3, np.int8), np.array([0], np.int32)),
    ]
    actual = [
        (np.array([0, -128, -128], np.int8), np.array([1], np.int32)),
        (np.zeros(3, np.int8), np.array([258], np.int32)),
    ]
    assert verify.agreement("theirs", expected, expected) == Agreement("theirs", 2, 14, 0, 0)
    assert verify.agreement("theirs", expected, actual) == Agreement("theirs", 2, 14, 3, 258)


def test_the_outputs_that_differ_are_named() -> None:
    wanted = (np.zeros(2, np.int8), np.zeros(3, np.int8))
    got = (np.zeros(2, np.int8), np.array([0, 5, 2], np.int8))
    found = verify.agreement("theirs", [wanted], [got], names=("score", "box"))
    assert found.outputs == (OutputAgreement("score", 0, 0), OutputAgreement("box", 2, 5))
    assert report.of_outputs(found) == "; differing outputs: box"


@given(st.floats(width=32, allow_nan=False), st.integers(1, 9))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_floats_differ_by_the_floats_between_them(start: float, steps: int) -> None:
    a = np.array([start], np.float32)
    b = a
    for _ in range(steps):
        b = np.nextafter(b, np.float32(-np.inf))
    # Minus infinity has no float below it; the two zeros are one number.
    distance = verify.agreement("r", [(a,)], [(b,)]).max_difference
    assert distance == steps or (np.isinf(b[0]) and distance <= steps)


def _softmax(dtype: str, **quantization: float) -> Graph:
    m = Maker()
    x = m.tensor((1, 4), dtype, scale=1.0 if quantization else None)
    y = m.tensor((1, 4), dtype, **quantization)
    m.node("SOFTMAX", [x], [y], beta=1.0)
    return read(m.build([x], [y]), "softmax")


def test_only_exponentials_of_floats_may_differ() -> None:
    assert verify.tolerance(_sum_of_four()) is None
    assert verify.tolerance(_softmax("int16", scale=2.0**-15)) is None
    assert verify.tolerance(_softmax("float32")) == 1e-5


@pytest.mark.parametrize(
    ("got", "tolerance"),
    [
        ([1.0, -4.0, 0.0, 0.0], 1e-5),
        # Of the largest, not of each.
        ([1.0, -4.0, 3e-5, 0.0], 1e-5),
        ([1.0, -4.0, 5e-5, 0.0], None),
        ([1.0, -4.0, float("nan"), 0.0], None),
    ],
)
def test_a_tolerance_is_a_part_of_the_largest(got: list[float], tolerance: float | None) -> None:
    expected = np.array([1, -4, 0, 0], np.float32)
    found = verify.agreement("r", [(expected,)], [(np.array(got, np.float32),)], 1e-5)
    assert found.tolerance == tolerance
    assert found.compared_bytes == 16


@pytest.mark.parametrize(
    ("expected", "got", "close"),
    [
        ([math.inf, 1], [math.inf, 1 + 1e-6], True),
        ([-math.inf, 1], [-math.inf, 1 + 1e-4], False),
        ([math.inf, 1], [0, 5], False),
        ([math.inf, 1], [-math.inf, 1], False),
        ([1e30, 1], [math.inf, 1], False),
        ([math.inf, -math.inf], [math.inf, 0], False),
    ],
)
def test_an_infinity_is_close_to_itself_alone(expected: list[float], got: list[float], close: bool) -> None:
    pair = (np.array(expected, np.float32),), (np.array(got, np.float32),)
    assert (verify.agreement("r", [pair[0]], [pair[1]], 1e-5).tolerance is not None) == close


@pytest.mark.parametrize(("got", "tolerance"), [(6, 1e-5), (7, None)])
def test_integers_may_be_rounded_the_other_way(got: int, tolerance: float | None) -> None:
    arrays = (np.array([5], np.int8),), (np.array([got], np.int8),)
    assert verify.agreement("r", [arrays[0]], [arrays[1]], 1e-5).tolerance == tolerance


def test_nothing_compared_agrees() -> None:
    assert verify.agreement("r", [], []) == Agreement("r", 0, 0, 0, 0)


@pytest.mark.parametrize(
    ("actual", "says"),
    [
        ([], "0 samples were computed, theirs has 1"),
        ([()], "sample 0 has 0 outputs, theirs has 1"),
        ([(np.zeros((4,), np.int8),)], r"output 0 is int8 \[4\], theirs has int8 \[1, 4\]"),
        ([(np.zeros((1, 4), np.uint8),)], "output 0 is uint8"),
    ],
)
def test_what_cannot_be_compared_is_a_mismatch(actual: list[tuple[Array, ...]], says: str) -> None:
    with pytest.raises(MismatchError, match=says):
        verify.agreement("theirs", [(np.zeros((1, 4), np.int8),)], actual)
