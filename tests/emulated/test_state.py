"""Models that keep state, on emulated boards: each inference equals the reference's in turn."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.emulated.test_deploy import assert_device_equals_reference
from tests.ops.test_unidirectional_sequence_lstm import add_lstm
from tests.support.layers import Layers
from tests.support.stateful import graph_of, memories


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
