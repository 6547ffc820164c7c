"""A device's clock beside the host's, over a line with delays."""

from __future__ import annotations

from dataclasses import dataclass

from microwright.link import answers
from microwright.link.session import Link

# Two readings are compared when the line's delays are so small a part of the time between them, but nobody
# waits for longer than that.
_DELAYS = 0.005
_WAIT_S = 5.0


@dataclass(frozen=True)
class Reading:
    """A device's clock in ticks, read between two readings of the host's, and its inferences since boot."""

    before_s: float
    after_s: float
    ticks: int
    runs: int


def read(link: Link) -> Reading:
    """Ask for the clock. Raises the link's errors, and DeviceError."""
    before_s = link.now_s()
    answer = link.request("clock")
    after_s = link.now_s()
    return Reading(
        before_s,
        after_s,
        ticks=answers.number(answer, "ticks", 0, 2**64 - 1),
        runs=answers.number(answer, "runs", 0, 2**32 - 1),
    )


def ratio(link: Link, begun: Reading, hz: int) -> tuple[float, float] | None:
    """Bounds of how fast the device's clock has run since a reading, beside the host's, 1 being as fast.

    When during a reading the device looked at its clock is not known: the longer the time, the less that
    matters. None where the clock went backwards. Raises the link's errors, and DeviceError.
    """
    deadline_s = begun.after_s + _WAIT_S
    while True:
        ended = read(link)
        device_s = (ended.ticks - begun.ticks) / hz
        shortest_s, longest_s = ended.before_s - begun.after_s, ended.after_s - begun.before_s
        if device_s < 0:
            return None
        wait_s = min((longest_s - shortest_s) / _DELAYS - shortest_s, deadline_s - ended.after_s)
        if wait_s <= 0:
            return (device_s / longest_s, device_s / shortest_s) if shortest_s > 0 else None
        link.idle(wait_s)
