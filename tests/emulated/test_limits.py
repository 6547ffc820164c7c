"""What reference models may take: constants in flash always, instructions and cycles where there is time."""

from __future__ import annotations

import importlib
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from microwright import board, graph, library

ROOT = Path(__file__).resolve().parents[2]
MEASURED = json.loads((ROOT / "docs" / "performance.json").read_text())["results"]
M4, M55 = "mps2-an386", "mps3-an547"
# Constants of the image over those of the model as it was given.
CONSTANTS = {"kws": 1.10, "vww": 0.65, "ic": 1.10, "ad": 1.05}
# Estimated cycles of an inference on the M4: the best published for a Cortex-M4.
CYCLES = {"kws": 5.18e6, "vww": 10.7e6, "ic": 19.8e6, "ad": 0.486e6}

# What an inference may take at most by board, so that a new page cannot loosen it: thousands of instructions,
# bytes of the arena, bytes of code.
INSTRUCTIONS = {
    M4: {"kws": 3250, "vww": 5700, "ic": 12_300, "ad": 300},
    M55: {"kws": 800, "vww": 1950, "ic": 2400, "ad": 55},
    "mps2-an500": {"kws": 3350, "vww": 5900, "ic": 12_700, "ad": 310},
    "mps2-an505": {"kws": 3350, "vww": 5900, "ic": 12_700, "ad": 310},
    "mps2-an385": {"kws": 6500, "vww": 9500, "ic": 26_500, "ad": 680},
}
ARENA = {
    M4: {"kws": 12_000, "vww": 42_000, "ic": 38_000, "ad": 2400},
    M55: {"kws": 14_000, "vww": 42_000, "ic": 40_000, "ad": 2400},
}
CODE = {M4: {"kws": 20_000, "vww": 24_000, "ic": 20_000, "ad": 10_000}}
STACK = 1000


def reference_model(folder: Path, name: str) -> graph.Graph:
    return graph.read((folder / f"{name}.tflite").read_bytes(), name)


@pytest.mark.parametrize("name", CONSTANTS)
@pytest.mark.parametrize("board_id", [M4, M55])
def test_constants_stay_within_their_limit(
    tmp_path: Path, shared_models: Path, board_id: str, name: str
) -> None:
    model, on = reference_model(shared_models, name), board.load(board_id)
    for path, content in library.compile_model(model, on).files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(content)
    source, compiled = tmp_path / "model" / "mw_model.c", tmp_path / "mw_model.o"
    include = tmp_path / "runtime" / "include"
    command = ["arm-none-eabi-gcc", *on.compile_flags, "-I", include, "-c", source, "-o", compiled]
    subprocess.run(command, check=True)
    sizes = subprocess.run(["arm-none-eabi-size", "-A", compiled], check=True, capture_output=True, text=True)
    constants = re.search(r"^\.?mw_model\S*\s+(\d+)", sizes.stdout, re.MULTILINE)
    assert constants is not None
    assert 0 < int(constants[1]) <= CONSTANTS[name] * model.weights_bytes


@pytest.mark.parametrize("name", CYCLES)
def test_the_published_cycles_stay_within_their_limit(name: str) -> None:
    (row,) = [row for row in MEASURED if (row["model"]["name"], row["board"]) == (name, M4)]
    assert row["estimated"]["unit"] == "cycles"
    assert row["estimated"]["value"] <= CYCLES[name]


@pytest.mark.parametrize("row", MEASURED, ids=lambda row: f"{row['model']['name']}-{row['board']}")
def test_the_page_stays_within_the_limits(row: dict[str, Any]) -> None:
    name, on, memory = row["model"]["name"], row["board"], row["memory"]
    unlimited = {name: float("inf")}
    assert row["latency"]["kind"] == "emulated"
    assert row["latency"]["value"] <= 1000 * INSTRUCTIONS.get(on, unlimited)[name]
    assert memory["arena_bytes"] <= ARENA.get(on, unlimited)[name]
    assert memory["code_bytes"] <= CODE.get(on, unlimited)[name]
    assert memory["stack_bytes"] <= STACK


@pytest.fixture(scope="module")
def bench() -> Iterator[ModuleType]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "tools"))
        yield importlib.import_module("bench")


@pytest.mark.thorough
@pytest.mark.parametrize("row", MEASURED, ids=lambda row: f"{row['model']['name']}-{row['board']}")
def test_an_inference_takes_no_more_than_the_page_says(
    shared_models: Path, bench: ModuleType, row: dict[str, Any]
) -> None:
    name = row["model"]["name"]
    found = bench.run(reference_model(shared_models, name), board.load(row["board"]))
    made = bench.to_json(found, bench.anchors.Anchors((), {}, {}))
    assert made["agreement"]["mismatched_bytes"] == 0
    # The timer's tick, and another compiler's mood.
    assert made["latency"]["value"] <= 1.01 * row["latency"]["value"]
    assert made["memory"]["arena_bytes"] <= row["memory"]["arena_bytes"]
    if row["board"] == M4:
        assert made["estimated"]["value"] <= CYCLES[name]
