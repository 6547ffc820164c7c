"""Sessions with a device that fails, as recordings: tests/recordings/*.txt replay what once went wrong.

`python -m tests.support.recordings` makes them again, which a change of the dialogue asks for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from microwright.graph import Array, Graph, Node, Tensor
from microwright.link import Recorder
from microwright.measure import Measurement, measure
from tests.support.fake_device import BUILD_ID, Clock, FakeDevice, FakePort

FOLDER = Path(__file__).resolve().parents[1] / "recordings"
INPUT_BYTES, OUTPUT_BYTES = 40, 4
URL = "/dev/ttyACM0"


def image() -> Any:
    """What measure reads of an image: one input, one output, two layers."""
    sizes = (INPUT_BYTES, OUTPUT_BYTES)
    tensors = tuple(Tensor(i, f"tensor {i}", "int8", (1, size), None, None) for i, size in enumerate(sizes))
    nodes = tuple(Node(i, "ADD", "", (0,), (1,), {}) for i in range(2))
    graph = Graph("m", "0" * 64, tensors, nodes, (0,), (1,), b"")
    board = SimpleNamespace(linux=None, serial=SimpleNamespace(baud=115_200))
    return SimpleNamespace(
        build_id=BUILD_ID, project=SimpleNamespace(graph=graph, board=board), elf=Path("not there.elf")
    )


def model(inputs: Sequence[bytes]) -> list[bytes]:
    """What the device computes: sums of a quarter of its input each, modulo 256."""
    return [np.frombuffer(inputs[0], np.uint8).reshape(OUTPUT_BYTES, -1).sum(1).astype(np.uint8).tobytes()]


def samples() -> list[tuple[Array, ...]]:
    """Three samples, the same each time."""
    rng = np.random.default_rng(2)
    return [(rng.integers(-128, 128, (1, INPUT_BYTES), np.int8),) for _ in range(3)]


def measured(connect: Any) -> Measurement:
    """A measurement of the samples over a line."""
    return measure(image(), URL, samples(), layers=True, connect=connect)


def device() -> FakeDevice:
    """The device, as it should be."""
    return FakeDevice(model, [INPUT_BYTES], [OUTPUT_BYTES], layers=2, chunk=16)


def damaged_reply() -> Callable[[bytes], bytes]:
    """A bit of the ticks flips in the reply to the second run."""
    fake, runs = device(), 0

    def receive(data: bytes) -> bytes:
        nonlocal runs
        sent = fake.receive(data)
        runs += b" run " in data
        return re.sub(rb"ticks=1", b"ticks=3", sent) if runs == 2 else sent

    return receive


def reset_in_mid_run() -> Callable[[bytes], bytes]:
    """The device restarts while it runs for the third time, and says so."""
    fake, runs = device(), 0

    def receive(data: bytes) -> bytes:
        nonlocal runs
        runs += b" run " in data
        if runs == 3:
            runs += 1
            fake.reset()
            return b"brown-out reset\r\nmicrowright ready\r\n"
        return fake.receive(data)

    return receive


CASES: Mapping[str, Callable[[], Callable[[bytes], bytes]]] = {
    "damaged_reply": damaged_reply,
    "reset_in_mid_run": reset_in_mid_run,
}


def record(path: Path, receive: Callable[[bytes], bytes]) -> Measurement:
    """Measure and record, in a clock's time."""
    clock = Clock()
    with Recorder(path, open_port=FakePort(receive, clock).open, clock=clock) as recorder:
        return measured(recorder.connect)


if __name__ == "__main__":
    for name, case in CASES.items():
        record(FOLDER / f"{name}.txt", case())
