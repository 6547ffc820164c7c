"""A board that runs Linux, over the network: a project's folder `device` is copied and installed by ssh, and
its agent started, whose line comes through the same connection.

All that is copied or installed lies in one folder, `microwright/PROJECT` in the user's home: `project` is
what was copied, `venv` the virtual environment, if one is needed.
"""

from __future__ import annotations

import gzip
import io
import re
import shlex
import socket
import tarfile
import tempfile
from dataclasses import replace
from typing import IO

from microwright import _run
from microwright.board import Board
from microwright.build import Image
from microwright.errors import (
    BoardError,
    DeviceError,
    InputError,
    NoHost,
    NoPermission,
    ToolFailed,
    UntrustedHost,
    WrongChip,
)
from microwright.runners.base import Failure, Remote, Runner, Setting
from microwright.runners.failures import error_of

# A lost connection is noticed within the time that a request has.
_OPTIONS = (
    "BatchMode=yes",
    "ConnectTimeout=10",
    "ServerAliveInterval=2",
    "ServerAliveCountMax=3",
    "ExitOnForwardFailure=yes",
)
# Copying over a slow network, and installing packages on a slow card.
_INSTALL_S = 900.0
_MAX_NAME = 40

# Nothing that ssh could take for an option.
_HOST = re.compile(r"(ssh://)?([A-Za-z0-9_][A-Za-z0-9._-]*@)?[A-Za-z0-9\[][A-Za-z0-9._:\[\]-]{0,252}")
_PORT = re.compile(r"[^-\s][^\x00-\x1f]{0,199}")
_FOLDER = re.compile(r"^microwright: installed in (/[^\x00-\x1f]+?)\r?$", re.MULTILINE)
_READY = re.compile(r"^microwright: ready\r?$", re.MULTILINE)

# The arguments are the project's name and the architecture that it is for. What arrives is checked by gzip;
# the project that is there stays until all of the new one is.
_INSTALL = """
set -eu
umask 077
name=$1
arch=$(uname -m)
if [ "$arch$(getconf LONG_BIT)" = aarch6432 ]; then arch=armv7l; fi
if [ "$arch" != "$2" ]; then echo "microwright: wrong architecture $arch"; exit 1; fi
mkdir -p "$HOME/microwright/$name"
cd "$HOME/microwright/$name"
rm -rf incoming
trap 'rm -rf incoming' EXIT
mkdir incoming
gzip -dc > incoming/.tar
tar -xf incoming/.tar -C incoming
rm incoming/.tar
rm -rf project
mv incoming project
sh project/install.sh
echo "microwright: installed in $PWD"
"""

# The arguments are the folder, and those of the agent. An agent that a lost connection left behind is ended.
_START = """
set -eu
umask 077
cd "$1"; shift
if [ -f agent.pid ]; then
    old=$(cat agent.pid)
    case $(readlink "/proc/$old/cwd" || true) in "$PWD"/*) kill "$old" || true ;; esac
fi
rm -f agent.socket
trap 'kill $agent 2>/dev/null || true' HUP INT TERM
sh project/start.sh "$@" &
agent=$!
echo $agent > agent.pid
while [ "$1" = --socket ] && [ ! -S "$2" ]; do
    if ! kill -0 $agent 2>/dev/null; then break; fi
    sleep 0.1
done
if kill -0 $agent 2>/dev/null; then echo "microwright: ready"; fi
wait $agent || true
echo "microwright: the agent ended"
"""

FAILURES: tuple[Failure, ...] = (
    Failure(
        re.compile(r"[^\r\n]*\r?\n(?=microwright: the agent ended)"),
        DeviceError,
        "the agent ended",
        "what it said is in front; `--debug` shows the command that started it",
    ),
    Failure(
        re.compile(r"REMOTE HOST IDENTIFICATION HAS CHANGED"),
        UntrustedHost,
        "the host's key has changed: it is another computer, was set up anew, or somebody is in between",
        "if it was set up anew, forget its old key: ssh-keygen -R HOST, and log in once by ssh",
    ),
    Failure(
        re.compile(r"Host key verification failed|No \S+ host key is known"),
        UntrustedHost,
        "the host's key is not known",
        "log in once by ssh, which shows the key and asks whether it is right",
    ),
    Failure(
        re.compile(r"Permission denied \("),
        NoPermission,
        "the host takes no key of this user, and a password cannot be asked for here",
        "let it know your key: ssh-copy-id USER@HOST",
    ),
    Failure(
        re.compile(
            r"Could not resolve hostname|No route to host|Network is unreachable|Connection refused"
            r"|Connection timed out|Operation timed out"
        ),
        NoHost,
        "the host cannot be reached",
        "check its name, that it is switched on, in the same network, and that ssh is enabled on it",
    ),
    Failure(
        re.compile(r"No space left on device|Disk quota exceeded"),
        DeviceError,
        "the board's disk is full; what was there before is still there",
        "make room on it: `df -h` and `du -sh ~/microwright/*` show what takes it; then do the same again",
    ),
    Failure(
        re.compile(r"microwright: wrong architecture (\S+)"),
        WrongChip,
        "the host has another architecture than the project",
        "choose its board with --board, and its architecture, {0}, with --arch",
    ),
    Failure(
        re.compile(r"microwright: no runtime for (.+)"),
        DeviceError,
        "there is no package of the runtime for the board's Python",
        "--runtime aot needs no Python; or install a release of the operating system whose Python has one",
    ),
    Failure(
        re.compile(r"microwright: no (python3|venv)\b"),
        DeviceError,
        "the board's Python cannot make a virtual environment",
        "on the board: sudo apt-get install python3 python3-venv",
    ),
    Failure(
        re.compile(r"administratively prohibited|remote port forwarding failed|open failed"),
        NoPermission,
        "the host's ssh server does not let a connection through",
        "allow it in /etc/ssh/sshd_config: AllowStreamLocalForwarding yes",
    ),
    Failure(
        re.compile(
            r"Connection (to \S+ )?(closed|reset)|Timeout, server .* not responding|[Bb]roken pipe"
            r"|lost connection"
        ),
        NoHost,
        "the connection to the host was lost",
        "check the network and the board's power supply, and do the same again: it begins where that is safe",
    ),
)


def check(board: Board) -> None:
    """Raise BoardError for a board without Linux, InputError without a host, ToolMissing without ssh."""
    if board.linux is None:
        raise BoardError(f"board {board.id}: ssh is for boards with Linux", "remove this runner")
    if "host" not in board.runners["ssh"]:
        raise InputError(
            f"board {board.id} is reached over the network, and no host is given",
            "`microwright deploy --host USER@HOST`, or 'runners.ssh.host' of a board file of your own",
        )
    _run.find("ssh")


def installed(image: Image) -> Runner:
    """Copy and install the project's folder `device` with its agent, and give what starts it.

    Nothing else changes on the board; where it fails, what was installed before stays. Raises what FAILURES
    tell, ToolFailed.
    """
    board = image.project.board
    check(board)
    host = str(board.runners["ssh"]["host"])
    with tempfile.TemporaryFile() as file:
        file.write(packed(image))
        file.seek(0)
        said = _install(host, board, folder_name(image), file)
    found = _FOLDER.search(said)
    if found is None:
        raise DeviceError(
            f"{host} does not say where it installed: {' '.join(said.split())[-300:]}",
            "check that its user's shell can run commands by ssh",
        )
    return _starter(host, found[1], board)


def folder_name(image: Image) -> str:
    """The folder of a project on the board, in `microwright`."""
    name = re.sub(r"[^\w.-]+", "-", image.project.directory.name, flags=re.ASCII)
    return name.strip(".-")[:_MAX_NAME] or "model"


def _install(host: str, board: Board, name: str, archive: IO[bytes]) -> str:
    """What the host says of the installation of an archive."""
    assert board.linux is not None
    script = shlex.join(["sh", "-c", _INSTALL, "sh", name, board.linux.arch])
    try:
        # In English, so that what it says is recognised.
        return _run.run([*ssh(), host, script], timeout_s=_INSTALL_S, env={"LC_ALL": "C"}, stdin=archive).out
    except ToolFailed as error:
        told = error_of("ssh", FAILURES, error.log, board.id)
        if told is not None:
            raise told from None
        raise ToolFailed(
            f"the installation on {host} failed: {' '.join(error.log.split())[-300:] or error.message}",
            f"do it again; to begin anew, remove microwright/{name} on it",
            error.argv,
            error.rc,
            error.log,
        ) from None


def _starter(host: str, folder: str, board: Board) -> Runner:
    assert board.linux is not None
    serial = board.runners["ssh"].get("serial")
    agent, forward, url = ["--serial", board.linux.serial, "--baud", str(board.serial.baud)], [], str(serial)
    if serial is None:
        path, port = f"{folder}/agent.socket", _free_port()
        agent, forward = ["--socket", path], ["-L", f"127.0.0.1:{port}:{path}"]
        url = f"socket://127.0.0.1:{port}"
    start = shlex.join(["sh", "-c", _START, "sh", folder, *agent])
    return Runner(
        name="ssh",
        # A terminal, so that the agent ends with the connection.
        argv=lambda elf, board: [*ssh(), "-tt", *forward, host, start],
        ready=_READY,
        url=lambda match: url,
        failures=FAILURES,
    )


def ssh() -> list[str]:
    """The program, and options that keep it from asking and from waiting for ever."""
    return ["ssh", *(part for option in _OPTIONS for part in ("-o", option))]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def packed(image: Image) -> bytes:
    """A project's folder `device` with its agent or its model, compressed; same files, same bytes."""
    root = image.project.directory / "device"
    files = {str(path.relative_to(root)): path for path in sorted(root.rglob("*")) if path.is_file()}
    files["agent" if image.elf.suffix == ".elf" else image.elf.name] = image.elf
    buffer = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0) as compressed,
        tarfile.open(fileobj=compressed, mode="w") as archive,
    ):
        for name, path in files.items():
            entry = tarfile.TarInfo(name)
            try:
                data = path.read_bytes()
            except OSError as error:
                raise InputError(
                    f"{path} cannot be read: {error.strerror}", "run `microwright build` on the project"
                ) from None
            entry.size = len(data)
            entry.mode = 0o755 if path == image.elf else 0o644
            archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def reaching(board: Board, host: str, serial: str | None) -> Board:
    """The board at a host, whose own serial line is connected to the port `serial` or is not used.

    Raises BoardError where ssh is no runner of the board.
    """
    if "ssh" not in board.runners:
        raise BoardError(f"board {board.id} is not reached by ssh", "leave --host out")
    if not _HOST.fullmatch(host):
        raise InputError(f"{host[:80]!r} is no host", "give --host USER@HOST")
    settings = {"host": host} if serial is None else {"host": host, "serial": serial}
    return replace(board, runners={**board.runners, "ssh": {**board.runners["ssh"], **settings}})


RUNNER = Remote(
    name="ssh",
    check=check,
    installed=installed,
    settings={
        "host": Setting("`USER@HOST`, or a name of the ssh configuration; else `--host`", _HOST),
        "serial": Setting("the port of this computer that the board's own line is connected to", _PORT),
    },
)
