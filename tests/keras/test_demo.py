"""The demo: it fails when the device does, and all of it runs."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from microwright.accuracy import Scores
from microwright.errors import MismatchError
from microwright.latency import Latency
from microwright.report import Memory, ModelFacts, Report
from microwright.verify import Agreement
from tests.support.firmware import NO_FOOTPRINT

DEMO = Path(__file__).resolve().parents[2] / "tools" / "demo.py"


@pytest.fixture(scope="module")
def demo() -> ModuleType:
    spec = importlib.util.spec_from_file_location("demo", DEMO)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["demo"] = module
    spec.loader.exec_module(module)
    return module


def measured(accuracy: float, mismatched_bytes: int = 0) -> Report:
    return Report(
        ModelFacts("digits", "0" * 64, 1, 1),
        "mps2-an386",
        "aot",
        "balanced",
        "0",
        "gcc",
        Latency("emulated", "instructions", (1,)),
        Memory(1, 1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1),
        NO_FOOTPRINT,
        (),
        Agreement("reference", 10, 100, mismatched_bytes, mismatched_bytes),
        Scores("classes", 10, accuracy, None),
    )


def test_a_good_run_passes(demo: ModuleType) -> None:
    demo.judge(0.99, measured(0.98))


@pytest.mark.parametrize(
    ("result", "says"), [(measured(0.98, 1), "1 of 100 output bytes"), (measured(0.90), "accuracy fell")]
)
def test_a_bad_run_fails(demo: ModuleType, result: Report, says: str) -> None:
    with pytest.raises(MismatchError, match=says):
        demo.judge(0.99, result)


def test_the_network_is_pruned_by_half(demo: ModuleType) -> None:
    from microwright.compress import channels, prune_channels

    network = demo.network()
    pruned = prune_channels(network, sparsity=demo.SPARSITY, granularity=4)
    assert sum(channels(pruned).values()) <= sum(channels(network).values()) / 2


def test_no_image_is_in_two_parts(demo: ModuleType) -> None:
    split = demo.digits()
    # A few of the data set's own images are equal.
    parts = [
        {image.tobytes() for image in part.inputs[0]} for part in (split.train, split.validation, split.test)
    ]
    assert sum(part.samples for part in (split.train, split.validation, split.test)) == 1797
    assert not parts[0] & parts[2] and not parts[1] & parts[2] and not parts[0] & parts[1]


def test_an_output_folder_that_is_a_file(demo: ModuleType, tmp_path: Path, monkeypatch: Any) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(sys, "argv", ["demo", "-o", str(tmp_path / "file")])
    with pytest.raises(SystemExit) as stop:
        demo.main()
    assert stop.value.code == 7


@pytest.mark.thorough
def test_the_whole_demo(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, DEMO, "-o", tmp_path / "out"],
        check=False,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "out" / "project" / "report.json").read_text())
    assert report["agreement"]["inputs"] == 359
    assert report["agreement"]["mismatched_bytes"] == 0
    assert report["accuracy"] > 0.96
