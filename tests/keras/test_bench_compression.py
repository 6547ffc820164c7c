"""tools/bench_compression runs as a whole: a little training, one seed, the device, JSON and plot."""

from __future__ import annotations

import importlib
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

TOOLS = Path(__file__).resolve().parents[2] / "tools"


@pytest.mark.thorough
def test_a_short_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(TOOLS))
    bench = importlib.import_module("bench_compression")

    def training(epochs: int) -> Any:
        return bench.Training(epochs, 5e-3)

    monkeypatch.setattr(importlib.import_module("compression_cases"), "COPIES", 3)
    short = {
        name: replace(
            case,
            goal=bench.Goal(bytes_ratio=0.1),
            way=(0.3,),
            ends=end,
            begin=training(4 if name == "digits" else 60),
            on_way=training(2 if name == "digits" else 30),
            at_end=training(2 if name == "digits" else 60),
        )
        for (name, case), end in zip(bench.CASES.items(), [(0.05,), (0.15,)], strict=True)
    }
    monkeypatch.setattr(bench, "CASES", short)
    monkeypatch.setattr(bench, "SWEEP", {"channel": (0.9,), "block": (0.9,)})
    monkeypatch.setattr(bench, "SWEEP_TRAINING", training(2))
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "1")
    arguments = ["--seeds", "1", "--json", str(tmp_path / "out.json"), "--plot", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", ["bench_compression", *arguments])
    bench.main()
    content = json.loads((tmp_path / "out.json").read_bytes())
    for name, least in (("digits", 0.8), ("binary", 0.85)):
        record = content[name]["0"]
        assert record["bytes_ratio"] <= 0.1
        assert record["macs_ratio"] < 0.2 and record["instructions_ratio"] < 0.4
        assert record["accuracy_float"] > 0.9 and record["accuracy_device"] > least
        given, int8, *_, last = record["steps"]
        assert last["bytes"] == pytest.approx(record["bytes_ratio"] * given["bytes"])
        assert given["emulated_instructions"] is None and last["estimated_instructions"] is None
        assert last["emulated_instructions"] < int8["emulated_instructions"]
    plain, *pruned = content["sweep"]
    assert [each["method"] for each in content["sweep"]] == ["none", "channel", "block"]
    assert all(each["instructions"] < plain["instructions"] / 2 for each in pruned)
    assert (tmp_path / "compression.svg").is_file() and (tmp_path / "compression.png").is_file()
