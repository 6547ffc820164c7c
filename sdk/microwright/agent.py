"""What can be asked of an agent besides a device's requests: facts about its machine, bursts of inferences.

An agent is a process on a computer that answers docs/protocol.md, its section "Agents" included.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, get_type_hints

import numpy as np

from microwright import _paths
from microwright.dialogue import RUN_TIMEOUT_S, Device, greet
from microwright.errors import DeviceError, LinkCorrupt
from microwright.link import answers

MOST_RUNS = 65_536
MOST_SECONDS = 10

_FACTS_BYTES = 65_536
_TRIES = 3


@dataclass(frozen=True)
class Facts:
    """A snapshot of an agent's machine and process (docs/protocol.md, `facts`); None: it does not tell."""

    board_model: str | None = None
    revision: str | None = None
    os: str | None = None
    kernel: str | None = None
    arch: str | None = None
    python: str | None = None
    runtime: str | None = None
    runtime_version: str | None = None
    threads: int | None = None
    xnnpack: bool | None = None
    affinity: tuple[int, ...] | None = None
    governor: str | None = None
    frequency_hz: tuple[int, ...] | None = None
    frequency_max_hz: int | None = None
    temperature_c: float | None = None
    throttled: int | None = None
    load1: float | None = None
    desktop: bool | None = None
    init_ns: int | None = None
    model_bytes: int | None = None
    arena_bytes: int | None = None
    vm_hwm_bytes: int | None = None
    baseline_hwm_bytes: int | None = None
    rss_bytes: int | None = None
    time_ns: int | None = None


@dataclass(frozen=True)
class Burst:
    """Inferences back to back: nanoseconds of each in their order, and the CRC-32 of the outputs."""

    samples_ns: tuple[int, ...]
    crc: int


def python_files() -> dict[str, bytes]:
    """The agent in Python: a folder that Python runs, its files by name."""
    folder = _paths.firmware_templates() / "linux" / "_agent"
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.py"))}


def python_build_id(model: bytes) -> str:
    """What the agent in Python says is its build, with that model file."""
    return hashlib.sha256(b"".join(python_files().values()) + model).hexdigest()[:40]


class Agent(Device):
    """A device that is an agent."""

    _held: tuple[bytes, ...] | None = None
    _crc = 0

    def facts(self) -> Facts:
        """What its machine says of itself now. Raises the link's errors, and DeviceError for what is none."""
        return facts_of(self._ask(self._snapshot, again=lambda: greet(self._link, self._build_id)))

    def burst(
        self, sample: tuple[bytes, ...], *, runs: int = MOST_RUNS, seconds: int = MOST_SECONDS
    ) -> Burst:
        """Inferences of one sample back to back, each from a reset, until `runs` are done or `seconds` over.

        `runs` is at most MOST_RUNS, `seconds` at most MOST_SECONDS; one inference is done at least. The
        outputs have to be those of an inference alone. What is asked for again with the same sample is not
        sent again. Raises what `run` raises.
        """
        if self._held != sample:
            self._hold(sample)

        def ask() -> Burst:
            reply = self._link.request("burst", timeout_s=RUN_TIMEOUT_S + seconds, runs=runs, seconds=seconds)
            crc = int(answers.checksum(reply, "crc"), 16)
            count = answers.number(reply, "runs", 1, runs)
            times = np.frombuffer(self._fetch(8 * count, "samples"), "<u8")
            return Burst(tuple(int(time) for time in times), crc)

        for _ in range(_TRIES):
            burst = self._ask(ask, again=lambda: self._hold(sample))
            if burst.crc == self._crc:
                return burst
            self._hold(sample)
        raise LinkCorrupt(
            f"inferences in a row give other outputs than one alone, {_TRIES} times",
            "check the power supply, and that the model has no state that a reset leaves",
        )

    def _hold(self, sample: tuple[bytes, ...]) -> None:
        """Have the sample written, and its outputs known."""
        self._held = None
        self._crc = self.run(sample, reset=True).crc
        for index, data in enumerate(sample):
            self._write(index, data)
        self._held = sample

    def _snapshot(self) -> bytes:
        for _ in range(_TRIES):
            reply = self._link.request("facts")
            size = answers.number(reply, "size", 2, _FACTS_BYTES)
            data = self._fetch(size, "facts")
            if answers.checksum(reply, "crc") == f"{zlib.crc32(data):08x}":
                return data
        raise LinkCorrupt(
            f"the agent's facts differ {_TRIES} times from its checksum",
            "check the cable, and that nothing else writes to the port",
        )


def facts_of(data: bytes) -> Facts:
    """Facts from an agent's JSON, each checked. Raises DeviceError."""
    try:
        said = json.loads(data)
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict):
        raise _wrong("the agent's facts are no JSON object")
    hints = get_type_hints(Facts)
    known = {
        name: said[name] for name in (field.name for field in fields(Facts)) if said.get(name) is not None
    }
    return Facts(**{name: _checked(name, value, str(hints[name])) for name, value in known.items()})


def _checked(name: str, value: Any, kind: str) -> Any:
    """A fact in the type of its field, which begins with the type that JSON has for it."""
    whole = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**64
    real = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 2**64
    if kind.startswith("tuple"):
        if isinstance(value, list) and len(value) <= 1024:
            return tuple(_checked(name, item, "int") for item in value)
    elif kind.startswith("str"):
        if isinstance(value, str) and len(value) <= 256 and value.isprintable():
            return value
    elif kind.startswith("bool"):
        if isinstance(value, bool):
            return value
    elif whole or (kind.startswith("float") and real):
        return value
    raise _wrong(f"the agent's facts have {name}={str(value)[:40]!r}")


def _wrong(message: str) -> DeviceError:
    return DeviceError(message, "install the agent again: `microwright deploy`")


def to_json(facts: Facts) -> Mapping[str, Any]:
    """The facts that are known, as a report has them."""
    values = ((field.name, getattr(facts, field.name)) for field in fields(Facts))
    return {name: value for name, value in values if value is not None}
