"""Commands with a device: recordings, ports, what they show live, what Ctrl-C leaves."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from microwright import cli
from microwright.errors import NoPort, PortLost
from microwright.link import Link
from microwright.link.watch import Seen, decoded, watch
from tests.support.fake_device import Clock, record
from tests.support.small_model import small_model

_SDK = Path(cli.__file__).resolve().parents[2]
_MAIN = "from microwright.cli import main; main()"


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
    assert json.loads(first.read_bytes())["complete"] is True


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
    session, report = tmp_path / "session.txt", tmp_path / "report.json"
    measure = ["measure", str(project), "--json", str(report)]
    assert cli.execute([*measure[:2], "--random-inputs", "3", "--record", str(session)]) == 0
    capsys.readouterr()
    assert cli.execute([*measure, "--random-inputs", "2", "--replay", str(session)]) == 3
    assert "session.txt, line " in capsys.readouterr().err
    found = json.loads(report.read_text())
    assert found["complete"] is False and found["latency"]["runs"] == 2
    assert found["error"]["class"] == "InputError"
    assert "session.txt, line " in found["error"]["message"]
    assert cli.execute([*measure, "--port", "/dev/null", "--replay", str(session)]) == 2


# Ctrl-C


@contextmanager
def started(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A command as a terminal starts it: in a process group of its own, which Ctrl-C goes to."""
    with subprocess.Popen(
        [sys.executable, "-c", _MAIN, *arguments],
        env={**os.environ, "PYTHONPATH": str(_SDK)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # Shells start what runs in the background with Ctrl-C ignored, and programs inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_for(happened: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 60
    while not happened():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)


def control_c(process: subprocess.Popen[str]) -> str:
    """Send it; what the command says on standard error until it ends."""
    devices = children(process.pid)
    # Else the device would be gone before the command has closed the port.
    assert all(os.getpgid(pid) != process.pid for pid in devices)
    os.killpg(process.pid, signal.SIGINT)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 130, said
    assert devices and not [pid for pid in devices if Path(f"/proc/{pid}").exists()]
    assert said.splitlines()[-1] == "interrupted"
    assert "Traceback" not in said and "error:" not in said
    return said


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def ran(session: Path, count: int) -> Callable[[], bool]:
    """Whether a recorded session has had so many inferences."""
    return lambda: session.exists() and session.read_text().count(" run crc=") > count


def test_control_c_leaves_what_was_measured(project: Path, tmp_path: Path) -> None:
    session, report = tmp_path / "session.txt", tmp_path / "report.json"
    measure = ["measure", str(project), "--random-inputs", "50000", "--record", str(session)]
    with started(*measure, "--json", str(report)) as process:
        wait_for(ran(session, 3), process)
        said = control_c(process)
    found = json.loads(report.read_text())
    runs = found["latency"]["runs"]
    assert found["complete"] is False and runs > 1
    assert abs(found["agreement"]["inputs"] - runs) <= 1 and found["agreement"]["mismatched_bytes"] == 0
    assert f"note: not complete: {runs} runs are in {report}" in said
    assert session.read_text().splitlines()[-1].endswith(" close"), "the port is closed"


def test_control_c_does_not_replace_an_earlier_report(project: Path, tmp_path: Path) -> None:
    session, earlier = tmp_path / "session.txt", project / "report.json"
    earlier.write_text("{}")
    with started("measure", str(project), "--runs", "50000", "--record", str(session)) as process:
        wait_for(ran(session, 3), process)
        assert f"are in {project / 'report-partial.json'}" in control_c(process)
    partial = json.loads((project / "report-partial.json").read_text())
    assert partial["complete"] is False and partial["error"] is None
    assert earlier.read_text() == "{}"
    (project / "report-partial.json").unlink()


def test_control_c_in_deploy_ends_the_emulator(tmp_path: Path) -> None:
    (tmp_path / "small.tflite").write_bytes(small_model())
    project, session = tmp_path / "project", tmp_path / "session.txt"
    deploy = ["deploy", str(tmp_path / "small.tflite"), "--board", "mps2-an386", "-o", str(project)]
    with started(*deploy, "--random-inputs", "50000", "--record", str(session)) as process:
        wait_for(ran(session, 3), process)
        control_c(process)
    found = json.loads((project / "report.json").read_text())
    assert found["complete"] is False and found["latency"]["kind"] == "emulated"


def test_control_c_in_verify_ends_the_device(tmp_path: Path) -> None:
    (tmp_path / "small.tflite").write_bytes(small_model())

    def runs(process: subprocess.Popen[str]) -> bool:
        commands = [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in children(process.pid)]
        return any(command.endswith(b"firmware.elf\0") for command in commands)

    with started("verify", str(tmp_path / "small.tflite"), "--random-inputs", "50000") as process:
        wait_for(lambda: runs(process), process)
        control_c(process)


def test_a_device_that_ends_leaves_what_was_measured(project: Path, tmp_path: Path) -> None:
    session, report = tmp_path / "session.txt", tmp_path / "report.json"
    measure = ["measure", str(project), "--runs", "50000", "--record", str(session)]
    with started(*measure, "--json", str(report)) as process:
        wait_for(ran(session, 3), process)
        os.kill(children(process.pid)[0], signal.SIGKILL)
        assert process.wait(60) == 11
    assert json.loads(report.read_text())["complete"] is False


# microwright monitor


def test_monitor_shows_the_log_and_the_records(tmp_path: Path) -> None:
    ours, theirs = os.openpty()
    session = tmp_path / "session.txt"
    arguments = ["monitor", os.ttyname(theirs), "--timestamps", "--record", str(session)]
    with started(*arguments) as process:

        def heard() -> bool:
            os.write(ours, b"ping\n")  # what was sent before the port is open gets lost
            return session.exists() and "ping" in session.read_text()

        wait_for(heard, process)
        os.write(ours, b"temperature 20 C\r\n\x1b[2J\nlog" + record(17, "ok", data="AAECAw==", ticks=5))
        os.write(ours, record(18, "ok", ticks=1959914)[:-6] + b"\n" + record(0, "damaged"))
        wait_for(lambda: "damaged #" in session.read_text(), process)
        os.killpg(process.pid, signal.SIGINT)
        shown, said = process.communicate(timeout=60)
    assert process.returncode == 130 and said.split() == ["Ctrl-C", "ends", "it", "interrupted"]
    lines = [re.fullmatch(r"\[ +\d+\.\d{3}\] (.*)", line) for line in shown.splitlines()]
    texts = [line[1] for line in lines if line and line[1] != "ping"]
    assert texts[:4] == ["temperature 20 C", "\ufffd[2J", "log", "@17 ok data=<4 bytes> ticks=5"]
    assert texts[4].startswith("damaged: @18 ok ticks=1959914 #") and texts[5:] == ["@0 damaged"]
    assert session.read_text().splitlines()[-1].endswith(" close")
    assert " > " not in session.read_text(), "it sends nothing"
    os.close(ours)
    os.close(theirs)


def test_monitor_of_a_project_starts_it_and_ends_it(project: Path, tmp_path: Path) -> None:
    with started("monitor", str(project), "--record", str(tmp_path / "session.txt")) as process:
        wait_for(lambda: bool(children(process.pid)) and (tmp_path / "session.txt").exists(), process)
        wait_for(lambda: " open " in (tmp_path / "session.txt").read_text(), process)
        control_c(process)


def test_monitor_waits_for_a_port_no_longer_than_it_may(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.execute(["monitor", str(tmp_path / "ttyACM0"), "--wait", "0.3"]) == 11
    said = capsys.readouterr().err.splitlines()
    assert said[1].startswith("note: cannot open port ") and said[2].startswith("error: cannot open port ")
    assert len(said) == 4


@pytest.mark.parametrize("arguments", [[], ["COM3", "--board", "host"]])
def test_monitor_needs_one_thing_to_look_at(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.execute(["monitor", *arguments]) == 2
    assert "give a port, a project or --board ID" in capsys.readouterr().err


def test_monitor_asks_whose_port_to_find(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.execute(["monitor", "auto", "--wait", "0"]) == 2
    assert "use --board ID" in capsys.readouterr().err


class Plug:
    """A port that says one thing, if any, and is pulled out."""

    def __init__(self, text: bytes) -> None:
        self._text = text

    def read(self, timeout_s: float) -> bytes:
        text, self._text = self._text, b""
        if not text:
            raise PortLost("lost port x: gone", "plug it in")
        return text

    def write(self, data: bytes) -> None:
        raise AssertionError("it sends nothing")

    def close(self) -> None:
        pass


def test_a_port_that_is_lost_at_once_each_time_is_not_there() -> None:
    clock, log = Clock(), []

    def sleep(duration_s: float) -> None:
        assert clock.now_s < 4, "it waits for ever"
        clock.sleep(duration_s)

    with pytest.raises(PortLost):
        watch(
            lambda: "x",
            115_200,
            log.append,
            wait_s=3,
            connect=partial(Link, open_port=lambda url, baud: Plug(b""), clock=clock),
            clock=clock,
            sleep=sleep,
        )
    assert [seen.text for seen in log] == ["lost port x: gone"] and clock.now_s >= 3


def test_a_fault_that_is_watched_is_put_in_words() -> None:
    clock, log = Clock(), []
    port = Plug(record(0, "fault", exception=6, cfsr="00010000", pc="00000ef4"))
    with pytest.raises(PortLost):
        watch(
            lambda: "x",
            115_200,
            log.append,
            wait_s=0,
            connect=partial(Link, open_port=lambda url, baud: port, clock=clock),
            clock=clock,
            sleep=clock.sleep,
        )
    assert log[0].text == "@0 fault exception=6 cfsr=00010000 pc=00000ef4"
    assert log[0].fault is not None
    assert log[0].fault.message == "the device met a fault: UsageFault, undefined instruction (UNDEFINSTR)"


def test_monitor_puts_a_fault_in_words(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = record(0, "fault", exception=3, pc="00000ef4", build="abcdef")

    def come(find: object, baud: object, show: Callable[[Seen], None], **options: object) -> None:
        for seen in decoded(said[:-1]):
            show(seen)

    monkeypatch.setattr("microwright.link.watch.watch", come)
    assert cli.execute(["monitor", "COM3"]) == 0
    shown = capsys.readouterr()
    assert shown.out == "@0 fault exception=3 pc=00000ef4 build=abcdef\n"
    assert "note: the device met a fault: HardFault\n" in shown.err
    assert cli.execute(["monitor", str(project)]) == 0
    assert "note: the device met a fault in build abcdef, not in the image, " in capsys.readouterr().err


def test_a_port_that_comes_and_goes_is_watched_on() -> None:
    clock, log = Clock(), []
    ports: list[Plug | NoPort] = [Plug(b"one\n"), NoPort("no port", "x"), Plug(b"two\nhal")]

    def opened(url: str, baud: int) -> Plug:
        port = ports.pop(0) if ports else NoPort("no port", "x")
        if isinstance(port, NoPort):
            raise port
        return port

    with pytest.raises(NoPort):
        watch(
            lambda: "x",
            115_200,
            log.append,
            wait_s=3,
            connect=partial(Link, open_port=opened, clock=clock),
            clock=clock,
            sleep=clock.sleep,
        )
    assert [seen.text for seen in log] == [
        *("one", "lost port x: gone", "the port is there"),
        *("two", "hal", "lost port x: gone"),
    ]
    assert 3 < clock.now_s < 4
