"""Flash tools and emulators."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Emulation:
    """What an emulator's clock means: so many instructions are one second of the device's time."""

    instructions_per_second: int
