"""Devices behind lines with all faults: the reference's bytes, or a typed error in time."""

from __future__ import annotations

import random
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from microwright import board, build, project, runners, verify
from microwright.build import Image
from microwright.errors import DeviceTimeout, LinkCorrupt, PortLost, StaleFirmware
from microwright.graph import Array
from microwright.measure import measure
from tests.support.faults import Faults
from tests.support.firmware import convolutional, dense
from tests.support.proxy import Proxy

MODEL = convolutional()
BYTE_ERRORS = {"drop": 2e-4, "flip": 2e-4, "repeat": 2e-4, "insert": 2e-4}


def built(folder: Path, board_id: str) -> Image:
    return build.build(project.create(folder, MODEL, board.load(board_id)))


def samples(count: int) -> list[tuple[Array, ...]]:
    rng = np.random.default_rng(3)
    shapes = [MODEL.tensors[i].shape for i in MODEL.inputs]
    return [tuple(rng.integers(-128, 128, shape, np.int8) for shape in shapes) for _ in range(count)]


def comes_through(image: Image, faults: Faults, count: int) -> bool:
    """Whether a measurement over the faulty line does; what comes through is right."""
    inputs = samples(count)
    with Proxy(partial(runners.start, image), faults) as proxy:
        try:
            measured = measure(image, proxy.url, inputs)
        except (LinkCorrupt, DeviceTimeout, PortLost):
            return False
    reference = verify.reference(MODEL)
    assert reference is not None, "the reference interpreter is part of the development installation"
    expected = [reference.run(sample) for sample in inputs]
    agreement = verify.agreement(reference.name, expected, measured.outputs)
    assert agreement.mismatched_bytes == 0
    assert agreement.compared_bytes == count * sum(MODEL.tensors[i].size_bytes for i in MODEL.outputs)
    assert measured.latency.runs == count
    return True


@pytest.mark.parametrize("board_id", ["host", "mps2-an386"])
def test_measurements_over_faulty_lines(tmp_path: Path, board_id: str) -> None:
    image = built(tmp_path, board_id)
    faults = Faults(
        random.Random(0), **BYTE_ERRORS, hold=0.01, again=0.005, split=0.05, reset=0.02, close=0.02
    )
    # Where pieces end is a matter of time, so that one session may have all of these, or none.
    through = 0
    while not (through and faults.counts["reset"] and faults.counts["close"] and faults.counts["flip"]):
        through += comes_through(image, faults, 4)


def test_firmware_that_is_changed_under_way_is_refused(tmp_path: Path) -> None:
    image = built(tmp_path / "a", "host")
    other = build.build(project.create(tmp_path / "b", dense(), board.load("host")))
    images = iter([image, other])
    faults = Faults(random.Random(1), reset=0.1)
    with (
        Proxy(lambda: runners.start(next(images)), faults) as proxy,
        pytest.raises(StaleFirmware, match=f"runs build {other.build_id[:12]}"),
    ):
        measure(image, proxy.url, samples(20))


@pytest.mark.thorough
@pytest.mark.parametrize("board_id", ["host", "mps2-an385", "mps2-an386", "mps3-an547"])
def test_measurements_over_faulty_lines_thoroughly(tmp_path: Path, board_id: str) -> None:
    image = built(tmp_path, board_id)
    done = 0
    for seed in range(12):
        rate = [0.0, 3e-4, 1e-3, 2.5e-3][seed % 4]
        others = {"hold": 0.02, "again": 0.005, "split": 0.1, "reset": 0.01, "close": 0.01}
        faults = Faults(random.Random(seed), rate, rate, rate, rate, **others)
        done += comes_through(image, faults, 5)
    assert done >= 6
