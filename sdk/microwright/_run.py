"""Starting programs: the only module that uses `subprocess`, never with a shell."""

from __future__ import annotations

import logging
import os
import shlex
import shutil
import subprocess  # argv lists only
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TypeAlias

from microwright.errors import ToolFailed, ToolMissing

_log = logging.getLogger("microwright.run")

# Where a program comes from, for the hint of ToolMissing. The names are Debian's and Ubuntu's.
PACKAGES: Mapping[str, str] = {
    "aarch64-linux-gnu-gcc": "gcc-aarch64-linux-gnu libc6-dev-arm64-cross",
    "arm-linux-gnueabi-gcc": "gcc-arm-linux-gnueabi libc6-dev-armel-cross",
    "arm-linux-gnueabihf-gcc": "gcc-arm-linux-gnueabihf libc6-dev-armhf-cross",
    "arm-none-eabi-gcc": "gcc-arm-none-eabi libnewlib-arm-none-eabi",
    "cc": "gcc libc6-dev",
    "clang": "clang",
    "cmake": "cmake",
    "gcc": "gcc libc6-dev",
    "ninja": "ninja-build",
    "node": "nodejs",
    "qemu-aarch64-static": "qemu-user-static",
    "qemu-arm-static": "qemu-user-static",
    "qemu-system-arm": "qemu-system-arm",
    "ssh": "openssh-client",
}

Process: TypeAlias = "subprocess.Popen[bytes]"

_LOG_CHARS = 64_000


@dataclass(frozen=True)
class Completed:
    """A program that ended with exit code 0. `out` has its standard output and error, interleaved."""

    argv: tuple[str, ...]
    out: str


def find(program: str, install: str | None = None) -> str:
    """Full path of a program, on PATH or beside this Python, where pip puts it.

    Raises ToolMissing with the command that installs it: `install`, or that of PACKAGES.
    """
    path = shutil.which(program) or shutil.which(program, path=str(Path(sys.executable).parent))
    if path is None:
        package = PACKAGES.get(program)
        hint = f"sudo apt-get install {package}" if package else f"install {program} and put it on PATH"
        raise ToolMissing(f"{program} is not installed", install or hint)
    return path


def run(
    argv: Sequence[str],
    *,
    cwd: Path | None = None,
    timeout_s: float = 600.0,
    env: Mapping[str, str] | None = None,
    stdin: IO[bytes] | None = None,
) -> Completed:
    """Run a program to its end; it reads `stdin`, or nothing.

    Raises ToolMissing, or ToolFailed when it fails or takes too long.
    """
    args = [find(argv[0]), *argv[1:]]
    _log.info("run: %s", shlex.join(argv))
    try:
        done = subprocess.run(  # noqa: S603
            args,
            cwd=cwd,
            env={**os.environ, **env} if env else None,
            stdin=subprocess.DEVNULL if stdin is None else stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=timeout_s,
            check=False,
            text=True,
            encoding="utf-8",
            errors="replace",
        )
    except subprocess.TimeoutExpired as error:
        log = error.output or ""
        if isinstance(log, bytes):  # though text was asked for
            log = log.decode("utf-8", "replace")
        raise ToolFailed(
            f"{argv[0]} did not finish within {timeout_s:g} s",
            "run it by hand to see where it stops: " + shlex.join(argv),
            argv,
            -1,
            log[-_LOG_CHARS:],
        ) from None
    except OSError as error:
        raise ToolFailed(
            f"{argv[0]} did not start: {error.strerror or error}",
            f"check that {args[0]} can be executed",
            argv,
            -1,
            "",
        ) from None
    if done.returncode != 0:
        lines = done.stdout.strip().splitlines()
        raise ToolFailed(
            f"{argv[0]} failed with exit code {done.returncode}" + (f": {lines[-1]}" if lines else ""),
            "run it by hand to see all of its output: " + shlex.join(argv),
            argv,
            done.returncode,
            done.stdout[-_LOG_CHARS:],
        )
    return Completed(tuple(argv), done.stdout)


def start(argv: Sequence[str], *, stdout: IO[bytes] | int, cwd: Path | None = None) -> Process:
    """Start a program that goes on running (an emulator); standard error goes where `stdout` goes.

    The caller ends it, with `end`. Raises ToolMissing, ToolFailed.
    """
    args = [find(argv[0]), *argv[1:]]
    _log.info("start: %s", shlex.join(argv))
    try:
        return subprocess.Popen(  # noqa: S603
            args,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.STDOUT,
            # A terminal's Ctrl-C is for the caller, who ends the program when its port is closed.
            start_new_session=True,
        )
    except OSError as error:
        raise ToolFailed(
            f"{argv[0]} did not start: {error.strerror or error}",
            f"check that {args[0]} can be executed",
            argv,
            -1,
            "",
        ) from None


def end(process: Process, *, timeout_s: float = 3.0) -> None:
    """End a program that `start` started: ask it to, and kill it when it has not ended in time."""
    process.terminate()
    try:
        process.wait(timeout_s)
    except BaseException as error:  # also a second Ctrl-C
        process.kill()
        process.wait()
        if not isinstance(error, subprocess.TimeoutExpired):
            raise


PIPE = subprocess.PIPE
