"""Put files into a folder, all of them or none."""

from __future__ import annotations

import contextlib
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from microwright.errors import OutputError


def put(directory: Path, files: Mapping[str, bytes], previous: frozenset[str]) -> None:
    """Write the files into a folder, which is made where needed, instead of the `previous` ones.

    Paths are relative to the folder. They are written to a temporary folder first and then moved into place,
    so that nothing is there by half. Raises OutputError, also where another file is in the way.
    """
    name = f".{directory.name}.new-{secrets.token_hex(4)}"
    # Inside a folder that exists: its parent may be another file system, or not ours to write.
    stage = directory / name if directory.exists() else directory.with_name(name)
    try:
        stage.parent.mkdir(parents=True, exist_ok=True)
        try:
            for path, content in files.items():
                target = stage / path
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content)
            if not directory.exists():
                stage.rename(directory)
                return
            _replace(directory, files, previous, stage)
        finally:
            shutil.rmtree(stage, ignore_errors=True)
        _remove_empty(directory, previous)
    except OSError as error:
        raise OutputError(
            f"{directory} cannot be written: {error.strerror or error}",
            "check the space and the permissions there, or choose another folder with -o",
        ) from None


def _replace(directory: Path, files: Mapping[str, bytes], previous: frozenset[str], stage: Path) -> None:
    """Move the previous files out and the staged ones in; all back when that fails."""
    _check_free(directory, files, previous)
    old = stage.with_name(stage.name.replace(".new-", ".old-"))
    moved: list[tuple[Path, Path]] = []

    def move(source: Path, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        moved.append((source, target))
        source.rename(target)

    try:
        for path in sorted(previous):
            if (directory / path).exists():
                move(directory / path, old / path)
        for path in files:
            move(stage / path, directory / path)
    except BaseException:
        for source, target in reversed(moved):
            if target.exists():
                source.parent.mkdir(parents=True, exist_ok=True)
                target.rename(source)
        _remove_empty(old, previous)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _check_free(directory: Path, files: Mapping[str, bytes], previous: frozenset[str]) -> None:
    """Raise OutputError where something that was added to a project lies where a generated file has to go."""
    for path in sorted(files):
        taken = [
            parent
            for parent in PurePosixPath(path).parents
            if (directory / parent).exists() and not (directory / parent).is_dir()
        ]
        if path not in previous and (directory / path).exists():
            taken = [PurePosixPath(path)]
        if taken and str(taken[-1]) not in previous:
            raise OutputError(
                f"{directory / taken[-1]} was added to the project and is in the way of a generated file",
                "move it, or choose another folder with -o",
            )


def _remove_empty(directory: Path, paths: frozenset[str]) -> None:
    folders = {directory / parent for path in paths for parent in PurePosixPath(path).parents}
    for folder in sorted(folders, key=lambda f: len(f.parts), reverse=True):
        with contextlib.suppress(OSError):
            folder.rmdir()
