"""Fixtures of several files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from microwright.runners import usb


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder first on PATH, no USB device, and an image in all formats."""
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(usb, "DEVICES", tmp_path / "no-devices")
    for suffix in ("elf", "hex", "bin", "uf2"):
        (tmp_path / f"firmware.{suffix}").write_bytes(b"image")
    return tmp_path
