"""Random layers on emulated boards: the device's outputs have to be the reference's."""

from __future__ import annotations

import binascii
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import serial

from microwright import board, build, passes, project, runners, target, verify
from microwright.board import Board
from microwright.build import Toolchain
from microwright.graph import Array, Graph
from microwright.measure import measure
from microwright.plan import Call, plan
from microwright.target import Optimize
from tests.support import image
from tests.support.layers import Layers, Rng

# All bytes of a sample are this one; None: they are random.
Fill = int | None
EXTREMES = (-128, 127)
_TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Layer:
    """A layer on a device: executed instructions, and its call."""

    instructions: int
    call: Call

    @property
    def weights_bytes(self) -> int:
        """What the kernel has in flash of weights."""
        (name,) = (name for name in self.call.step.fields if name.split(".")[-1] == "weights")
        weights = self.call.step.values(name)
        assert weights is not None
        return int(weights.nbytes)


def assert_equal_on_board(
    folder: Path,
    on: Board,
    model: Graph,
    data: Sequence[tuple[Array, ...]],
    optimize: Optimize = "balanced",
    toolchain: Toolchain | None = None,
) -> build.Image:
    """A model gives the reference's bytes on a board."""
    built = build.build(project.create(folder, model, on, optimize=optimize), toolchain=toolchain)
    with runners.start(built) as device:
        measured = measure(built, device.url, data, emulation=device.emulation)
    reference = verify.reference(model)
    assert reference is not None, "the reference interpreter is part of the development installation"
    expected = [reference.run(inputs) for inputs in data]
    assert verify.agreement(reference.name, expected, measured.outputs).mismatched_bytes == 0
    return built


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
    found = on_device(folder, layers.graph(), board_id, (*EXTREMES, *[None] * samples))
    return Counter(layer.call.step.kernel for layer in found)


def on_device(folder: Path, model: Graph, board_id: str, fills: Sequence[Fill] = (None,)) -> list[Layer]:
    """The layers of a model, each of one call, on an emulated board; outputs have to be the reference's.

    The image makes the inputs and compares the outputs itself.
    """
    reference = verify.reference(model)
    assert reference is not None, "the reference interpreter is part of the development installation"
    crcs = [
        [binascii.crc32(output.tobytes()) for output in reference.run(_inputs(model, number, fill))]
        for number, fill in enumerate(fills)
    ]
    on = board.load(board_id)
    firmware = project.create(folder, model, on)
    rows = ", ".join(f"{{{', '.join(f'{crc}u' for crc in row)}}}" for row in crcs)
    image.replace_main(
        firmware,
        "layers_app.c",
        "#include <stdint.h>\n#define RANDOM 256",
        f"static const int fills[] = {{{', '.join('RANDOM' if f is None else str(f) for f in fills)}}};",
        f"static const uint32_t crcs[][{len(model.outputs)}] = {{{rows}}};",
    )
    wrong: list[str] = []
    with (
        runners.start(build.build(firmware)) as device,
        serial.serial_for_url(device.url, timeout=_TIMEOUT_S) as line,
    ):
        while not (said := line.read_until(b"\n").decode(errors="replace")).startswith("ticks"):
            sample, _, output = said.strip().partition(" ")
            assert output.isdecimal(), said
            wrong.append(f"sample {sample}: {model.tensors[model.outputs[int(output)]].name}")
        emulation = device.emulation
    assert not wrong, "other outputs than the reference's:\n" + "\n".join(wrong)
    assert emulation is not None
    calls = plan(passes.run(model), target.of(on)).calls
    ticks = [int(word) for word in said.split()[1:]]
    return [Layer(emulation.count(t, on.cpu.clock_hz), call) for t, call in zip(ticks, calls, strict=True)]


def _inputs(model: Graph, sample: int, fill: Fill) -> tuple[Array, ...]:
    """A sample as layers_app.c makes it."""
    inputs = []
    for position, i in enumerate(model.inputs):
        shape = model.tensors[i].shape
        first = (sample * len(model.inputs) + position) << 16
        if fill is None:
            inputs.append(image.input_bytes(first, model.tensors[i].elements).view(np.int8).reshape(shape))
        else:
            inputs.append(np.full(shape, fill, np.int8))
    return tuple(inputs)
