"""The machine behind an agent: a run that was slowed down is invalid, and what disturbs it is said."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import pytest

from microwright import system
from microwright.agent import Agent, Burst, Facts
from microwright.system import Series, System

# A board that is set up for measuring.
QUIET = Facts(
    governor="performance",
    frequency_hz=(1_500_000_000,) * 4,
    frequency_max_hz=1_500_000_000,
    temperature_c=48.2,
    throttled=0,
    load1=0.05,
    desktop=False,
    baseline_hwm_bytes=30_000_000,
    vm_hwm_bytes=34_000_000,
)
ONE = Series((1.0,))


def of(*facts: Facts) -> System:
    return System(facts, ONE)


def names(*facts: Facts) -> list[str]:
    return [caution.name for caution in system.examine(of(*facts))]


def test_a_board_that_is_well_is_valid_and_nothing_is_said_of_it() -> None:
    assert of(QUIET, QUIET).valid is True
    assert names(QUIET, QUIET) == []


@pytest.mark.parametrize("bit", range(4))
def test_each_of_the_low_bits_makes_a_run_invalid(bit: int) -> None:
    made = of(QUIET, replace(QUIET, throttled=1 << bit), QUIET)
    assert made.valid is False
    assert made.invalid == (system.THROTTLING[bit],)


@pytest.mark.parametrize("bit", range(4))
def test_what_fired_between_two_looks_counts_and_what_was_before_does_not(bit: int) -> None:
    since_boot = replace(QUIET, throttled=1 << 16 + bit)
    assert of(QUIET, since_boot).invalid == (system.THROTTLING[bit],)
    assert of(since_boot, since_boot).valid is True


def test_other_bits_say_nothing() -> None:
    assert of(QUIET, replace(QUIET, throttled=1 << 4 | 1 << 20)).valid is True


def test_without_the_bits_it_is_not_known_but_a_bit_that_fired_stays() -> None:
    unknown = replace(QUIET, throttled=None)
    assert of(QUIET, unknown).valid is None
    assert names(QUIET, unknown) == ["throttling-unknown"]
    assert of(unknown, replace(QUIET, throttled=4)).valid is False


def test_an_invalid_run_says_why() -> None:
    (caution,) = system.examine(of(QUIET, replace(QUIET, throttled=0x4 | 0x40000)))
    assert caution.name == "invalid-run"
    assert caution.message.endswith("during the measurement, the cores were throttled")


@pytest.mark.parametrize(
    ("changed", "name", "command"),
    [
        (replace(QUIET, governor="ondemand"), "governor", "scaling_governor"),
        (replace(QUIET, load1=1.2), "busy-machine", "`top`"),
        (replace(QUIET, desktop=True), "desktop-session", "sudo systemctl isolate multi-user.target"),
        (replace(QUIET, throttled=0x10000), "weak-supply", "power supply"),
        (replace(QUIET, frequency_hz=(600_000_000,)), "slow-clock", "measure_clock"),
    ],
)
def test_what_disturbs_is_said_with_what_to_do(changed: Facts, name: str, command: str) -> None:
    (caution,) = system.examine(of(changed, changed))
    assert caution.name == name
    assert command in caution.hint


def test_a_machine_that_tells_nothing_is_only_not_known_to_be_valid() -> None:
    assert names(Facts(), Facts()) == ["throttling-unknown"]


def test_percentiles_are_samples_by_their_rank() -> None:
    series = Series(tuple(float(n) for n in range(200, 0, -1)))
    assert [series.percentile(percent) for percent in (50, 95, 99)] == [100, 190, 198]
    assert Series((7.0,)).percentile(99) == 7.0


class Machine:
    """An agent whose bursts take as long as they may, on a clock that stands still otherwise."""

    def __init__(self) -> None:
        self.now = 0.0
        self.asked: list[object] = []

    def facts(self) -> Facts:
        self.asked.append("facts")
        return QUIET

    def burst(self, sample: tuple[bytes, ...], *, runs: int = 65_536, seconds: int = 10) -> Burst:
        self.asked.append(seconds)
        self.now += seconds
        return Burst((2_000, 3_000), 0)


def test_a_sustained_run_is_bursts_with_looks_at_the_machine_in_between() -> None:
    machine = Machine()
    shown: list[tuple[str, int, int]] = []
    made = system.observe(
        cast(Agent, machine),
        QUIET,
        (b"",),
        sustained_s=25,
        progress=lambda what, done, total: shown.append((what, done, total)),
        now=lambda: machine.now,
    )
    assert machine.asked == ["facts", 5, "facts", 10, "facts", 10, "facts", 5, "facts"]
    assert len(made.facts) == 6
    assert made.warm is not None and made.warm.samples == (2.0, 3.0)
    assert made.sustained is not None and made.sustained.samples == (2.0, 3.0) * 3
    assert shown == [("sustain", done, 25) for done in (0, 10, 20, 25)]


def test_without_a_sustained_run_there_is_none() -> None:
    machine = Machine()
    made = system.observe(cast(Agent, machine), QUIET, (b"",), now=lambda: machine.now)
    assert made.sustained is None
    assert machine.asked == ["facts", 5, "facts"]
    assert system.observe(cast(Agent, machine), QUIET, (b"",), warm=False).warm is None


def test_the_section_of_a_report() -> None:
    told = system.to_json(System((QUIET, replace(QUIET, throttled=1)), Series((3.0, 1.0, 2.0))))
    assert told["valid"] is False
    assert told["invalid"] == ["under-voltage"]
    assert told["memory_over_baseline_bytes"] == 4_000_000
    assert told["warm"] == {"unit": "us", "runs": 3, "p50": 2.0, "p95": 3.0, "p99": 3.0, "samples": [3, 1, 2]}
    assert told["sustained"] is None
    facts = told["facts"]
    assert isinstance(facts, list) and facts[1]["throttled"] == 1
    assert "board_model" not in facts[0]  # not told
