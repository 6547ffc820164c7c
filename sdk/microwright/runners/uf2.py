"""UF2: boot loaders that are a drive and take a file; INFO_UF2.TXT says which board it is."""

from __future__ import annotations

import re
from collections.abc import Mapping

from microwright.runners.base import DriveCopy, Setting

_FIELD = re.compile(r"^(?:Board-ID|Model): *(.*?) *\r?$", re.MULTILINE)


def fits(info: str, settings: Mapping[str, str | int]) -> bool:
    """Whether a drive says that it is the board."""
    return str(settings["board_id"]).lower() in (field.lower() for field in _FIELD.findall(info))


RUNNER = DriveCopy(
    name="uf2",
    about="boot loaders that are a drive: Raspberry Pi Pico and others",
    image="uf2",
    settings={
        "board_id": Setting(
            "the Board-ID or Model in the drive's INFO_UF2.TXT, RPI-RP2 for one",
            re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._/-]*"),
            required=True,
        )
    },
    probe="the drive's folder",
    verifies=False,
    resets=True,
    boot_loader="hold BOOTSEL while you plug it in, or press reset twice where there is no such button",
    marker="INFO_UF2.TXT",
    fits=fits,
)
