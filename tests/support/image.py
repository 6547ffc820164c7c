"""Images that are made for a test: a project with another application, and inputs that both sides know."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from microwright.graph import Array
from microwright.project import Project

_FOLDER = Path(__file__).parent


def replace_main(firmware: Project, source: str, *before: str) -> None:
    """Make a file beside this one the application, with more lines in front; its headers go with it."""
    app = firmware.directory / "app"
    text = (_FOLDER / source).read_text(encoding="ascii")
    (app / "main.c").write_text("\n".join([*before, text]), encoding="ascii")
    for header in _FOLDER.glob("*.h"):
        (app / header.name).write_bytes(header.read_bytes())


def input_bytes(first: int, count: int) -> Array:
    """Content of an input, the bytes of that number and behind; the same in image.h."""
    number = np.arange(first, first + count, dtype=np.int64).astype(np.uint32) * np.uint32(0x9E3779B1)
    number = (number ^ number >> np.uint32(15)) * np.uint32(0x85EBCA77)
    return np.asarray(number >> np.uint32(24), np.uint8)
