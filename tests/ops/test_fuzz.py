"""Damaged files by the thousand: an error of ours or a result, in bounded time and memory.

Nothing else may come out of it: no other exception, no crash. A file is known by its number, so that
`python -m tests.support.fuzz NUMBER 1` repeats one.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from microwright import ops
from microwright.graph import read
from tests.support import fuzz, seeds

_CHECKOUT = Path(__file__).resolve().parents[2]


def outcomes(first: int, count: int, given: Sequence[Path] = ()) -> set[str]:
    """What became of so many files, in a process whose memory and time are bounded."""
    argv = [sys.executable, "-m", "tests.support.fuzz", str(first), str(count), *map(str, given)]
    done = subprocess.run(argv, cwd=_CHECKOUT, capture_output=True, text=True, check=False)
    lines = done.stdout.splitlines()
    assert done.returncode == 0, f"exit code {done.returncode} after {lines[-1:]}: {done.stderr[-2000:]}"
    assert "FAILED" not in done.stdout, done.stdout[done.stdout.index("FAILED") :][:2000]
    *files, (what, peak_kib) = (line.split() for line in lines)
    assert what == "peak_kib" and int(peak_kib) < fuzz.MEMORY_BYTES // 1024
    assert len(files) == count
    return {outcome for _, outcome, _ in files}


def test_damaged_files_are_taken_or_refused() -> None:
    assert outcomes(0, 300) >= {"result", "InputError", "UnsupportedOp"}


@pytest.mark.thorough
@pytest.mark.parametrize("first", range(0, 100_000, 5000))
def test_a_hundred_thousand_damaged_files_are_taken_or_refused(first: int, shared_models: Path) -> None:
    outcomes(first, 5000, sorted(shared_models.glob("*.tflite")))


def test_every_operator_is_damaged() -> None:
    present = {node.op for model in seeds.models() for node in read(model, "seed").nodes}
    assert present >= ops.OPS.keys() - {ops.LOOKUP}
