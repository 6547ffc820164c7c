"""Writing files whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from microwright.errors import OutputError


def check(path: Path) -> None:
    """Raise OutputError where a file cannot be written, before work on its content begins."""
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    if path.is_dir():
        raise OutputError(f"{path} is a folder", "give the name of a file")
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError(
            f"{path} cannot be written: {folder} is no folder that files can be made in",
            "check the permissions there, or write somewhere else",
        )


def write(path: Path, content: bytes) -> None:
    """Write a file: readers see the old content or all of the new. Makes its folder. Raises OutputError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            raise OutputError(f"{path} is a folder", "give the name of a file")
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:64]}.")
        beside = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            # mkstemp's files are private; a result is as readable as the user's other files.
            mask = os.umask(0)
            os.umask(mask)
            beside.chmod(0o666 & ~mask)
            beside.replace(path)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise OutputError(
            f"{path} cannot be written: {error.strerror or error}",
            "check the space and the permissions there",
        ) from None
