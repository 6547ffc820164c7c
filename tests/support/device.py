"""Random layers on emulated boards: the device's outputs have to be the reference's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from microwright import board, build, passes, project, runners, target, verify
from microwright.board import Board
from microwright.graph import Array, Graph
from microwright.measure import measure
from microwright.plan import plan
from microwright.target import Optimize
from tests.support.layers import Layers, Rng


def assert_equal_on_board(
    folder: Path,
    on: Board,
    model: Graph,
    data: Sequence[tuple[Array, ...]],
    optimize: Optimize = "balanced",
) -> None:
    """A model gives the reference's bytes on a board."""
    image = build.build(project.create(folder, model, on, optimize=optimize))
    with runners.start(image) as device:
        measured = measure(image, device.url, data, emulation=device.emulation)
    reference = verify.reference(model)
    assert reference is not None, "the reference interpreter is part of the development installation"
    expected = [reference.run(inputs) for inputs in data]
    assert verify.agreement(reference.name, expected, measured.outputs).mismatched_bytes == 0


def assert_random_layers_equal_on(
    board_id: str,
    folder: Path,
    add: Callable[[Layers, Rng], None],
    *,
    seed: int,
    count: int,
    samples: int = 1,
) -> Counter[str]:
    """`count` layers made by `add` give the reference's bytes on a board; how many went to which kernel.

    Inputs are random, and all of them at either extreme.
    """
    rng = np.random.default_rng(seed)
    layers = Layers()
    for _ in range(count):
        add(layers, rng)
    model = layers.graph()
    shapes = [model.tensors[i].shape for i in model.inputs]
    data: list[tuple[Array, ...]] = [
        tuple(np.full(shape, value, np.int8) for shape in shapes) for value in (-128, 127)
    ]
    data += [tuple(rng.integers(-128, 128, shape, np.int8) for shape in shapes) for _ in range(samples)]
    on = board.load(board_id)
    image = build.build(project.create(folder, model, on))
    with runners.start(image) as device:
        measured = measure(image, device.url, data, emulation=device.emulation)
    reference = verify.reference(model)
    assert reference is not None, "the reference interpreter is part of the development installation"
    for inputs, outputs in zip(data, measured.outputs, strict=True):
        for index, expected, actual in zip(model.outputs, reference.run(inputs), outputs, strict=True):
            name = model.tensors[index].name
            different = np.flatnonzero(expected.reshape(-1) != actual.reshape(-1))
            assert not different.size, f"{name}: {different.size} bytes differ, the first at {different[0]}"
    return Counter(call.step.kernel for call in plan(passes.run(model), target.of(on)).calls)
