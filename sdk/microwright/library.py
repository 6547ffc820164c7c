"""A compiled model as C: what a project is made around, or a folder for firmware that is there already."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from microwright import __version__, _folder, _paths, _template, fit, manifest, passes, target
from microwright._toml import did_you_mean
from microwright.board import Board
from microwright.emit import SourceSet, aot, c
from microwright.errors import InputError
from microwright.graph import Graph
from microwright.kernels import code
from microwright.plan import Plan, plan
from microwright.target import Optimize

# engine -> (sources of the model, runtime sources that they call)
ENGINES: Mapping[str, tuple[Callable[[Plan], SourceSet], Callable[[Plan], tuple[str, ...]]]] = {
    aot.ENGINE: (aot.emit, aot.kernels),
}

# What the compiler does to the kernels; all else is not worth more code.
_KERNEL_OPTIMIZATION: Mapping[Optimize, str] = {"speed": "-O3", "balanced": "-O2", "size": "-Os"}


@dataclass(frozen=True)
class Library:
    """A compiled model. `files` maps a path (`model/mw_model.c`, `runtime/src/...`) to its content."""

    plan: Plan
    board: Board
    engine: str
    files: Mapping[str, bytes]

    @property
    def context(self) -> dict[str, object]:
        """What templates tell of it."""
        return {
            "board": self.board,
            "engine": self.engine,
            "microwright_version": __version__,
            "kernel_optimization": _KERNEL_OPTIMIZATION[self.plan.target.optimize],
            "model_name": c.comment(self.plan.graph.name),
            "model_sha256": self.plan.graph.sha256,
            "calibrated_randomly": self.plan.graph.calibrated_randomly,
            "native": self.board.cpu.core == "native",
            "arena_regions": list(self.plan.parts),
            "sources": sorted(path for path in self.files if path.endswith(".c")),
        }

    def manifest(self, kind: manifest.Kind, files: Mapping[str, bytes]) -> manifest.Manifest:
        """The manifest of a folder of these files that holds this model."""
        return manifest.Manifest(
            kind=kind,
            board=self.board.id,
            engine=self.engine,
            optimize=self.plan.target.optimize,
            model_name=self.plan.graph.name,
            model_sha256=self.plan.graph.sha256,
            calibrated_randomly=self.plan.graph.calibrated_randomly,
            arena_bytes=self.plan.arena_bytes,
            arena_regions=self.board.placement.arena,
            arch=None if self.board.linux is None else self.board.linux.arch,
            files=manifest.hashes(files),
        )


def compile_model(
    model: Graph,
    board: Board,
    *,
    engine: str = aot.ENGINE,
    optimize: Optimize = "balanced",
    application: bool = False,
) -> Library:
    """The C of a model for a board, whose flash has to hold it alone, or with the `application` of a project.

    Raises UnsupportedOp, TooLarge, and InputError for an unknown engine.
    """
    if engine not in ENGINES:
        raise InputError(
            f"there is no engine {engine[:80]!r}" + did_you_mean(engine, ENGINES),
            "choose one of: " + ", ".join(ENGINES),
        )
    planned = plan(passes.run(model), target.of(board, optimize))
    fit.check(planned, board, application=application)
    emit, kernels = ENGINES[engine]
    sources = emit(planned)
    files = {f"model/{path}": text.encode() for path, text in sources.items()}
    for path, content in code.files(kernels(planned), sources.values()).items():
        files[f"runtime/{path}"] = content
    return Library(planned, board, engine, files)


def create(directory: Path, library: Library, *, force: bool = False) -> manifest.Manifest:
    """Write a compiled model into a folder, with a CMakeLists.txt that makes a static library of it.

    The folder has to be new, empty, or one that was written so and whose generated files nobody edited
    (`force` drops such edits); files that somebody added stay. Nothing is written when anything fails.
    Same input, same bytes. Raises OutputError.
    """
    directory = directory.resolve()
    previous = manifest.replaceable(directory, "library", force)
    files = dict(library.files)
    for source in sorted((_paths.firmware_templates() / "_library").glob("*.j2")):
        files[source.stem] = _template.render(source, library.context)
    written = library.manifest("library", files)
    files[manifest.MANIFEST] = written.to_bytes()
    _folder.put(directory, files, previous.generated if previous else frozenset())
    return written
