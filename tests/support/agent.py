"""The agent in Python: its modules, machines as recorded files tell of them, and a process of it."""

from __future__ import annotations

import contextlib
import fnmatch
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from microwright import _paths

FOLDER = _paths.firmware_templates() / "linux" / "_agent"
RECORDED = Path(__file__).resolve().parents[1] / "recordings" / "machines"

# Python finds them there when it runs the folder.
sys.path.insert(0, str(FOLDER))
import mw_line  # noqa: E402
import mw_machine  # noqa: E402
import mw_model  # noqa: E402
import mw_requests  # noqa: E402

__all__ = [
    "FOLDER",
    "Recorded",
    "mw_line",
    "mw_machine",
    "mw_model",
    "mw_requests",
    "recorded",
    "running",
    "started",
]


class Recorded(mw_machine.Machine):
    """A machine of some files, and of what some commands write (`$ COMMAND`)."""

    def __init__(self, files: Mapping[str, str]) -> None:
        self.files = dict(files)

    def text(self, path: str) -> str:
        return self.files.get(path, "")

    def paths(self, folder: str, pattern: str) -> list[str]:
        # A folder is there where a file is in it.
        parts = pattern.count("/") + folder.count("/") + 2
        found = {"/".join(path.split("/")[:parts]) for path in self.files}
        return sorted(fnmatch.filter(found, f"{folder}/{pattern}"))

    def output(self, *command: str) -> str:
        return self.files.get("$ " + " ".join(command), "")


def recorded(name: str) -> Recorded:
    """A machine of tests/recordings/machines."""
    _, *parts = (RECORDED / f"{name}.txt").read_text().split("== ")
    pairs = (part.split("\n", 1) for part in parts)
    return Recorded({path: text.replace("\\0", "").strip() for path, text in pairs})


def started(
    model: Path, *options: str, python: Sequence[str] = (sys.executable,), **popen: int
) -> subprocess.Popen[bytes]:
    """The agent as a process."""
    command = [*python, str(FOLDER), "--model", str(model), "--board", "rpi4", *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **popen)


@contextlib.contextmanager
def running(model: Path, *options: str, python: Sequence[str] = (sys.executable,)) -> Iterator[str]:
    """An agent that listens on the loopback; its URL."""
    process = started(model, "--listen", "127.0.0.1:0", *options, python=python)
    try:
        assert process.stdout is not None
        line = process.stdout.readline().decode()
        assert line.startswith("listening on "), (line, process.communicate(timeout=60)[1])
        yield f"socket://{line.split()[-1]}"
    finally:
        process.kill()
        process.communicate()
