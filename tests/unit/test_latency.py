"""What speaks against measured times is said, and nothing where nothing does."""

from __future__ import annotations

import random
from typing import Literal

import pytest

from microwright.latency import Latency, Timer, examine


def found(
    samples: list[float],
    inputs: tuple[int, ...] = (),
    *,
    kind: Literal["measured", "emulated"] = "measured",
    ratio: tuple[float, float] | None = None,
    repeatable: bool = True,
) -> dict[str, str]:
    """Names and messages of the cautions."""
    unit: Literal["us", "instructions"] = "us" if kind == "measured" else "instructions"
    timer = Timer("dwt", 480_000_000, 4, ratio)
    latency = Latency(kind, unit, tuple(samples), inputs or tuple(range(len(samples))), timer=timer)
    return {caution.name: caution.message for caution in examine(latency, repeatable=repeatable)}


def test_steady_times_are_nothing_to_speak_of() -> None:
    draw = random.Random(0)
    # Different inputs may take different times, equal ones differ by what caches do.
    times = [1000 + 300 * (run % 4) + 20 * draw.random() for run in range(40)]
    assert found(times, tuple(run % 4 for run in range(40)), ratio=(0.997, 1.002)) == {}
    assert found([5.0]) == {}


def test_equal_inputs_in_unequal_times() -> None:
    said = found([100, 200, 101, 260], (0, 1, 0, 1))
    assert said == {"unsteady-latency": "2 runs of the same input took 200 us to 260 us, 30.0% apart"}
    assert found([100, 200, 101, 260], (0, 1, 0, 1), repeatable=False) == {}


def test_an_emulators_count_of_equal_inputs_is_equal() -> None:
    assert found([70, 90, 70, 90], (0, 1, 0, 1), kind="emulated") == {}
    said = found([7000, 90, 7001, 90], (0, 1, 0, 1), kind="emulated")
    assert "7,000 instructions to 7,001 instructions" in said["unsteady-latency"]


def test_an_interrupt_now_and_then() -> None:
    times = [100 + run % 3 / 10 for run in range(50)]
    times[7] = times[30] = 180
    assert found(times) == {
        "latency-outliers": "2 of 50 runs took up to 180 us, the median is 100.1 us",
    }
    # Instructions of different inputs are what they are.
    assert found(times, kind="emulated") == {}


@pytest.mark.parametrize(
    ("ratio", "said"),
    [
        ((0.992, 1.004), None),
        ((0.5, 2.0), None),
        ((1.009, 1.0135), None),
        ((1.0201, 1.0239), "2.2% fast"),
        ((0.5001, 0.5003), "50.0% slow"),
        ((0.0, 0.0), "100.0% slow"),
    ],
)
def test_a_clock_that_is_proved_wrong(ratio: tuple[float, float], said: str | None) -> None:
    message = found([100], ratio=ratio).get("clock-differs")
    if said is None:
        assert message is None
    else:
        assert message is not None and said in message and "480,000,000 Hz" in message
