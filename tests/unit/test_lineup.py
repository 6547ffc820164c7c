"""Reports side by side: what may be compared, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from microwright import cli, lineup
from microwright.errors import InputError


def report(**changes: Any) -> dict[str, Any]:
    """A report of schema 1, as far as it is read; `changes` go into its latency where they are of it."""
    latency = {"kind": "emulated", "unit": "instructions", "median": 1000, "p95": 1100, "first": 1200}
    made = {
        "schema": 1,
        "complete": True,
        "board": "mps2-an386",
        "engine": "aot",
        "model": {"name": "kws", "sha256": "0" * 64},
        "latency": latency,
        "memory": {"ram_total_bytes": 2000, "flash_total_bytes": 3000},
        "agreement": {"mismatched_bytes": 0},
    }
    for key, value in changes.items():
        (latency if key in latency else made)[key] = value
    return made


def put(folder: Path, *reports: object) -> list[Path]:
    paths = [folder / f"{number}.json" for number in range(len(reports))]
    for path, content in zip(paths, reports, strict=True):
        path.write_text(json.dumps(content))
    return paths


def test_only_times_of_one_kind_and_unit_make_a_ratio(tmp_path: Path) -> None:
    paths = put(
        tmp_path,
        report(),
        report(kind="measured", unit="us", median=50.0, p95=55.0, first=70.0),
        report(median=500, board="mps3-an547"),
        report(unit="cycles", median=4000),
        report(kind="measured", unit="us", median=75.0, p95=75.0, first=75.0),
    )
    entries = lineup.read(paths)
    assert [entry.ratio for entry in entries] == [1.0, 1.0, 0.5, 1.0, 1.5]
    assert [entry.board for entry in entries[1:3]] == ["mps2-an386", "mps3-an547"]


def test_what_speaks_against_a_report_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = put(
        tmp_path,
        report(agreement={"mismatched_bytes": 3}),
        report(complete=False, agreement=None),
        report(system={"valid": False}, accuracy=0.985),
    )
    assert cli.execute(["compare", *map(str, paths)]) == 0
    printed = capsys.readouterr().out
    for said in (
        "DIFFER",
        "not compared, ended early",
        "exact, NOT VALID",
        "98.50%",
        "emulated, instructions",
    ):
        assert said in printed
    assert cli.execute(["compare", "--json", *map(str, paths)]) == 0
    listed = json.loads(capsys.readouterr().out)["reports"]
    assert [entry["exact"] for entry in listed] == [False, None, True]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[]", "is not a report"),
        ("{}", "is not a report"),
        ("nonsense", "is not JSON"),
        (json.dumps(report(schema=2)), "is not a report"),
        (json.dumps(report(median="1000")), "is not a report"),
        (json.dumps(report(median=True)), "is not a report"),
        (json.dumps(report(p95=float("nan"))), "is not a report"),
        (json.dumps(report(model={"name": 1})), "is not a report"),
    ],
)
def test_what_is_no_report_is_refused_by_name(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "r.json"
    path.write_text(content)
    with pytest.raises(InputError, match=said) as error:
        lineup.read([path])
    assert "r.json" in error.value.message


def test_a_folder_without_a_report_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"report\.json cannot be read: No such file"):
        lineup.read([tmp_path])


def test_names_of_a_report_do_not_reach_the_terminal_raw(tmp_path: Path) -> None:
    (entry,) = lineup.read(put(tmp_path, report(board="\x1b[2Jx", engine="a" * 1000)))
    assert entry.board == "?[2Jx"
    assert len(entry.engine) == 200
