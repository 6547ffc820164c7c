"""Framed, checksummed records over a serial line, for whatever pyserial can open."""

from microwright.link.port import Port, PortLost
from microwright.link.records import Record
from microwright.link.session import TIMEOUT_S, Link, Refused, ignore

__all__ = ["TIMEOUT_S", "Link", "Port", "PortLost", "Record", "Refused", "ignore"]
