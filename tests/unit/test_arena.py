"""Arenas of the reference models: what they need, and how long planning takes."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path

import pytest

from microwright import board, graph, passes, target
from microwright.plan import plan
from microwright.target import Room

LIMITS = {
    ("mps2-an386", "kws"): 12_000,
    ("mps2-an386", "vww"): 42_000,
    ("mps2-an386", "ic"): 38_000,
    ("mps2-an386", "ad"): 2_400,
    ("mps3-an547", "kws"): 14_000,
    ("mps3-an547", "vww"): 42_000,
    ("mps3-an547", "ic"): 40_000,
    ("mps3-an547", "ad"): 2_400,
}


@pytest.mark.parametrize(("board_id", "name"), LIMITS)
def test_the_arena_stays_within_its_limit(shared_models: Path, board_id: str, name: str) -> None:
    model = graph.read((shared_models / f"{name}.tflite").read_bytes(), name)
    planned = plan(passes.run(model), target.of(board.load(board_id)))
    assert planned.arena_bytes <= LIMITS[board_id, name]
    # For these, the placement is optimal: nothing lies unused when most is in use.
    assert planned.arena_bytes - planned.used_bytes(planned.peak) < 64


def test_little_ram_takes_slower_kernels_where_it_has_to(shared_models: Path) -> None:
    model = passes.run(graph.read((shared_models / "ic.tflite").read_bytes(), "ic"))
    roomy = target.of(board.load("mps2-an386"))
    fast = plan(model, roomy)
    tight = dataclasses.replace(roomy, rooms=(Room("ram", fast.arena_bytes - 1000),))
    slow = plan(model, tight)
    assert slow.arena_bytes <= tight.rooms[0].bytes
    slower = [
        (a.step.kernel, b.step.kernel, b.rejected[a.step.kernel])
        for a, b in zip(fast.calls, slow.calls, strict=True)
        if a.step.kernel != b.step.kernel
    ]
    assert 0 < len(slower) < len(fast.calls) / 2
    assert all("memory: the arena would need" in why for _, _, why in slower)
    again = plan(model, tight)
    assert [c.step.kernel for c in again.calls] == [c.step.kernel for c in slow.calls]
    assert again.offsets == slow.offsets
    # As it was where it fits, and no more than it takes where nothing does.
    assert [
        c.step.kernel
        for c in plan(model, dataclasses.replace(tight, rooms=(Room("ram", fast.arena_bytes),))).calls
    ] == [c.step.kernel for c in fast.calls]
    assert plan(model, dataclasses.replace(tight, rooms=(Room("ram", 0),))).arena_bytes < fast.arena_bytes


def test_compiling_takes_little_time(shared_models: Path) -> None:
    content = (shared_models / "vww.tflite").read_bytes()
    started = time.process_time()
    plan(passes.run(graph.read(content, "vww")), target.of(board.load("mps2-an386"), "size"))
    assert time.process_time() - started < 2
