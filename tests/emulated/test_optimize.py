"""Goals of optimisation on a device: the same bytes, and size is smaller."""

from __future__ import annotations

from pathlib import Path

import pytest

from microwright import board, build, graph, project, verify
from microwright.kernels.code_bytes import CODE_BYTES
from microwright.target import OPTIMIZE
from tests.emulated.test_deploy import run, samples
from tests.support.firmware import convolutional
from tests.support.tools import imported


def test_every_goal_gives_the_references_bytes(tmp_path: Path) -> None:
    model = convolutional()
    inputs = samples(model, 3)
    reference = verify.reference(model)
    assert reference is not None, "the reference interpreter is part of the development installation"
    expected = [reference.run(sample) for sample in inputs]
    code, instructions = {}, {}
    for optimize in OPTIMIZE:
        made = project.create(tmp_path / optimize, model, board.load("mps2-an386"), optimize=optimize)
        image = build.build(made)
        measured = run(image, inputs)
        assert verify.agreement(reference.name, expected, measured.outputs).mismatched_bytes == 0
        code[optimize] = image.code_bytes
        instructions[optimize] = measured.latency.median
    assert code["size"] < code["balanced"] <= code["speed"]
    assert instructions["speed"] <= instructions["balanced"] < instructions["size"]


@pytest.mark.parametrize(("optimize", "limit"), [("size", 12_000), ("balanced", 20_000)])
def test_keyword_spotting_fits_its_share_of_flash(
    tmp_path: Path, shared_models: Path, optimize: str, limit: int
) -> None:
    model = graph.read((shared_models / "kws.tflite").read_bytes(), "kws")
    goal = next(o for o in OPTIMIZE if o == optimize)
    made = project.create(tmp_path / "p", model, board.load("mps2-an386"), optimize=goal)
    assert build.build(made).code_bytes <= limit


def test_the_sizes_that_the_compiler_reckons_with_are_the_kernels() -> None:
    with imported("code_bytes") as tools:
        sizes = tools["code_bytes"].sizes()
    assert sizes.keys() == CODE_BYTES.keys(), "run python tools/code_bytes.py"
    # Another compiler's may differ a little.
    for source, size in sizes.items():
        assert size == pytest.approx(CODE_BYTES[source], rel=0.25, abs=40), "run python tools/code_bytes.py"
