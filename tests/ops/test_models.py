"""The MLPerf Tiny reference models, compiled for this machine, against TensorFlow Lite Micro."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from microwright import graph
from tests.support.native import assert_equal_to_reference


@pytest.mark.parametrize("name", ["kws", "vww", "ic", "ad"])
def test_outputs_equal_the_reference_to_the_byte(shared_models: Path, name: str) -> None:
    model = graph.read((shared_models / f"{name}.tflite").read_bytes(), name)
    rng = np.random.default_rng(0)
    samples = [
        tuple(rng.integers(-128, 128, model.tensors[i].shape, np.int8) for i in model.inputs)
        for _ in range(20)
    ]
    assert_equal_to_reference(model, samples)
