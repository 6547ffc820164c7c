"""tools/bench_compression: clean data, the page shows what was measured, and that is what was promised."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from microwright.errors import MismatchError
from tests.support.tools import TOOLS, imported, written

MODULES = ("bench_compression", "compression_cases", "compression_page", "pages")


@pytest.fixture(scope="module")
def tools() -> Iterator[dict[str, ModuleType]]:
    with imported(*MODULES) as modules:
        yield modules


@pytest.fixture(scope="module")
def numbers(tools: dict[str, ModuleType]) -> Any:
    return json.loads(tools["compression_page"].NUMBERS.read_text())


def test_the_page_shows_the_numbers_that_were_measured(tools: dict[str, ModuleType], numbers: Any) -> None:
    page = tools["compression_page"]
    before, shown = written(page, tools["pages"])
    assert "tools/bench_compression" in before
    assert shown == page.markdown(numbers)


def test_a_tenth_of_the_bytes_a_hundredth_of_the_macs_and_a_point_of_accuracy(numbers: Any) -> None:
    assert len(numbers["digits"]) == len(numbers["binary"]) == 3
    for record in numbers["digits"].values():
        assert record["bytes_ratio"] <= 0.1 and record["macs_ratio"] <= 0.01
        assert record["accuracy_float"] >= 0.98
        assert record["accuracy_float"] - record["accuracy_device"] <= 0.01
    for record in numbers["binary"].values():
        assert record["bytes_ratio"] <= 0.1
        assert record["accuracy_device"] >= 0.9139


def test_the_readme_says_what_was_measured(tools: dict[str, ModuleType], numbers: Any) -> None:
    records = numbers["digits"].values()
    fewer, less, lost = (
        median(values)
        for values in (
            [1 / record["bytes_ratio"] for record in records],
            [1 / record["macs_ratio"] for record in records],
            [100 * (record["accuracy_float"] - record["accuracy_device"]) for record in records],
        )
    )
    readme = " ".join((TOOLS.parent / "README.md").read_text().split())
    assert (
        f"1/{fewer:.0f} of its bytes and 1/{less:.0f} of its multiply-accumulates, {lost:.2f} points less"
        in readme
    )


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"macs_ratio": 0.011}, "MACs"),
        ({"bytes_ratio": 0.2}, "bytes"),
        ({"accuracy_float": 0.99, "accuracy_device": 0.97}, "points of accuracy"),
        ({"accuracy_float": 0.97}, "float network"),
    ],
)
def test_a_missed_goal_is_an_error(
    tools: dict[str, ModuleType], numbers: Any, changed: dict[str, float], says: str
) -> None:
    bench = tools["bench_compression"]
    records = numbers["digits"]
    bench.judge("digits", bench.CASES["digits"].goal, records)
    with pytest.raises(MismatchError, match=f"digits, seed 2: .*{says}"):
        bench.judge("digits", bench.CASES["digits"].goal, {**records, "2": {**records["2"], **changed}})


@pytest.mark.parametrize("name", ["digits", "binary"])
def test_what_is_tested_with_is_nothing_else(tools: dict[str, ModuleType], name: str) -> None:
    splits = [getattr(tools["compression_cases"], name)(seed) for seed in range(3)]
    for split in splits:
        parts = [
            {sample.tobytes() for sample in part.inputs[0]}
            for part in (split.train, split.validation, split.test)
        ]
        assert not parts[0] & parts[2] and not parts[1] & parts[2] and not parts[0] & parts[1]
        np.testing.assert_array_equal(split.test.labels, splits[0].test.labels)
    assert len({split.train.inputs[0].tobytes() for split in splits}) == 3


@pytest.mark.parametrize("name", ["digits", "binary"])
def test_each_part_has_the_classes_in_the_same_proportion(tools: dict[str, ModuleType], name: str) -> None:
    split = getattr(tools["compression_cases"], name)(1)
    shares = [np.bincount(part.labels) / part.samples for part in (split.train, split.validation, split.test)]
    for share in shares[1:]:
        np.testing.assert_allclose(share, shares[0], atol=0.01)


def test_images_that_train_are_joined_by_moved_copies(tools: dict[str, ModuleType]) -> None:
    cases = tools["compression_cases"]
    train = cases.digits(0).train
    count = train.samples // (cases.COPIES + 1)
    given, copy = train.inputs[0][:count], train.inputs[0][count : 2 * count]
    np.testing.assert_array_equal(train.labels[:count], train.labels[count : 2 * count])
    difference = np.abs(copy - given).mean(axis=(1, 2, 3))
    assert difference.min() > 0 and 0.02 < difference.mean() < 0.2
    assert copy.min() >= 0 and copy.max() <= 1


def test_features_are_scaled_by_the_training_samples(tools: dict[str, ModuleType]) -> None:
    split = tools["compression_cases"].binary(0)
    np.testing.assert_allclose(split.train.inputs[0].mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(split.train.inputs[0].std(axis=0), 1, atol=1e-3)
    assert abs(split.test.inputs[0].mean(axis=0)).max() > 1e-2


def point(instructions: float, accuracy: float, method: str = "channel") -> dict[str, Any]:
    return {
        "method": method,
        "sparsity": 0.5,
        "bytes": 1,
        "macs": 1,
        "instructions": instructions,
        "accuracy": accuracy,
    }


def test_the_front_is_what_no_other_network_beats(tools: dict[str, ModuleType]) -> None:
    fast, slow, beaten, equal = point(10, 0.9), point(20, 0.95), point(30, 0.94), point(25, 0.95)
    assert tools["compression_page"].front([slow, beaten, equal, fast]) == [fast, slow]


def test_the_same_numbers_give_the_same_plot(tools: dict[str, ModuleType], tmp_path: Path) -> None:
    points = [point(10, 0.9), point(20, 0.95, "block"), point(40, 0.99, "none")]
    for name in ("a", "b"):
        tools["compression_page"].plot(points, tmp_path / name)
    for file in ("compression.png", "compression.svg"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    drawn = (tmp_path / "a" / "compression.svg").read_text()
    assert "block pruning" in drawn and "dc:date" not in drawn
    assert (tmp_path / "a" / "compression.png").read_bytes().startswith(b"\x89PNG")


def test_the_plot_of_the_page_is_there(tools: dict[str, ModuleType]) -> None:
    docs = tools["pages"].DOCS
    assert (docs / "compression.png").is_file()
    drawn = (docs / "compression.svg").read_text()
    for method in ("channel", "block", "unstructured"):
        assert f"{method} pruning" in drawn


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("digit",), "no case 'digit'"),
        (("--seeds", "0"), "0 seeds"),
        (("binary", "--write-docs"), "all cases"),
        (("--seeds", "1", "--write-docs"), "all cases"),
        (("binary", "--plot", "folder"), "the plot is of digits"),
    ],
)
def test_wrong_arguments_are_explained(
    tools: dict[str, ModuleType],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    says: str,
) -> None:
    monkeypatch.setattr(sys, "argv", ["bench_compression", *arguments])
    with pytest.raises(SystemExit) as stop:
        tools["bench_compression"].main()
    assert stop.value.code not in (0, 1)
    lines = capsys.readouterr().err.splitlines()
    assert says in lines[0]
    assert lines[1].startswith("hint: ")
    assert len(lines) == 2
