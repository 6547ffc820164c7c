"""The machine behind an agent: whether the times that were taken on it are valid, and what to change of it.

An agent tells the facts of its machine when it is asked; a measurement is what lies between the first and the
last of them.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from microwright import agent
from microwright.agent import Agent, Facts
from microwright.coverage import Caution
from microwright.progress import Progress, silent

# Bits of the firmware's `get_throttled`: so many now, the same again of what was since boot.
THROTTLING: tuple[str, ...] = (
    "under-voltage",
    "the frequency was capped",
    "the cores were throttled",
    "the soft temperature limit was reached",
)
_SINCE_BOOT = 16
_UNDER_VOLTAGE = 1

# Inferences back to back after those that were compared: enough for a 99th percentile.
_WARM_RUNS = 1000
_WARM_S = 5

# Of one core: more than this is another program's work.
_BUSY = 0.3
# A frequency this far below the highest is another one.
_SLOW = 0.99
_PERFORMANCE = "echo performance | sudo tee /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor"

_T = TypeVar("_T")


@dataclass(frozen=True)
class Series:
    """Inferences back to back on one machine: microseconds each, in their order."""

    samples: tuple[float, ...]

    def percentile(self, percent: int) -> float:
        """The shortest that at least so many per cent of the samples do not exceed (nearest rank)."""
        return sorted(self.samples)[-(-percent * len(self.samples) // 100) - 1]


@dataclass(frozen=True)
class System:
    """The machine during a measurement: its facts, the first before the first run, the last after the last.

    `warm` are inferences back to back, `sustained` those of a run of minutes; None where they were not asked
    for.
    """

    facts: tuple[Facts, ...]
    warm: Series | None = None
    sustained: Series | None = None

    @property
    def memory_over_baseline_bytes(self) -> int | None:
        """The most memory of the agent above what it had before it loaded the model."""
        last = self.facts[-1]
        if last.vm_hwm_bytes is None or last.baseline_hwm_bytes is None:
            return None
        return max(0, last.vm_hwm_bytes - last.baseline_hwm_bytes)

    @property
    def invalid(self) -> tuple[str, ...]:
        """What makes the times invalid: why the machine was slowed down during the measurement."""
        known = [facts.throttled for facts in self.facts if facts.throttled is not None]
        fired = 0
        for bits in known:
            fired |= bits
        for before, after in itertools.pairwise(known):
            fired |= (after & ~before) >> _SINCE_BOOT  # in between, over before it was asked
        return tuple(what for bit, what in enumerate(THROTTLING) if fired >> bit & 1)

    @property
    def valid(self) -> bool | None:
        """Whether the machine ran unhindered; None where it cannot tell."""
        if self.invalid:
            return False
        return None if any(facts.throttled is None for facts in self.facts) else True


def observe(
    machine: Agent,
    before: Facts,
    sample: tuple[bytes, ...],
    *,
    warm: bool = True,
    sustained_s: int = 0,
    progress: Progress = silent,
    now: Callable[[], float] = time.monotonic,
) -> System:
    """Inferences back to back on a machine after those that were compared, and its facts in between.

    `before` are the facts before the first inference of all. `warm` asks for inferences back to back, a
    sustained run of them lasts `sustained_s` seconds.
    Raises what the agent's requests raise.
    """
    facts = [before, machine.facts()]
    quick: tuple[int, ...] = ()
    if warm:
        quick = machine.burst(sample, runs=_WARM_RUNS, seconds=_WARM_S).samples_ns
        facts.append(machine.facts())
    sustained: list[int] = []
    begun = now()
    while (left := sustained_s - (now() - begun)) > 0:
        progress("sustain", sustained_s - round(left), sustained_s)
        seconds = max(1, min(agent.MOST_SECONDS, round(left)))
        sustained += machine.burst(sample, seconds=seconds).samples_ns
        facts.append(machine.facts())
    if sustained_s:
        progress("sustain", sustained_s, sustained_s)
    return System(tuple(facts), _series(quick), _series(sustained))


def _series(samples_ns: Sequence[int]) -> Series | None:
    return Series(tuple(round(ns / 1e3, 3) for ns in samples_ns)) if samples_ns else None


def examine(system: System) -> tuple[Caution, ...]:
    """What speaks against the times, and the command that changes it."""
    return (
        *_throttled(system),
        *_supply(system),
        *_governor(system),
        *_frequency(system),
        *_others(system),
    )


def _throttled(system: System) -> Iterator[Caution]:
    if system.valid is None:
        yield Caution(
            "throttling-unknown",
            "whether the machine was slowed down is not known: it has no vcgencmd, or it failed",
            "sudo apt-get install raspi-utils; sudo usermod -aG video USER, for the user of the agent",
        )
    elif not system.valid:
        yield Caution(
            "invalid-run",
            f"the times are invalid: during the measurement, {', '.join(system.invalid)}",
            "cool the board and check its power supply, wait, and measure again; "
            "`vcgencmd get_throttled` shows 0x0 on a board that is well",
        )


def _supply(system: System) -> Iterator[Caution]:
    if any((s.throttled or 0) & (_UNDER_VOLTAGE << _SINCE_BOOT | _UNDER_VOLTAGE) for s in system.facts):
        yield Caution(
            "weak-supply",
            "the supply's voltage was too low since boot: its power supply or its cable is too weak",
            "use the board's own power supply and a short cable, then restart it: sudo reboot",
        )


def _governor(system: System) -> Iterator[Caution]:
    governors = dict.fromkeys(s.governor for s in system.facts if s.governor is not None)
    if any(governor != "performance" for governor in governors):
        yield Caution(
            "governor",
            f"the frequency governor is {', '.join(governors)}: the clock follows the load, times vary",
            _PERFORMANCE,
        )


def _frequency(system: System) -> Iterator[Caution]:
    seen = [hz for s in system.facts[1:] for hz in s.frequency_hz or ()]
    most = _first(s.frequency_max_hz for s in system.facts)
    # With another governor a clock that has come down since the last run says nothing.
    fixed = all(s.governor == "performance" for s in system.facts)
    if fixed and seen and most is not None and min(seen) < _SLOW * most:
        yield Caution(
            "slow-clock",
            f"a core ran at {min(seen) / 1e6:,.0f} MHz, its highest frequency is {most / 1e6:,.0f} MHz",
            "`vcgencmd measure_clock arm` shows it; look for heat, the supply, and arm_freq in config.txt",
        )


def _others(system: System) -> Iterator[Caution]:
    first = system.facts[0]
    if first.load1 is not None and first.load1 > _BUSY:
        yield Caution(
            "busy-machine",
            f"other programs ran before the measurement: the load was {first.load1:.2f}",
            "`top` names them; end them, or wait after a boot or an installation",
        )
    if any(s.desktop for s in system.facts):
        yield Caution(
            "desktop-session",
            "a desktop session runs, which takes time and memory",
            "sudo systemctl isolate multi-user.target",
        )


def _first(values: Iterator[_T | None]) -> _T | None:
    return next((value for value in values if value is not None), None)


def to_json(system: System) -> Mapping[str, object]:
    """The section `system` of a report."""
    return {
        "valid": system.valid,
        "invalid": list(system.invalid),
        "memory_over_baseline_bytes": system.memory_over_baseline_bytes,
        "facts": [agent.to_json(facts) for facts in system.facts],
        "warm": _told(system.warm),
        "sustained": _told(system.sustained),
    }


def _told(series: Series | None) -> Mapping[str, object] | None:
    if series is None:
        return None
    return {
        "unit": "us",
        "runs": len(series.samples),
        **{f"p{percent}": series.percentile(percent) for percent in (50, 95, 99)},
        "samples": list(series.samples),
    }
