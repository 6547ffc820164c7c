"""The firmware's UART is not the machine's first."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from microwright import board, build, project, runners
from microwright.measure import measure
from tests.support.firmware import dense


def test_the_firmware_talks_on_the_machines_second_uart(tmp_path: Path) -> None:
    first = board.load("mps2-an386")
    text = first.text.replace("0x4000_4000", "0x4000_5000").replace(
        '"mps2-an386" }', '"mps2-an386", serial = 1 }'
    )
    (tmp_path / "second.toml").write_text(text)
    second = board.load_file(tmp_path / "second.toml")
    image = build.build(project.create(tmp_path / "p", dense(), second))
    with runners.start(image) as device:
        measured = measure(image, device.url, [(np.zeros((1, 8), np.int8),)], emulation=device.emulation)
    assert measured.hello["board"] == "second"
