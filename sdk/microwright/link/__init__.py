"""Framed, checksummed records over a serial line, for whatever pyserial can open."""

from microwright.link.port import Port
from microwright.link.recording import Recorder, Replay
from microwright.link.records import Record
from microwright.link.session import TIMEOUT_S, Connect, Link, Refused, ignore

__all__ = [
    "TIMEOUT_S",
    "Connect",
    "Link",
    "Port",
    "Record",
    "Recorder",
    "Refused",
    "Replay",
    "ignore",
]
