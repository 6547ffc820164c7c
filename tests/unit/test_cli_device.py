"""Commands with a device: recordings, ports, what they show live, what Ctrl-C leaves."""

from __future__ import annotations

from pathlib import Path

import pytest

from microwright import cli
from tests.support.small_model import small_model


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A built project on the host."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "small.tflite").write_bytes(small_model())
    arguments = ["new", str(folder / "small.tflite"), "--board", "host", "-o", str(folder / "project")]
    assert cli.execute(arguments) == 0
    assert cli.execute(["build", str(folder / "project")]) == 0
    return folder / "project"


# Recordings


def test_a_replay_gives_the_same_report_without_a_device(project: Path, tmp_path: Path) -> None:
    session, first, again = (tmp_path / name for name in ("session.txt", "first.json", "again.json"))
    measure = ["measure", str(project), "--random-inputs", "5"]
    assert cli.execute([*measure, "--record", str(session), "--json", str(first)]) == 0
    assert cli.execute([*measure, "--replay", str(session), "--json", str(again)]) == 0
    assert again.read_bytes() == first.read_bytes()


def test_deploy_records_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "small.tflite").write_bytes(small_model())
    project, session, again = (tmp_path / name for name in ("project", "session.txt", "again.json"))
    deploy = ["deploy", str(tmp_path / "small.tflite"), "--board", "mps2-an386", "-o", str(project)]
    assert cli.execute([*deploy, "--record", str(session)]) == 0
    assert cli.execute(["measure", str(project), "--replay", str(session), "--json", str(again)]) == 0
    assert again.read_bytes() == (project / "report.json").read_bytes()


def test_a_replay_of_other_options_is_exit_3(
    project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    session = tmp_path / "session.txt"
    measure = ["measure", str(project), "--json", str(tmp_path / "report.json")]
    assert cli.execute([*measure[:2], "--random-inputs", "3", "--record", str(session)]) == 0
    capsys.readouterr()
    assert cli.execute([*measure, "--random-inputs", "2", "--replay", str(session)]) == 3
    assert "session.txt, line " in capsys.readouterr().err
    assert cli.execute([*measure, "--port", "/dev/null", "--replay", str(session)]) == 2
    assert not (tmp_path / "report.json").exists()
