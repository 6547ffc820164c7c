"""docs/porting.md, as a reader follows it: from a chip that the package does not know to a measured model."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from microwright import cli
from tests.support.firmware import dense

PAGE = Path(__file__).resolve().parents[2] / "docs" / "porting.md"


def commands(text: str) -> list[list[str]]:
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return [shlex.split(line)[1:] for block in blocks for line in block.splitlines()]


def test_the_page_leads_to_a_measured_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert "export MICROWRIGHT_BOARDS=$PWD/my-boards" in PAGE.read_text()
    monkeypatch.setenv("MICROWRIGHT_BOARDS", str(tmp_path / "my-boards"))
    (tmp_path / "model.tflite").write_bytes(dense().flatbuffer)
    _, text = PAGE.read_text().split("## A chip that is not there")
    begin, *rest = commands(text)
    assert cli.execute(begin) == 0
    begun = {path for path in (tmp_path / "my-boards").rglob("*") if path.is_file()}
    # What was begun builds before anything is edited.
    unedited = ["new", "model.tflite", "--board", "emcraft-sf2", "-o", "unedited"]
    assert cli.execute(unedited) == 0
    assert cli.execute(["build", "unedited"]) == 0
    written = re.findall(r"`(my-boards/\S+)`:\n\n```\w+\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    for path, content in written:
        (tmp_path / path).write_text(content)
    assert {tmp_path / path for path, _ in written} == begun
    for command in rest:
        assert cli.execute(command) == 0
    report = json.loads((tmp_path / "sf2" / "report.json").read_text())
    assert report["board"] == "emcraft-sf2"
    assert report["agreement"]["mismatched_bytes"] == 0
