"""A firmware project: render a board's template around a compiled model, write it to a folder, open it again.

A template is a folder of firmware_templates/ that mirrors the project's folders. A project is made of layers,
of which a later one wins: `_common`, the `_common` of each folder above the template, the template. Only what
ends in `.j2` is rendered. The UART driver comes from `_uart/`, chosen by the board.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

import jinja2

from microwright import __version__, _folder, _paths, passes, target
from microwright.board import Board, did_you_mean
from microwright.board import parse as parse_board
from microwright.emit import SourceSet, aot, c
from microwright.errors import BoardError, InputError, OutputError, TooLarge
from microwright.graph import Graph
from microwright.graph import read as read_graph
from microwright.kernels import code
from microwright.plan import Plan, plan
from microwright.target import OPTIMIZE, Optimize

MANIFEST = "microwright.json"
SCHEMA = 1

# engine -> (sources of the model, runtime sources that they call)
ENGINES: Mapping[str, tuple[Callable[[Plan], SourceSet], Callable[[Plan], tuple[str, ...]]]] = {
    aot.ENGINE: (aot.emit, aot.kernels),
}

# What the compiler does to the kernels; all else is not worth more code.
_KERNEL_OPTIMIZATION: Mapping[Optimize, str] = {"speed": "-O3", "balanced": "-O2", "size": "-Os"}

_STACK_BYTES = 16 * 1024
_IMAGES = ("firmware.elf", "firmware.bin", "firmware.hex")
_MANIFEST_BYTES = 1 << 20
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Project:
    """A generated project on disk. `files` maps each generated file to the SHA-256 of what was generated."""

    directory: Path
    board: Board
    engine: str
    optimize: Optimize
    model_name: str
    model_sha256: str
    arena_bytes: int
    files: Mapping[str, str]

    @cached_property
    def model(self) -> Graph:
        """The model as it was given, read from `model/model.tflite`. Raises InputError."""
        path = self.directory / "model" / "model.tflite"
        try:
            flatbuffer = path.read_bytes()
        except OSError as error:
            raise InputError(
                f"{path} cannot be read: {error.strerror or error}", "generate the project again"
            ) from None
        if hashlib.sha256(flatbuffer).hexdigest() != self.model_sha256:
            raise InputError(f"{path} is not the model of this project", "generate the project again")
        return read_graph(flatbuffer, self.model_name)

    @cached_property
    def graph(self) -> Graph:
        """The graph that the firmware runs: the model after all passes. Raises InputError."""
        return passes.run(self.model)


def stack_bytes(board: Board) -> int:
    """Bytes reserved for the stack: 16 KiB, at most a quarter of RAM; 0 on a native board."""
    return min(_STACK_BYTES, board.ram.bytes // 4 // 8 * 8) if board.ram else 0


def create(
    directory: Path,
    model: Graph,
    board: Board,
    *,
    engine: str = aot.ENGINE,
    optimize: Optimize = "balanced",
    force: bool = False,
) -> Project:
    """Generate the project of a model for a board in a folder.

    The folder has to be new, empty, or a project whose generated files nobody edited (`force` drops such
    edits); files that somebody added to a project stay, and so does its build folder for the same board.
    Nothing is written when anything fails. Same input, same bytes.

    Raises UnsupportedOp, TooLarge, OutputError, BoardError, and InputError for an unknown engine.
    """
    directory = directory.resolve()
    previous = _replaceable(directory, force)
    if engine not in ENGINES:
        raise InputError(
            f"there is no engine {engine[:80]!r}" + did_you_mean(engine, ENGINES),
            "choose one of: " + ", ".join(ENGINES),
        )
    planned = plan(passes.run(model), target.of(board, optimize))
    check_fits(planned, board)
    files = _files(planned, board, engine)
    project = Project(
        directory=directory,
        board=board,
        engine=engine,
        optimize=optimize,
        model_name=model.name,
        model_sha256=model.sha256,
        arena_bytes=planned.arena_bytes,
        files={path: hashlib.sha256(content).hexdigest() for path, content in sorted(files.items())},
    )
    files[MANIFEST] = _manifest(project)
    _folder.put(directory, files, previous.files if previous else frozenset())
    if previous is not None:
        _remove_stale_build(directory / "build", previous.board == board.id)
    return project


def open_project(directory: Path) -> Project:
    """The project in a folder. Raises InputError where there is none, BoardError for its board file."""
    directory = directory.resolve()
    if not (directory / MANIFEST).is_file():
        raise InputError(
            f"{directory} is not a Microwright project: it has no {MANIFEST}",
            "give a folder that `microwright new` or `microwright deploy` made",
        )
    manifest = _read_manifest(directory)
    path = directory / "board.toml"
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BoardError(
            f"{path} cannot be read: {error.strerror or error}", "generate the project again"
        ) from None
    return Project(
        directory=directory,
        board=parse_board(content, manifest["board"], str(path)),
        engine=manifest["engine"],
        optimize=manifest["optimize"],
        model_name=manifest["model"]["name"],
        model_sha256=manifest["model"]["sha256"],
        arena_bytes=manifest["arena_bytes"],
        files=manifest["files"],
    )


def check_fits(planned: Plan, board: Board) -> None:
    """Raise TooLarge where the board's memory cannot hold the arena or the weights alone."""
    if board.ram is not None:
        needed = planned.arena_bytes + stack_bytes(board)
        if needed > board.ram.bytes:
            raise too_large(
                planned.graph.name,
                board,
                "RAM",
                needed - board.ram.bytes,
                f"of {board.ram.bytes} bytes, the arena takes {planned.arena_bytes}"
                f" and the stack {stack_bytes(board)}",
            )
    if board.flash is not None and planned.constant_bytes > board.flash.bytes:
        raise too_large(
            planned.graph.name,
            board,
            "flash",
            planned.constant_bytes - board.flash.bytes,
            f"of {board.flash.bytes} bytes, the weights alone take {planned.constant_bytes}",
        )


def too_large(model: str, board: Board, memory: str, excess_bytes: int, why: str) -> TooLarge:
    """The error for a model that the board's flash or RAM does not hold."""
    smaller = "prune the model, make its input smaller" if memory == "RAM" else "prune the model"
    return TooLarge(
        f"model {model[:80]!r} does not fit {board.id}: {memory} is {excess_bytes} bytes too small; {why}",
        f"{smaller}, or choose a board with more {memory}",
    )


def _files(planned: Plan, board: Board, engine: str) -> dict[str, bytes]:
    """All files of the project but the manifest."""
    emit, kernels = ENGINES[engine]
    model = emit(planned)
    files: dict[str, bytes] = {f"model/{path}": text.encode() for path, text in model.items()}
    files["model/model.tflite"] = planned.graph.flatbuffer
    files["board.toml"] = board.text.encode()
    runtime = code.files(kernels(planned), model.values())
    files.update({f"runtime/{path}": content for path, content in runtime.items()})
    layers = _template_files(board)
    plain = {path: source.read_bytes() for path, source in layers.items() if not path.endswith(".j2")}
    sources = sorted(path for path in (*files, *plain) if path.endswith(".c"))
    context = {
        "board": board,
        "microwright_version": __version__,
        "kernel_optimization": _KERNEL_OPTIMIZATION[planned.target.optimize],
        "model_name": c.comment(planned.graph.name),
        "model_sha256": planned.graph.sha256,
        "native": board.flash is None,
        "sources": sources,
        "stack_bytes": stack_bytes(board),
    }
    return {
        **files,
        **plain,
        **{path[:-3]: _render(source, context) for path, source in layers.items() if path.endswith(".j2")},
    }


def _template_files(board: Board) -> dict[str, Path]:
    """Path in the project (still with `.j2`) -> file of the template."""
    root = _paths.firmware_templates()
    parts = PurePosixPath(board.template).parts
    if not root.joinpath(*parts, "port").is_dir():
        known = sorted(
            str(p.parent.relative_to(root)) for p in root.rglob("port") if "_common" not in p.parts
        )
        raise BoardError(
            f"board {board.id}: there is no template {board.template!r}"
            + did_you_mean(board.template, known),
            "the templates are: " + ", ".join(known),
        )
    folders = [root.joinpath(*parts[:depth], "_common") for depth in range(len(parts))]
    files: dict[str, Path] = {}
    for folder in (*folders, root.joinpath(*parts)):
        files.update({str(PurePosixPath(p.relative_to(folder))): p for p in _walk(folder)})
    if board.uart is not None:
        driver = root / "_uart" / f"{board.uart.driver}.c"
        if not driver.is_file():
            known = sorted(p.stem for p in driver.parent.glob("*.c"))
            raise BoardError(
                f"board {board.id}: there is no UART driver {board.uart.driver!r}"
                + did_you_mean(board.uart.driver, known),
                "the drivers are: " + ", ".join(known),
            )
        files["port/uart.c"] = driver
    return files


def _render(source: Path, context: Mapping[str, object]) -> bytes:
    # The output is C, CMake and Markdown, for which there is no escaping: the values are safe as they come.
    environment = jinja2.Environment(  # noqa: S701
        undefined=jinja2.StrictUndefined, keep_trailing_newline=True, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(source.read_text(encoding="utf-8")).render(context).encode()


def _manifest(project: Project) -> bytes:
    content = {
        "schema": SCHEMA,
        "microwright_version": __version__,
        "board": project.board.id,
        "engine": project.engine,
        "optimize": project.optimize,
        "model": {"name": project.model_name, "sha256": project.model_sha256},
        "arena_bytes": project.arena_bytes,
        "files": project.files,
    }
    return (json.dumps(content, indent=2) + "\n").encode()


def _read_manifest(directory: Path) -> dict[str, Any]:
    """The checked manifest of a folder. Raises InputError."""
    path = directory / MANIFEST
    try:
        with path.open("rb") as file:
            manifest = json.loads(file.read(_MANIFEST_BYTES))
    except OSError as error:
        raise InputError(
            f"{path} cannot be read: {error.strerror or error}", "check its permissions"
        ) from None
    except (ValueError, RecursionError):
        raise InputError(f"{path} is not JSON", "generate the project in a new folder") from None
    if isinstance(manifest, dict) and isinstance(manifest.get("schema"), int) and manifest["schema"] > SCHEMA:
        raise InputError(
            f"{path} was made by a newer Microwright", "update Microwright, or generate it again"
        )
    if not _sound(manifest):
        raise InputError(f"{path} is not a manifest of Microwright", "generate the project in a new folder")
    result: dict[str, Any] = manifest
    return result


def _sound(manifest: Any) -> bool:
    if not isinstance(manifest, dict) or manifest.get("schema") != SCHEMA:
        return False
    model, files, arena = manifest.get("model"), manifest.get("files"), manifest.get("arena_bytes")
    return (
        isinstance(manifest.get("board"), str)
        and isinstance(manifest.get("engine"), str)
        and manifest.get("optimize") in OPTIMIZE
        and isinstance(arena, int)
        and arena >= 0
        and isinstance(model, dict)
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


@dataclass(frozen=True)
class _Previous:
    """The project that a folder has: its board's id, its generated files and its manifest."""

    board: str
    files: frozenset[str]


def _replaceable(directory: Path, force: bool) -> _Previous | None:
    """Check that a folder may be written. Raises OutputError."""
    new_folder = "choose another folder with -o"
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
        manifest = _read_manifest(directory)
    except InputError as error:
        raise OutputError(error.message, new_folder) from None
    edited = [path for path, sha in manifest["files"].items() if _edited(directory / path, sha)]
    if edited and not force:
        raise OutputError(
            f"{directory}: {edited[0][:200]!r} was edited since it was generated"
            + (f", and {len(edited) - 1} more files" if len(edited) > 1 else ""),
            f"{new_folder}, or drop the edits with --force",
        )
    return _Previous(manifest["board"], frozenset((MANIFEST, *manifest["files"])))


def _edited(path: Path, sha256: str) -> bool:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest() != sha256
    except FileNotFoundError:
        return False
    except OSError:
        return True


def _walk(folder: Path) -> Iterator[Path]:
    """The files below a folder, sorted; none where it does not exist."""
    if folder.is_dir():
        yield from (path for path in sorted(folder.rglob("*")) if path.is_file())


def _remove_stale_build(build: Path, same_board: bool) -> None:
    """Remove a build for another board, and an image of what was generated before."""
    if not same_board:
        shutil.rmtree(build, ignore_errors=True)
    for image in _IMAGES:
        with contextlib.suppress(OSError):
            (build / image).unlink()
