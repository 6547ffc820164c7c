"""Runs a compiler, but for what it compiled before: `compiler_launcher.py STORE COMPILER ARGUMENTS ...`.

CMake starts it for each object of a firmware. Objects are kept by the compiler, its arguments, and the texts
of the source and of all headers that it may include: builds that differ in the model share most of theirs.
It is started a thousand times, and importing pathlib or re would take longer than its work.
"""

from __future__ import annotations

import hashlib
import os
import sys


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def _collect(path: str, folders: list[str], texts: dict[str, bytes]) -> None:
    """A source and the headers that it names in quotes, in turn; those in brackets are the compiler's."""
    texts[path] = _read(path)
    for line in texts[path].splitlines():
        if not line.lstrip().startswith(b"#") or b"include" not in line or b'"' not in line:
            continue
        name = os.fsdecode(line.split(b'"')[1])
        for folder in (os.path.dirname(path), *folders):
            header = os.path.normpath(os.path.join(folder, name))
            if header in texts:
                break
            if os.path.isfile(header):
                _collect(header, folders, texts)
                break


def _write(path: str, content: bytes) -> None:
    with open(path, "wb") as file:
        file.write(content)


def main(store: str, command: list[str]) -> None:
    target = command[command.index("-o") + 1]
    texts: dict[str, bytes] = {}
    folders = [argument[2:] for argument in command if argument.startswith("-I")]
    _collect(command[command.index("-c") + 1], folders, texts)
    compiler = os.stat(command[0])
    told = "\0".join([*command, os.getcwd(), str(compiler.st_size), str(compiler.st_mtime_ns)])
    for argument in command:
        # With this, the object is the same wherever the project lies.
        if argument.startswith("-ffile-prefix-map="):
            told = told.replace(argument.split("=", 1)[1].rpartition("=")[0], "")
    key = hashlib.sha256(b"\0".join([told.encode(), *texts.values()])).hexdigest()
    kept = os.path.join(store, f"object-{key[:32]}")
    if os.path.exists(kept):
        _write(target, _read(kept))
        headers = " ".join(path.replace(" ", "\\ ") for path in texts)
        _write(command[command.index("-MF") + 1], f"{target}: {headers}\n".encode())
    elif failed := os.spawnv(os.P_WAIT, command[0], command):
        sys.exit(failed)
    else:
        _write(f"{kept}.{os.getpid()}", _read(target))
        os.replace(f"{kept}.{os.getpid()}", kept)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
