"""LSTM layers over sequences of inferences against TensorFlow Lite Micro, and what they refuse."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from microwright import ops
from microwright.errors import UnsupportedOp
from microwright.graph import Graph
from tests.support import layers
from tests.support.layers import Layers, Rng, assert_random_layers_equal, pick

GATES = range(4)


def add_lstm(made: Layers, rng: Rng) -> None:
    batches, steps = int(pick(rng, (1, 1, 3))), int(rng.integers(1, 7))
    in_len, units = int(rng.integers(1, 9)), int(rng.integers(1, 9))
    time_major = bool(rng.random() < 0.4)
    x_scale, x_zp = layers.scale(rng), layers.zero_point(rng)
    hidden_scale = float(np.float32(2.0 ** rng.uniform(-9, -6)))
    hidden_zp = int(pick(rng, (0, layers.zero_point(rng))))
    # What the gates see lies mostly where sigmoid and tanh bend.
    spread = 2.0 ** rng.uniform(-3, 3)

    def weights(length: int, scale: float) -> int:
        values = layers.weights(rng, (units, length))
        return made.maker.const(values, scale=float(np.float32(spread / (4000 * scale * np.sqrt(length)))))

    shape = (steps, batches) if time_major else (batches, steps)
    operands = [-1] * 24
    operands[0] = made.input((*shape, in_len), scale=x_scale, zero_point=x_zp)
    for gate in GATES:
        operands[1 + gate] = weights(in_len, x_scale)
        operands[5 + gate] = weights(units, hidden_scale)
        bias = rng.integers(-3000, 3000, units)
        operands[12 + gate] = made.maker.const(bias, dtype="int32", scale=x_scale)
    quantization = {"scale": hidden_scale, "zero_point": hidden_zp}
    operands[18] = made.maker.tensor((batches, units), variable=True, **quantization)
    cell_scale = 2.0 ** int(rng.integers(-15, -7))
    operands[19] = made.maker.tensor((batches, units), "int16", scale=cell_scale, variable=True)
    clip = float(pick(rng, (0.0, 0.0, 0.0, 10.0, 0.5)))
    name = f"lstm {shape} {in_len=} {units=} {time_major=} {clip=} {cell_scale=} {spread=}"
    y = made.output((*shape, units), name=name, **quantization)
    options = {"fused_activation_function": "TANH", "time_major": time_major, "cell_clip": clip}
    made.maker.node("UNIDIRECTIONAL_SEQUENCE_LSTM", operands, [y], **options)


def test_random_layers_over_a_sequence() -> None:
    assert_random_layers_equal(add_lstm, seed=92, count=15, samples=10)


@pytest.mark.thorough
def test_many_random_layers_over_a_sequence() -> None:
    for seed in range(9200, 9206):
        assert_random_layers_equal(add_lstm, seed=seed, count=60, samples=20)


def lstm(
    *,
    change: Mapping[int, tuple[tuple[int, ...], str]] | None = None,
    out: tuple[int, ...] = (1, 2, 4),
    cell_scale: float = 2**-11,
    variable: bool = True,
    inputs: int = 24,
    **options: Any,
) -> Graph:
    """A layer that the engine takes, but for what the caller changes: operands' shapes and types, options."""
    made = Layers()
    shapes: dict[int, tuple[tuple[int, ...], str]] = {}
    for gate in GATES:
        shapes |= {1 + gate: ((4, 3), "int8"), 5 + gate: ((4, 4), "int8"), 12 + gate: ((4,), "int32")}
    operands = [-1] * inputs
    operands[0] = made.input((1, 2, 3), scale=0.5)
    for position, (shape, dtype) in {**shapes, **(change or {})}.items():
        operands[position] = made.maker.const(np.ones(shape), dtype=dtype, scale=0.5, name="values")
    if inputs > 19:
        operands[18] = made.maker.tensor((1, 4), scale=0.5, variable=variable)
        operands[19] = made.maker.tensor((1, 4), "int16", scale=cell_scale, variable=True)
        if not variable:
            made.inputs.append(operands[18])
    y = made.output(out, scale=0.5, name="layer")
    settings = {"fused_activation_function": "TANH", **options}
    made.maker.node("UNIDIRECTIONAL_SEQUENCE_LSTM", operands, [y], **settings)
    return made.graph()


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        (lstm(change={1: ((4, 2), "int8")}), "'values' has shape (4, 2), expected (4, 3)"),
        (lstm(change={6: ((4, 3), "int8")}), "'values' has shape (4, 3), expected (4, 4)"),
        (lstm(change={13: ((3,), "int32")}), "'values' has shape (3,), expected (4,)"),
        (lstm(change={2: ((4, 3), "int16")}), "'values' is int16, expected int8"),
        (lstm(change={10: ((4,), "int16")}), "it has input 10, of an LSTM with peepholes"),
        (lstm(change={16: ((4, 4), "int8")}), "it has input 16"),
        (lstm(out=(1, 2, 5)), "states of shape (1, 4) and (1, 4) for 1 times 5 units"),
        (lstm(out=(1, 3, 4)), "an output of shape (1, 3, 4)"),
        (lstm(cell_scale=0.3), "its cell has the scale 0.3"),
        (lstm(variable=False), "its state, input 18, is no variable"),
        (lstm(inputs=18), "it has 18 inputs, expected 24"),
        (lstm(fused_activation_function="RELU"), "its activation is RELU"),
        (lstm(cell_clip=-1.0), "its cell is clipped at -1"),
    ],
)
def test_what_cannot_be_exact_is_refused(graph: Graph, message: str) -> None:
    with pytest.raises(UnsupportedOp) as caught:
        ops.check(graph)
    assert message in caught.value.message
    assert "'layer': " in caught.value.message
