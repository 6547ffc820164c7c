"""Looking at a serial line: what comes over it, for people to read, from a port that may come and go."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, NoReturn

from microwright.errors import AmbiguousPort, DeviceError, DeviceFault
from microwright.link import faults, records
from microwright.link.records import Record
from microwright.link.session import Connect, Link

_READ_S = 10.0
_AGAIN_S = 0.2


@dataclass(frozen=True)
class Seen:
    """Something that came: a line of the log, a record, what seems to have been one, or news of the port.

    `fault` is what a record tells of a fault of the device's.
    """

    kind: Literal["log", "record", "damaged", "port"]
    text: str
    fault: DeviceFault | None = None


def watch(
    find: Callable[[], str],
    baud: int,
    show: Callable[[Seen], None],
    *,
    wait_s: float | None = None,
    connect: Connect = Link,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> NoReturn:
    """Show what comes over the port that `find` names, and send nothing; ends with Ctrl-C, or an error.

    A port that is not there, or no longer, is waited for, `wait_s` at most. Raises the port's error then, and
    AmbiguousPort at once.
    """
    gone_s: float | None = None
    while True:
        try:
            with connect(find(), baud, lambda line: show(Seen("log", line))) as link:
                while True:
                    # A port that is lost as soon as it is opened is still gone.
                    line = link.line(link.now_s() + (_READ_S if gone_s is None else _AGAIN_S))
                    if gone_s is not None:
                        show(Seen("port", "the port is there"))
                        gone_s = None
                    for seen in decoded(line) if line else ():
                        show(seen)
        except AmbiguousPort:
            raise
        except DeviceError as error:
            if gone_s is None:
                gone_s = clock()
                show(Seen("port", error.message))
            if wait_s is not None and clock() - gone_s >= wait_s:
                raise
            sleep(_AGAIN_S)


def decoded(line: bytes) -> Iterator[Seen]:
    """What a line has: a record, and the log in front of it; or one of the two."""
    record = records.parse(line)
    if record is None:
        text = records.printable(line)
        if text:
            yield Seen("damaged" if records.looks_damaged(line) else "log", text)
        return
    before = records.printable(line[: line.rindex(b"@")])
    if before:
        yield Seen("log", before)
    yield Seen("record", _record_text(record), faults.of(record))


def _record_text(record: Record) -> str:
    """A record without its checksum; base64 as its number of bytes."""
    words = [f"@{record.seq}", record.verb]
    for key, value in record.args.items():
        size = len(value) // 4 * 3 - value.count("=")
        words.append(f"{key}=<{size} bytes>" if key == "data" and size else f"{key}={value}")
    return " ".join(words)
