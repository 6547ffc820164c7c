"""Programs for boards that run Linux, for each of their architectures, under QEMU's user-mode emulation."""

from __future__ import annotations

from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from microwright import board, build, project, report, runners, verify
from microwright.board import Board
from microwright.build import Image
from microwright.errors import ToolMissing
from microwright.graph import Graph
from microwright.link import Link
from microwright.measure import measure
from tests.emulated import test_deploy
from tests.support.firmware import convolutional, dense

BY_DEFAULT = ("rpi-emulated", "aarch64")
SYSTEMS = [
    pytest.param(
        made.with_arch(arch),
        id=f"{made.id}-{arch}",
        marks=[] if (made.id, arch) == BY_DEFAULT else pytest.mark.thorough,
    )
    for made in map(board.load, board.all_ids())
    if made.linux is not None
    for arch in made.linux.archs
]
MACHINES = {"aarch64": "EM_AARCH64", "armv7l": "EM_ARM", "armv6l": "EM_ARM"}


def built(folder: Path, on: Board, of: Graph | None = None) -> Image:
    assert on.linux is not None
    try:
        build.require_tools(on)
        runners.check(on, "qemu-user")
    except ToolMissing as error:
        if on.linux.arch == BY_DEFAULT[1]:
            raise  # the set-up installs it
        pytest.skip(f"the compiler of another architecture, which the set-up leaves out: {error.hint}")
    return build.build(project.create(folder, of or convolutional(), on))


@pytest.mark.parametrize("on", SYSTEMS)
def test_the_reference_s_bytes_of_a_program_that_needs_no_library(tmp_path: Path, on: Board) -> None:
    image = built(tmp_path / "p", on)
    assert on.linux is not None
    with image.elf.open("rb") as file:
        elf = ELFFile(file)
        assert elf["e_machine"] == MACHINES[on.linux.arch]
        assert not list(elf.iter_segments("PT_INTERP"))
    model = image.project.graph
    inputs = test_deploy.samples(model, 3)
    reference = verify.reference(model)
    assert reference is not None
    with runners.start(image, runner="qemu-user") as device:
        measured = measure(image, device.url, inputs, emulation=device.emulation, layers=True)
    expected = [reference.run(sample) for sample in inputs]
    assert verify.agreement(reference.name, expected, measured.outputs).mismatched_bytes == 0
    assert len(measured.layers) == len(model.nodes)
    assert measured.stack_bytes is not None
    # What the emulator takes is never shown as the board's time.
    assert (measured.latency.kind, measured.latency.unit) == ("emulated", "us")
    made = report.make(image, measured, None, None)
    assert [caution.name for caution in made.cautions] == ["emulated-time"]
    assert made.estimated is None
    assert all(layer.per_mac is None for layer in made.layers)


@pytest.mark.thorough
def test_clang_and_a_change_of_the_architecture_in_one_folder(tmp_path: Path) -> None:
    on = board.load("rpi-emulated")
    cases: list[tuple[str, build.Toolchain]] = [("aarch64", "clang"), ("armv7l", "clang"), ("armv7l", "gcc")]
    for arch, toolchain in cases:
        project.create(tmp_path / "p", dense(), on.with_arch(arch))
        again = project.open_project(tmp_path / "p")
        assert again.board.linux is not None
        assert again.board.linux.arch == arch
        image = build.build(again, toolchain=toolchain)
        assert ("clang version" in image.toolchain) == (toolchain == "clang")
        with runners.start(image) as device, Link(device.url, 115_200) as link:
            assert link.request("hello").args["build"] == image.build_id
