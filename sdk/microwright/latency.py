"""Times of inferences, what counted them, and what about them speaks against trusting them."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from microwright.coverage import Caution

# What caches, branch prediction and the waits of flash make of the time of equal work, as a part of it.
_SPREAD = 0.05
# Times this many median deviations above the median are no part of what the others are.
_FAR = 10
_ENOUGH = 5
# How far a device's clock may be from the host's.
_CLOCK = 0.01


@dataclass(frozen=True)
class Timer:
    """What counted: the counter's name (`dwt`, `systick`, `timer`, `clock`), its frequency, the ticks that
    starting and reading it take, which are subtracted from every time, and bounds of how fast it runs beside
    the host's clock (1: as fast), None where they were not compared.
    """

    counter: str
    hz: int
    overhead_ticks: int
    clock_ratio: tuple[float, float] | None = None


@dataclass(frozen=True)
class Latency:
    """Times of inferences: what kind of number they are, their unit, one sample a run. Emulated microseconds
    are those of the computer that emulates.

    `inputs` has for each run the number of the input that it ran. `first` is the first inference of all,
    which may find caches cold, `first_since_boot` whether the device had run none before.
    """

    kind: Literal["measured", "emulated"]
    unit: Literal["us", "instructions", "cycles"]
    samples: tuple[int | float, ...]
    inputs: tuple[int, ...] = ()
    first: int | float | None = None
    first_since_boot: bool = False
    timer: Timer | None = None

    @property
    def runs(self) -> int:
        """Number of samples."""
        return len(self.samples)

    @property
    def min(self) -> int | float:
        """The shortest."""
        return min(self.samples)

    @property
    def median(self) -> int | float:
        """The middle one, or the mean of the middle two."""
        return statistics.median(self.samples)

    @property
    def p95(self) -> int | float:
        """The shortest that at least 95 % of the samples do not exceed (nearest rank)."""
        return sorted(self.samples)[-(-95 * self.runs // 100) - 1]

    @property
    def max(self) -> int | float:
        """The longest."""
        return max(self.samples)


def examine(latency: Latency, *, repeatable: bool) -> tuple[Caution, ...]:
    """What speaks against the times. `repeatable`: equal inputs are equal work, as no state goes from one to
    the next.
    """
    if latency.kind == "emulated" and latency.unit == "us":
        return (_of_the_emulator(latency),)
    return (
        *(_unequal(latency) if repeatable else ()),
        *(_outliers(latency) if latency.kind == "measured" else ()),
        *about_clock(latency.timer),
    )


def _of_the_emulator(latency: Latency) -> Caution:
    return Caution(
        "emulated-time",
        f"{_times(latency.median, latency)} are this computer's, whose emulator counts no instructions",
        "outputs and sizes are the device's; take times from the device itself",
    )


def _unequal(latency: Latency) -> Iterator[Caution]:
    """Equal work that took unequal time."""
    times: defaultdict[int, list[int | float]] = defaultdict(list)
    for number, time in zip(latency.inputs, latency.samples, strict=False):
        times[number].append(time)
    worst = max(times.values(), key=lambda t: (max(t) - min(t)) / max(min(t), 1), default=[0])
    low, high = min(worst), max(worst)
    # An emulator counts instructions: there is nothing that could make a difference.
    if high - low > (_SPREAD * low if latency.kind == "measured" else 0):
        yield Caution(
            "unsteady-latency",
            f"{len(worst)} runs of the same input took {_times(low, latency)} to {_times(high, latency)}, "
            f"{(high - low) / max(low, 1):.1%} apart",
            "look for interrupts, a clock that changes, or other programs; the minimum is the least disturbed"
            if latency.kind == "measured"
            else "look for interrupts, or for code of your own that depends on more than its inputs",
        )


def _outliers(latency: Latency) -> Iterator[Caution]:
    """A few runs that took much longer than all the others."""
    if latency.runs < _ENOUGH:
        return
    median = latency.median
    deviation = statistics.median(abs(time - median) for time in latency.samples)
    limit = median + max(_FAR * deviation, _SPREAD * median)
    far = [time for time in latency.samples if time > limit]
    if far:
        yield Caution(
            "latency-outliers",
            f"{len(far)} of {latency.runs} runs took up to {_times(max(far), latency)}, "
            f"the median is {_times(median, latency)}",
            "interrupts or other programs took part: the median is to be trusted, the maximum is theirs",
        )


def about_clock(timer: Timer | None) -> Iterator[Caution]:
    """A device's clock that is not what it says."""
    if timer is None or timer.clock_ratio is None:
        return
    slowest, fastest = timer.clock_ratio
    if fastest < 1 - _CLOCK or slowest > 1 + _CLOCK:
        off = (slowest + fastest) / 2 - 1
        yield Caution(
            "clock-differs",
            f"the device's clock is {abs(off):.1%} {'fast' if off > 0 else 'slow'} beside the host's: "
            f"it does not run at the {timer.hz:,} Hz that it says",
            "correct the clock in the board file or the board's set-up; until then times are wrong by that",
        )


def _times(value: int | float, latency: Latency) -> str:
    return f"{value:,.10g} {latency.unit}"
