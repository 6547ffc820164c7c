"""DAPLink: debug probes that are a drive, as the micro:bit has one; DETAILS.TXT says which board it is."""

from __future__ import annotations

import re
from collections.abc import Mapping

from microwright.runners.base import DriveCopy, Setting

# The first four digits of the probe's serial number are those of the board's kind.
_UNIQUE_ID = re.compile(r"^Unique ID: *([0-9A-Fa-f]{4})[0-9A-Fa-f]*\r?$", re.MULTILINE)


def fits(details: str, settings: Mapping[str, str | int]) -> bool:
    """Whether a drive says that it is the board."""
    found = _UNIQUE_ID.search(details)
    return found is not None and found[1].lower() in str(settings["board_ids"]).lower().split(",")


RUNNER = DriveCopy(
    name="daplink",
    about="boards whose debug probe is a drive: micro:bit and others with DAPLink",
    image="hex",
    settings={
        "board_ids": Setting(
            "the first four digits of Unique ID in the drive's DETAILS.TXT, with commas between several",
            re.compile("[0-9A-Fa-f]{4}(,[0-9A-Fa-f]{4})*"),
            required=True,
        )
    },
    probe="the drive's folder",
    verifies=True,
    resets=True,
    marker="DETAILS.TXT",
    fits=fits,
    refusal="FAIL.TXT",
    returns=True,
)
