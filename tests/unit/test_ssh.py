"""The runner `ssh` against a server of this computer: what it installs, and what it says when it cannot."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from microwright import board, cli, runners
from microwright.board import Board
from microwright.build import Image
from microwright.errors import (
    BoardError,
    DeviceError,
    InputError,
    MicrowrightError,
    NoHost,
    NoPermission,
    PortLost,
    ToolFailed,
    UntrustedHost,
    WrongChip,
)
from microwright.project import Project
from microwright.runners import ssh
from tests.support import sshd
from tests.support.firmware import NO_FOOTPRINT, dense
from tests.support.sshd import Server

# An agent that only listens: what it says does not matter here.
LISTENS = """
import os, socket, sys
with socket.socket(socket.AF_UNIX) as server:
    server.bind(sys.argv[2] + "-")
    server.listen()
    os.rename(sys.argv[2] + "-", sys.argv[2])  # it is seen when it listens
    connection, _ = server.accept()
    while connection.recv(100):
        connection.sendall(b"here\\n")
"""


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    with sshd.serving() as server:
        server.on_board("uname", "echo aarch64")
        yield server


@pytest.fixture
def server(running: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    monkeypatch.setenv("PATH", running.path)
    running.know(running.key)
    return running


def image(folder: Path, made_for: Board, install: str = "true", agent: str = LISTENS) -> Image:
    device = folder / "model-rpi4" / "device"
    device.mkdir(parents=True, exist_ok=True)
    (device / "install.sh").write_text(f"set -eu\ncd $(dirname $0)\n{install}\n")
    (device / "start.sh").write_text('cd $(dirname $0)\nexec python3 agent "$@"\n')
    elf = folder / "firmware.elf"
    elf.write_text(agent)
    made = Project(device.parent, made_for, "aot", "balanced", "m", "0" * 64, 16, {})
    return Image(made, elf, "00", NO_FOOTPRINT, "GCC")


def at(host: str, **settings: str) -> Board:
    return replace(board.load("rpi4"), runners={"ssh": {"host": host, **settings}})


def files(server: Server) -> set[str]:
    return {str(path.relative_to(server.home)) for path in server.home.rglob("*") if path.is_file()}


def ended(pid: int) -> bool:
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        if not Path("/proc", str(pid)).exists() or "zombie" in Path(f"/proc/{pid}/status").read_text():
            return True
        time.sleep(0.05)
    return False


def test_the_agent_is_installed_in_one_folder_reached_and_ended(server: Server, tmp_path: Path) -> None:
    import serial

    made = image(tmp_path, at(server.host))
    with runners.start(made) as device:
        with serial.serial_for_url(device.url, timeout=5) as port:
            # What comes before a port is open is dropped, so the agent waits to be asked.
            port.write(b"?")
            assert port.readline() == b"here\n"
        folder = server.home / "microwright" / "model-rpi4"
        agent = int((folder / "agent.pid").read_text())
        assert {path.name for path in folder.iterdir()} == {"project", "agent.pid", "agent.socket"}
        assert {path.name for path in (folder / "project").iterdir()} == {"agent", "install.sh", "start.sh"}
        assert {path.name for path in server.home.iterdir()} == {"microwright"}
        assert folder.stat().st_mode & 0o077 == 0
    assert device.emulation is None  # its time is real
    assert ended(agent)


def test_an_agent_that_was_left_behind_is_ended(server: Server, tmp_path: Path) -> None:
    made = image(tmp_path, at(server.host))
    with runners.start(made):
        folder = server.home / "microwright" / "model-rpi4"
        left = int((folder / "agent.pid").read_text())
        with runners.start(made):
            assert ended(left)


@pytest.mark.parametrize(
    ("install", "error", "words"),
    [
        ("echo 'tar: x: No space left on device'; exit 1", DeviceError, "disk is full"),
        (
            "echo 'microwright: no runtime for Python 3.15, 64 bits'; exit 1",
            DeviceError,
            "Python 3.15, 64 bits",
        ),
        ("echo 'microwright: no venv'; exit 1", DeviceError, "virtual environment"),
        ("echo something else; exit 3", ToolFailed, "something else"),
    ],
)
def test_an_installation_that_fails(
    server: Server, tmp_path: Path, install: str, error: type[MicrowrightError], words: str
) -> None:
    with pytest.raises(error, match=words):
        runners.start(image(tmp_path, at(server.host), install))
    # Then it is done again.
    with runners.start(image(tmp_path, at(server.host))) as device:
        assert device.running()


def test_what_arrives_in_part_replaces_nothing(server: Server, tmp_path: Path) -> None:
    with runners.start(image(tmp_path, at(server.host))):
        pass
    before = files(server) - {"microwright/model-rpi4/agent.socket"}
    whole = ssh.packed

    def part(made: Image) -> bytes:
        return whole(made)[:-20]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ssh, "packed", part)
        with pytest.raises(ToolFailed, match="unexpected end of file"):
            runners.start(image(tmp_path, at(server.host), agent=LISTENS * 2))
    assert files(server) - {"microwright/model-rpi4/agent.socket"} == before
    assert (server.home / "microwright/model-rpi4/project/agent").read_text() == LISTENS


def test_a_full_disk_replaces_nothing(server: Server, tmp_path: Path) -> None:
    with runners.start(image(tmp_path, at(server.host))):
        pass
    server.on_board(
        "tar", "echo 'tar: agent: Wrote only 512 of 10240 bytes: No space left on device' >&2", "exit 2"
    )
    try:
        with pytest.raises(DeviceError, match="disk is full"):
            runners.start(image(tmp_path, at(server.host)))
    finally:
        (server.folder / "board" / "tar").unlink()
    folder = server.home / "microwright" / "model-rpi4"
    assert not (folder / "incoming").exists()
    assert (folder / "project" / "agent").read_text() == LISTENS


def test_another_architecture_is_refused_before_anything_is_written(server: Server, tmp_path: Path) -> None:
    made = image(tmp_path / "x", at(server.host).with_arch("armv7l"))
    renamed = replace(made, project=replace(made.project, directory=tmp_path / "x" / "model-rpi4"))
    before = files(server)
    with pytest.raises(WrongChip, match="microwright: wrong architecture aarch64") as caught:
        runners.start(renamed)
    assert "aarch64, with --arch" in caught.value.hint
    assert files(server) == before


def test_a_key_that_is_not_known(server: Server, tmp_path: Path) -> None:
    server.know("")
    with pytest.raises(UntrustedHost, match="not known"):
        runners.start(image(tmp_path, at(server.host)))


def test_a_key_that_changed(server: Server, tmp_path: Path) -> None:
    server.know((server.folder / "user_key.pub").read_text().strip())
    with pytest.raises(UntrustedHost, match="has changed"):
        runners.start(image(tmp_path, at(server.host)))


def test_a_user_whose_key_is_not_taken(server: Server, tmp_path: Path) -> None:
    authorized = server.folder / "authorized"
    text = authorized.read_text()
    authorized.write_text("")
    try:
        with pytest.raises(NoPermission, match="takes no key"):
            runners.start(image(tmp_path, at(server.host)))
    finally:
        authorized.write_text(text)


@pytest.mark.parametrize("host", ["ssh://127.0.0.1:1", "pi@no-such-host.invalid"])
def test_a_host_that_cannot_be_reached(server: Server, tmp_path: Path, host: str) -> None:
    with pytest.raises(NoHost, match="cannot be reached"):
        runners.start(image(tmp_path, at(host)))


def test_a_connection_that_is_lost_in_the_middle(server: Server, tmp_path: Path) -> None:
    with (
        pytest.raises(NoHost, match="the connection to the host was lost"),
        runners.start(image(tmp_path, at(server.host))) as device,
    ):
        agent = int((server.home / "microwright/model-rpi4/agent.pid").read_text())
        os.kill(session_of(agent), signal.SIGKILL)
        deadline = time.monotonic() + 10
        while device.running() and time.monotonic() < deadline:
            time.sleep(0.05)
        raise PortLost("lost port socket://127.0.0.1:1", "check the cable")
    assert ended(agent)


def session_of(agent: int) -> int:
    """The server's process that serves the session of an agent."""
    pid = agent
    while "sshd" not in Path(f"/proc/{pid}/comm").read_text():
        pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return pid


def test_an_agent_that_ends_at_once(server: Server, tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match="no model here"):
        runners.start(image(tmp_path, at(server.host), agent="raise SystemExit('no model here')"))


def test_the_board_s_own_serial_line(server: Server, tmp_path: Path) -> None:
    waits = "import sys, time\nprint(sys.argv[1:], flush=True)\ntime.sleep(60)"
    made = image(tmp_path, at(server.host, serial="/dev/ttyUSB7"), agent=waits)
    with runners.start(made) as device:
        assert device.url == "/dev/ttyUSB7"
        deadline = time.monotonic() + 5
        while "--serial" not in device.log() and time.monotonic() < deadline:
            time.sleep(0.05)
        assert "['--serial', '/dev/serial0', '--baud', '115200']" in device.log()


@pytest.mark.parametrize("host", ["-oProxyCommand=x", "pi@", "a b", "pi@host;true", "", "x" * 300])
def test_what_is_no_host(host: str) -> None:
    with pytest.raises(InputError, match="is no host"):
        ssh.reaching(board.load("rpi4"), host, None)
    with pytest.raises(BoardError, match=r"'runners\.ssh\.host' is not `USER@HOST`"):
        runners.check(at(host), "ssh")


def test_a_host_has_to_be_given_and_no_other_key() -> None:
    with pytest.raises(InputError, match="over the network") as caught:
        runners.check(board.load("rpi4"), "ssh")
    assert "--host USER@HOST" in caught.value.hint
    with pytest.raises(BoardError, match=r"'runners\.ssh\.user' is not a known key"):
        runners.check(at("pi@x", user="pi"), "ssh")


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--board", "host", "--sustained", "60"], "leave --sustained out"),
        (["--board", "host", "--serial", "/dev/ttyUSB0"], "leave --serial out"),
        (["--board", "rpi-emulated", "--host", "pi@x"], "leave --host out"),
        (["--board", "rpi4", "--host", "pi@x", "--port", "socket://x:1"], "choose one"),
    ],
)
def test_options_that_nothing_takes_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], why: str
) -> None:
    model = tmp_path / "m.tflite"
    model.write_bytes(dense().flatbuffer)
    assert cli.execute(["deploy", str(model), "-o", str(tmp_path / "p"), *options]) in (3, 6)
    assert why in capsys.readouterr().err
    assert not (tmp_path / "p").exists()


def test_same_files_are_the_same_archive(tmp_path: Path) -> None:
    made = image(tmp_path, board.load("rpi4"))
    first = ssh.packed(made)
    os.utime(made.elf, (1, 1))
    assert ssh.packed(made) == first
