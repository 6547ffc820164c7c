"""What was generated into a folder: its manifest, and whether the folder may be generated into again."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal, TypeAlias, get_args

from microwright import __version__
from microwright import profile as profiles
from microwright.errors import InputError, OutputError
from microwright.profile import Profile
from microwright.target import OPTIMIZE, Optimize

MANIFEST = "microwright.json"
SCHEMA = 1

Kind: TypeAlias = Literal["project", "library"]

_MANIFEST_BYTES = 1 << 20
_SHA256 = re.compile(r"[0-9a-f]{64}")
# Characters that CMake or Ninja take for something else, wherever in the path they are.
_UNBUILDABLE = re.compile(r'[;$"#\\\[\]<>|\x00-\x1f\x7f]')


@dataclass(frozen=True)
class Manifest:
    """What a folder was generated from. `arena_regions` are the memory regions that the arena might lie in,
    by preference; `files`: generated file -> SHA-256 of what was generated; `arch` the architecture of the
    operating system, where there is one."""

    kind: Kind
    board: str
    engine: str
    optimize: Optimize
    model_name: str
    model_sha256: str
    calibrated_randomly: bool
    arena_bytes: int
    arena_regions: tuple[str, ...]
    files: Mapping[str, str]
    arch: str | None = None
    profile: Profile | None = None
    uf2_family: int | None = None

    def to_bytes(self) -> bytes:
        """The content of `microwright.json`."""
        content = {
            "schema": SCHEMA,
            "microwright_version": __version__,
            "kind": self.kind,
            "board": self.board,
            "engine": self.engine,
            "optimize": self.optimize,
            "model": {
                "name": self.model_name,
                "sha256": self.model_sha256,
                "calibrated_randomly": self.calibrated_randomly,
            },
            "arena_bytes": self.arena_bytes,
            "arena_regions": list(self.arena_regions),
            "arch": self.arch,
            "profile": profiles.to_manifest(self.profile),
            "uf2_family": self.uf2_family,
            "files": self.files,
        }
        return (json.dumps(content, indent=2) + "\n").encode()

    @property
    def generated(self) -> frozenset[str]:
        """Paths of all that was generated, the manifest too."""
        return frozenset((MANIFEST, *self.files))


def hashes(files: Mapping[str, bytes]) -> dict[str, str]:
    """Path -> SHA-256 of each file."""
    return {path: hashlib.sha256(content).hexdigest() for path, content in sorted(files.items())}


def read(directory: Path) -> Manifest:
    """The checked manifest of a folder. Raises InputError."""
    path = directory / MANIFEST
    try:
        with path.open("rb") as file:
            content = json.loads(file.read(_MANIFEST_BYTES))
    except OSError as error:
        raise InputError(
            f"{path} cannot be read: {error.strerror or error}", "check its permissions"
        ) from None
    except (ValueError, RecursionError):
        raise InputError(f"{path} is not JSON", "generate the project in a new folder") from None
    if isinstance(content, dict) and isinstance(content.get("schema"), int) and content["schema"] > SCHEMA:
        raise InputError(
            f"{path} was made by a newer Microwright", "update Microwright, or generate it again"
        )
    if not _sound(content):
        raise InputError(f"{path} is not a manifest of Microwright", "generate the project in a new folder")
    return Manifest(
        kind=content["kind"],
        board=content["board"],
        engine=content["engine"],
        optimize=content["optimize"],
        model_name=content["model"]["name"],
        model_sha256=content["model"]["sha256"],
        # Of a manifest of before there was such a model, too.
        calibrated_randomly=content["model"].get("calibrated_randomly") is True,
        arena_bytes=content["arena_bytes"],
        arena_regions=tuple(content["arena_regions"]),
        files=content["files"],
        arch=content.get("arch"),
        profile=profiles.of_manifest(content.get("profile")),
        uf2_family=content.get("uf2_family"),
    )


def check_buildable(directory: Path) -> None:
    """Raise OutputError where CMake or Ninja cannot build in a folder of this name."""
    if found := _UNBUILDABLE.search(directory.as_posix()):
        raise OutputError(
            f"{str(directory)[:200]!r} has {found[0]!r} in its path, where CMake and Ninja cannot build",
            'use a folder whose path has no control characters and none of ; $ " # \\ [ ] < > |',
        )


def replaceable(directory: Path, kind: Kind, force: bool) -> Manifest | None:
    """The manifest of the (absolute) folder that may be generated into; None for a new or an empty one.

    Raises OutputError where something else is there, or where a generated file was edited and not `force`.
    """
    new_folder = "choose another folder with -o"
    check_buildable(directory)
    try:
        if not directory.exists() and not directory.is_symlink():
            return None
        if not directory.is_dir():
            raise OutputError(f"{directory} exists and is not a folder", new_folder)
        entries = sorted(path.name for path in directory.iterdir())
    except OSError as error:
        raise OutputError(f"{directory} cannot be read: {error.strerror or error}", new_folder) from None
    if not entries:
        return None
    if MANIFEST not in entries:
        raise OutputError(f"{directory} holds something else: {entries[0][:80]!r}", new_folder)
    try:
        manifest = read(directory)
    except InputError as error:
        raise OutputError(error.message, new_folder) from None
    if manifest.kind != kind:
        raise OutputError(f"{directory} holds something else: a {manifest.kind}", new_folder)
    for path in manifest.files:
        if (directory / path).is_dir() or not (directory / path).parent.resolve().is_relative_to(directory):
            raise OutputError(f"{directory}: {path[:200]!r} is no file of this folder", new_folder)
    changed = edited(directory, manifest.files)
    if changed and not force:
        raise OutputError(
            f"{directory}: {changed[0][:200]!r} was edited since it was generated"
            + (f", and {len(changed) - 1} more files" if len(changed) > 1 else ""),
            f"{new_folder}, or drop the edits with --force",
        )
    return manifest


def edited(directory: Path, files: Mapping[str, str]) -> list[str]:
    """Those of a folder's generated files that are not what was generated; one that is gone is not edited."""
    return [path for path, sha256 in files.items() if _edited(directory / path, sha256)]


def _sound(manifest: Any) -> bool:
    if not isinstance(manifest, dict) or manifest.get("schema") != SCHEMA:
        return False
    try:
        profiles.of_manifest(manifest.get("profile"))
    except ValueError:
        return False
    uf2_family = manifest.get("uf2_family")
    model, files, arena = manifest.get("model"), manifest.get("files"), manifest.get("arena_bytes")
    regions = manifest.get("arena_regions")
    return (
        manifest.get("kind") in get_args(Kind)
        and isinstance(manifest.get("board"), str)
        and isinstance(manifest.get("engine"), str)
        and manifest.get("optimize") in OPTIMIZE
        and isinstance(arena, int)
        and arena >= 0
        and isinstance(regions, list)
        and all(isinstance(region, str) for region in regions)
        and isinstance(manifest.get("arch"), str | None)
        and isinstance(model, dict)
        and (uf2_family is None or (isinstance(uf2_family, int) and 0 <= uf2_family < 1 << 32))
        and isinstance(model.get("name"), str)
        and isinstance(model.get("sha256"), str)
        and isinstance(files, dict)
        and all(
            _inside(path) and isinstance(sha, str) and _SHA256.fullmatch(sha) for path, sha in files.items()
        )
    )


def _inside(path: str) -> bool:
    parts = PurePosixPath(path).parts
    return bool(parts) and not path.startswith("/") and ".." not in parts and "\0" not in path


def _edited(path: Path, sha256: str) -> bool:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest() != sha256
    except FileNotFoundError:
        return False
    except OSError:
        return True
