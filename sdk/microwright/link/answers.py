"""What a device answers, checked before use."""

from __future__ import annotations

import base64
import binascii
import re

from microwright.errors import DeviceError
from microwright.link.records import Record


def wrong(record: Record, key: str, wanted: str) -> DeviceError:
    """The error for a value that a device should not say."""
    said = record.args.get(key)
    return DeviceError(
        f"the device says {key}={said[:40]}, expected {wanted}"
        if said is not None
        else f"the device does not say {key}, expected {wanted}",
        "build and flash the project's firmware again",
    )


def number(record: Record, key: str, low: int, high: int) -> int:
    """A value as a number from `low` to `high`. Raises DeviceError."""
    text = record.args.get(key, "")
    if not (0 < len(text) <= 20 and text.isascii() and text.isdigit() and low <= int(text) <= high):
        raise wrong(record, key, str(low) if low == high else f"a number from {low} to {high}")
    return int(text)


def checksum(record: Record, key: str) -> str:
    """A value as a checksum in its form. Raises DeviceError."""
    text = record.args.get(key, "")
    if re.fullmatch(r"[0-9a-f]{8}", text) is None:
        raise wrong(record, key, "8 lower-case hex digits")
    return text


def data(record: Record, key: str, size: int) -> bytes:
    """A value as `size` bytes in base64. Raises DeviceError."""
    try:
        decoded = base64.b64decode(record.args.get(key, ""), validate=True)
    except (binascii.Error, ValueError):
        decoded = b""
    if len(decoded) != size:
        raise wrong(record, key, f"{size} bytes of base64")
    return decoded
