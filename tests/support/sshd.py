"""An ssh server of this computer for tests: its own port, keys and configuration, HOME in a folder."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SSHD = shutil.which("sshd", path=os.environ["PATH"] + ":/usr/sbin:/sbin")
SSH = shutil.which("ssh")


@dataclass(frozen=True)
class Server:
    """A server that runs. `path` has an `ssh` that knows it, to be put in front of PATH."""

    folder: Path
    host: str
    process: subprocess.Popen[bytes]

    @property
    def home(self) -> Path:
        """What its users have for HOME."""
        return self.folder / "home"

    @property
    def path(self) -> str:
        return f"{self.folder / 'bin'}:{os.environ['PATH']}"

    def on_board(self, name: str, *lines: str) -> None:
        """Have the server's users find a program of this name before the real one."""
        program = self.folder / "board" / name
        program.write_text("\n".join(("#!/bin/sh", *lines, "")))
        program.chmod(0o755)

    def know(self, line: str) -> None:
        """Have the client know this key of the server: `ssh-ed25519 ...`; "" for none."""
        port = self.host.rpartition(":")[2]
        (self.folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {line}\n" if line else "")

    @property
    def key(self) -> str:
        """The server's own public key."""
        return (self.folder / "host_key.pub").read_text().strip()


@contextmanager
def serving(variables: Mapping[str, str] | None = None) -> Iterator[Server]:
    """A server; `variables` are those of its sessions."""
    assert SSHD is not None and SSH is not None, "sudo apt-get install openssh-server openssh-client"
    # Paths of sockets are short.
    with tempfile.TemporaryDirectory(prefix="mw-") as name:
        folder = Path(name)
        for child in ("home", "bin", "board"):
            (folder / child).mkdir()
        for key in ("host_key", "user_key"):
            keygen = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(folder / key)]
            subprocess.run(keygen, check=True)
        shutil.copy(folder / "user_key.pub", folder / "authorized")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        sessions = {"HOME": str(folder / "home"), "PATH": f"{folder / 'board'}:{os.environ['PATH']}"}
        told = " ".join(f'"{key}={value}"' for key, value in {**sessions, **(variables or {})}.items())
        (folder / "sshd_config").write_text(
            f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host_key\nPidFile none\n"
            f"AuthorizedKeysFile {folder}/authorized\nStrictModes no\nPermitRootLogin yes\nUsePAM no\n"
            f"PasswordAuthentication no\nKbdInteractiveAuthentication no\nPrintMotd no\nSetEnv {told}\n"
        )
        client = folder / "bin" / "ssh"
        client.write_text(
            f"#!/bin/sh\nexec {SSH} -F none -i {folder}/user_key -o IdentitiesOnly=yes "
            f'-o UserKnownHostsFile={folder}/known_hosts -o GlobalKnownHostsFile=none "$@"\n'
        )
        client.chmod(0o755)
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # where sshd gives up its privileges
        log = (folder / "log").open("wb")
        process = subprocess.Popen([SSHD, "-D", "-e", "-f", f"{folder}/sshd_config"], stderr=log)
        try:
            deadline = time.monotonic() + 10
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), timeout=1).close()
                    break
                except OSError:
                    if process.poll() is not None or time.monotonic() > deadline:
                        raise AssertionError((folder / "log").read_text()) from None
                    time.sleep(0.02)
            server = Server(folder, f"ssh://{getpass.getuser()}@127.0.0.1:{port}", process)
            server.know(server.key)
            yield server
        finally:
            process.terminate()
            process.wait()
            log.close()
