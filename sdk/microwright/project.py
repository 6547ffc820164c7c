"""A firmware project: render a board's template around a compiled model, write it to a folder, open it again.

A template is a folder of firmware_templates/ that mirrors the project's folders. A project is made of layers,
of which a later one wins: `_common`, the `_common` of each folder above the template, the template. Only what
ends in `.j2` is rendered, and `template.toml` stays behind (see `family`). The UART driver comes from
`_uart/`, chosen by the board; what a profile adds, from `_mlperf_tiny/`.
"""

from __future__ import annotations

import contextlib
import hashlib
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path, PurePosixPath

from microwright import (
    __version__,
    _folder,
    _paths,
    _template,
    debugger,
    family,
    interpreted,
    manifest,
    passes,
    target,
)
from microwright import profile as profiles
from microwright._toml import did_you_mean
from microwright.board import Board
from microwright.board import parse as parse_board
from microwright.emit import aot
from microwright.errors import BoardError, InputError
from microwright.family import Family
from microwright.graph import Graph
from microwright.graph import read as read_graph
from microwright.interpreted import LiteRt
from microwright.library import Library, compile_model
from microwright.manifest import MANIFEST, Manifest
from microwright.plan import Plan, plan
from microwright.profile import MlperfTiny, Profile
from microwright.target import Optimize

_IMAGES = ("firmware.elf", "firmware.bin", "firmware.hex", "firmware.uf2")


@dataclass(frozen=True)
class Project:
    """A generated project on disk. `files` maps each generated file to the SHA-256 of what was generated.

    `uf2_family` is the chips' id in UF2 files, None where they take none.
    """

    directory: Path
    board: Board
    engine: str
    optimize: Optimize
    model_name: str
    model_sha256: str
    arena_bytes: int
    files: Mapping[str, str]
    profile: Profile | None = None
    uf2_family: int | None = None

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

    @cached_property
    def plan(self) -> Plan:
        """The kernel calls of the firmware, and where it has its tensors. Raises InputError."""
        return plan(self.graph, target.of(self.board, self.optimize))


def create(
    directory: Path,
    model: Graph,
    board: Board,
    *,
    engine: str = aot.ENGINE,
    optimize: Optimize = "balanced",
    profile: MlperfTiny | None = None,
    litert: LiteRt | None = None,
    force: bool = False,
) -> Project:
    """Generate the project of a model for a board in a folder.

    The folder has to be new, empty, or a project whose generated files nobody edited (`force` drops such
    edits); files that somebody added to a project stay, and so does its build folder for the same board.
    Nothing is written when anything fails. Same input, same bytes. With a `profile` the firmware answers
    MLPerf Tiny's protocol, too. With `litert` the engine is LiteRT, and there is nothing to build.

    Raises UnsupportedOp, TooLarge, OutputError, BoardError, and InputError for an unknown engine.
    """
    directory = directory.resolve()
    previous = manifest.replaceable(directory, "project", force)
    if litert is not None:
        files = interpreted.files(model, board, litert, __version__)
        written = _interpreted(model, board, optimize, files)
        return _put(directory, board, written, files, previous)
    library = compile_model(model, board, engine=engine, optimize=optimize, application=True)
    settled = None if profile is None else profiles.settle(profile, model)
    chips = family.find(board.template, board.folder, f"board {board.id}")
    files = _files(library, settled, chips)
    written = replace(library.manifest("project", files), profile=settled, uf2_family=chips.uf2_family)
    return _put(directory, board, written, files, previous)


def _interpreted(model: Graph, board: Board, optimize: Optimize, files: Mapping[str, bytes]) -> Manifest:
    return Manifest(
        kind="project",
        board=board.id,
        engine=interpreted.ENGINE,
        optimize=optimize,
        model_name=model.name,
        model_sha256=model.sha256,
        calibrated_randomly=model.calibrated_randomly,
        arena_bytes=0,
        arena_regions=(),
        arch=None if board.linux is None else board.linux.arch,
        files=manifest.hashes(files),
    )


def _put(
    directory: Path, board: Board, written: Manifest, files: dict[str, bytes], previous: Manifest | None
) -> Project:
    """Write the files of a project, its manifest too."""
    files[MANIFEST] = written.to_bytes()
    _folder.put(directory, files, previous.generated if previous else frozenset())
    if previous is not None:
        _remove_stale_build(
            directory / "build", (previous.board, previous.arch) == (written.board, written.arch)
        )
    return _project(directory, board, written)


def open_project(directory: Path) -> Project:
    """The project in a folder. Raises InputError where there is none, BoardError for its board file."""
    directory = directory.resolve()
    made_by = "give a folder that `microwright new` or `microwright deploy` made"
    if not (directory / MANIFEST).is_file():
        raise InputError(f"{directory} is not a Microwright project: it has no {MANIFEST}", made_by)
    written = manifest.read(directory)
    if written.kind != "project":
        raise InputError(f"{directory} is not a Microwright project: it is a {written.kind}", made_by)
    path = directory / "board.toml"
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BoardError(
            f"{path} cannot be read: {error.strerror or error}", "generate the project again"
        ) from None
    board = parse_board(content, written.board, str(path)).with_arena(*written.arena_regions)
    if written.arch is not None:
        board = board.with_arch(written.arch)
    return _project(directory, board, written)


def _project(directory: Path, board: Board, written: Manifest) -> Project:
    return Project(
        directory=directory,
        board=board,
        engine=written.engine,
        optimize=written.optimize,
        model_name=written.model_name,
        model_sha256=written.model_sha256,
        arena_bytes=written.arena_bytes,
        files=written.files,
        profile=written.profile,
        uf2_family=written.uf2_family,
    )


def _files(library: Library, profile: Profile | None, chips: Family) -> dict[str, bytes]:
    """All files of the project but the manifest."""
    board = library.board
    files = dict(library.files)
    files["model/model.tflite"] = library.plan.graph.flatbuffer
    files["board.toml"] = board.text.encode()
    layers = _template_files(board, profile, chips)
    walks = library.plan.target.optimize != "size"
    if not walks:
        del layers["app/mw_walk.c"]
    files.update({path: source.read_bytes() for path, source in layers.items() if not path.endswith(".j2")})
    context = {
        **library.context,
        "sources": sorted(path for path in files if path.endswith(".c")),
        "stack_bytes": board.stack_bytes,
        "uf2_family": chips.uf2_family,
        "launches": debugger.launches(board),
        "walks": walks,
        "profile": None if profile is None else profiles.settings(profile, library.plan.graph),
    }
    for path, source in layers.items():
        if path.endswith(".j2"):
            files[path[:-3]] = _template.render(source, context)
    return files


def _template_files(board: Board, profile: Profile | None, chips: Family) -> dict[str, Path]:
    """Path in the project (still with `.j2`) -> file of the template."""
    root = _paths.firmware_templates()
    parts = PurePosixPath(board.template).parts
    folders = [root.joinpath(*parts[:depth], "_common") for depth in range(len(parts))]
    if profile is not None:
        folders.append(root / "_mlperf_tiny")
    files: dict[str, Path] = {}
    for folder in (*folders, chips.folder):
        files.update({str(PurePosixPath(p.relative_to(folder))): p for p in _walk(folder)})
    del files[family.FILE]
    if board.uart is not None:
        drivers = {p.stem: p for r in reversed(family.roots(board.folder)) for p in (r / "_uart").glob("*.c")}
        driver = drivers.get(board.uart.driver)
        if driver is None:
            known = sorted(drivers)
            raise BoardError(
                f"board {board.id}: there is no UART driver {board.uart.driver!r}"
                + did_you_mean(board.uart.driver, known),
                "the drivers are: " + ", ".join(known),
            )
        files["port/uart.c"] = driver
    return files


def _walk(folder: Path) -> Iterator[Path]:
    """The files below a folder, sorted; none where it does not exist."""
    if folder.is_dir():
        yield from (path for path in sorted(folder.rglob("*")) if path.is_file())


def _remove_stale_build(build: Path, same_compiler: bool) -> None:
    """Remove a build for another board or architecture, and an image of what was generated before."""
    if not same_compiler:
        shutil.rmtree(build, ignore_errors=True)
    for image in _IMAGES:
        with contextlib.suppress(OSError):
            (build / image).unlink()
