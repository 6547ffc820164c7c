"""Models that keep state, on emulated boards: each inference equals the reference's in turn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from microwright.graph import read
from tests.emulated.test_deploy import assert_device_equals_reference
from tests.ops.test_unidirectional_sequence_lstm import add_lstm
from tests.support.layers import Layers
from tests.support.stateful import Streaming, graph_of, memories


def test_a_stream_is_exact_after_warming_up(tmp_path: Path) -> None:
    m, _, line = memories(2)
    model = graph_of(m, line)
    assert model.streams
    measured = assert_device_equals_reference(model, "mps2-an385-m0plus", tmp_path / "p", 10)
    # The state matters: other outputs than those of each sample alone.
    outputs = np.array([sample[0] for sample in measured.outputs])
    assert len(np.unique(outputs)) > 20


def test_sequences_are_exact_each_from_the_initial_state(tmp_path: Path) -> None:
    layers = Layers()
    rng = np.random.default_rng(6)
    for _ in range(3):
        add_lstm(layers, rng)
    model = layers.graph()
    assert model.states and not model.streams
    measured = assert_device_equals_reference(model, "mps2-an386", tmp_path / "p", 4)
    assert len(np.unique(np.concatenate([y.ravel() for sample in measured.outputs for y in sample]))) > 20


def test_a_convolution_over_a_stream_is_exact(tmp_path: Path) -> None:
    """Each inference gets one row of the image, and keeps the two before."""
    rng = np.random.default_rng(3)
    m = Streaming()
    quantization: dict[str, Any] = {"scale": 0.1, "zero_point": -3}
    x, y = m.tensor((1, 1, 5, 3), **quantization), m.tensor((1, 1, 3, 4), scale=0.4)
    m.variable("rows", rng.integers(-128, 128, (1, 2, 5, 3), np.int8), **quantization)
    m.call_once()
    image, kept = m.tensor((1, 3, 5, 3), **quantization), m.tensor((1, 2, 5, 3), **quantization)
    m.node("CONCATENATION", [m.read("rows", (1, 2, 5, 3), **quantization), x], [image], axis=1)
    weights = m.const(rng.integers(-127, 128, (4, 3, 3, 3), np.int8), scales=[0.01] * 4)
    bias = m.const(rng.integers(-99, 99, 4), dtype="int32", scales=[0.001] * 4)
    m.node("CONV_2D", [image, weights, bias], [y], padding="VALID", stride_w=1, stride_h=1)
    begin, size = (m.const(values, dtype="int32") for values in ([0, 1, 0, 0], [1, 2, 5, 3]))
    m.node("SLICE", [image, begin, size], [kept])
    m.assign("rows", kept)
    model = read(m.build([x], [y]), "rows")
    measured = assert_device_equals_reference(model, "mps2-an385-m0plus", tmp_path / "p", 10)
    assert len(np.unique(np.concatenate([sample[0].ravel() for sample in measured.outputs]))) > 20
