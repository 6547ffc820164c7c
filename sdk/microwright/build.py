"""Build a project with CMake and read the linked image: Project -> Image."""

from __future__ import annotations

import os
import platform
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from microwright import _elf, _run, fit, footprint, interpreted, manifest, uf2
from microwright import _output as _output_file
from microwright.board import Board
from microwright.errors import InputError, TooLarge, ToolFailed
from microwright.footprint import NOTHING, Footprint
from microwright.graph import Graph, Quantization, Tensor
from microwright.profile import MlperfTiny
from microwright.progress import Progress, silent
from microwright.project import Project, create

Toolchain: TypeAlias = Literal["gcc", "clang"]
TOOLCHAINS: tuple[Toolchain, ...] = get_args(Toolchain)

_OVERFLOW = re.compile(r"region `(?:region_)?(\w+)' overflowed by (\d+) bytes")
_FAILURE = re.compile(r"\berror\b|undefined reference|cannot find|No space left", re.IGNORECASE)
_TIMEOUT_S = 900.0


@dataclass(frozen=True)
class Image:
    """A linked firmware: `build_id` is the linker's, in hexadecimal, `toolchain` its compiler."""

    project: Project
    elf: Path
    build_id: str
    footprint: Footprint
    toolchain: str

    @property
    def weights_bytes(self) -> int:
        """Constants of the model in flash."""
        return self.footprint.flash.get("weights", 0)

    @property
    def code_bytes(self) -> int:
        """All else in flash."""
        return self.flash_total_bytes - self.weights_bytes

    @property
    def flash_total_bytes(self) -> int:
        """Everything that has content, initial values of variables included."""
        return self.footprint.flash_bytes

    @property
    def static_ram_bytes(self) -> int:
        """Variables without the arena and the stack."""
        ram = self.footprint.ram
        return self.footprint.ram_bytes - ram.get("arena", 0) - ram.get("stack", 0)


def require_tools(board: Board, toolchain: Toolchain | None = None) -> None:
    """Raise ToolMissing where something is not installed that builds projects for a board."""
    for tool in ("cmake", *compilers(board, toolchain)):
        _run.find(tool)
    if shutil.which("make") is None:
        _run.find("ninja")


def compilers(board: Board, toolchain: Toolchain | None = None) -> tuple[str, ...]:
    """The programs that compile for a board."""
    if board.cpu.core == "native":
        return ("cc" if toolchain is None else toolchain,)
    gcc = "gcc" if board.linux is not None and platform.machine() == board.linux.arch else board.compiler
    return ("clang", gcc) if toolchain == "clang" else (gcc,)


def build(project: Project, progress: Progress = silent, *, toolchain: Toolchain | None = None) -> Image:
    """Configure and build a project. Raises ToolMissing, ToolFailed, TooLarge, OutputError.

    Chips that take UF2 files get one. `toolchain` None is the one that it was built with before, GCC at first
    (on a native board, `cc`).
    """
    if project.engine == interpreted.ENGINE:
        return open_image(project)
    manifest.check_buildable(project.directory)
    output = _output(project)
    progress("build", 0, 2)
    require_tools(project.board, toolchain)
    before = _built_with(project)
    toolchain = before if toolchain is None else toolchain
    moved = _cached(output, "CMAKE_HOME_DIRECTORY") not in (None, str(project.directory))
    if moved or toolchain != before or _has_other_compiler(output, toolchain):
        shutil.rmtree(output, ignore_errors=True)  # CMake refuses it
    options = ["-S", str(project.directory), "-B", str(output)]
    if _cached(output, "CMAKE_GENERATOR") is None:
        if shutil.which("ninja") is not None:
            options += ["-G", "Ninja"]
        if toolchain is not None:
            file = project.directory / "port" / f"toolchain-{toolchain}.cmake"
            options.append(f"-DCMAKE_TOOLCHAIN_FILE={file}")
    _cmake(project, *options)
    progress("build", 1, 2)
    _cmake(project, "--build", str(output), "--parallel", str(os.cpu_count() or 1))
    image = open_image(project)
    write_uf2(image)
    progress("build", 2, 2)
    return image


def write_uf2(image: Image) -> None:
    """Write the UF2 file of an image, beside it, for chips that take one: CMake alone does not make it.

    Raises InputError, OutputError.
    """
    family = image.project.uf2_family
    if family is None:
        return
    try:
        content = uf2.of_elf(image.elf, family)
    except (OSError, _elf.Damaged) as error:
        raise InputError(
            f"{image.elf} cannot be read: {error}", "run `microwright build` on the project"
        ) from None
    _output_file.write(image.elf.with_suffix(".uf2"), content)


def _built_with(project: Project) -> Toolchain | None:
    """The toolchain that a project's build folder is configured for, or None: `cc`, or one of the user's."""
    file = _cached(_output(project), "CMAKE_TOOLCHAIN_FILE")
    if file is None:
        return None if project.board.cpu.core == "native" else "gcc"
    return next((name for name in TOOLCHAINS if Path(file).name == f"toolchain-{name}.cmake"), None)


def _has_other_compiler(output: Path, toolchain: Toolchain | None) -> bool:
    """Whether a build folder has the other toolchain's compiler, which CMake keeps, whatever it is told."""
    for file in output.glob("CMakeFiles/*/CMakeCCompiler.cmake"):
        found = re.search(r'CMAKE_C_COMPILER_ID "(GNU|Clang)"', _text(file))
        if found and toolchain is not None:
            return {"GNU": "gcc", "Clang": "clang"}[found[1]] != toolchain
    return False


def build_empty(project: Project, progress: Progress = silent) -> Image:
    """Build the application of a project's board around a model of no layers, in the project's `build/empty`.

    It answers MLPerf Tiny's protocol where the project does, and has the project's compiler. What the
    project's image has more is the model's. Raises as `build` and `project.create` do.
    """
    dtype = project.graph.tensors[project.graph.inputs[0]].dtype
    if dtype == "float32":
        given = Tensor(0, "input", "float32", (1,), None, None)
    else:
        given = Tensor(0, "input", "int8", (1,), Quantization((1.0,), (0,)), None)
    nothing = Graph("empty", "0" * 64, (given,), (), (0,), (0,), b"")
    profile = project.profile
    empty = create(
        _output(project) / "empty",
        nothing,
        project.board,
        engine=project.engine,
        optimize=project.optimize,
        profile=None if profile is None else MlperfTiny("empty", profile.sent, profile.result),
    )
    return build(empty, progress, toolchain=_built_with(project))


def open_image(project: Project) -> Image:
    """The image of a project that was built before. Raises InputError where it was not.

    Where an interpreter runs the model, that is the model.
    """
    if project.engine == interpreted.ENGINE:
        build_id = interpreted.build_id(project.model.flatbuffer)
        return Image(project, project.directory / "model" / "model.tflite", build_id, NOTHING, "Python")
    path = _output(project) / "firmware.elf"
    try:
        return _image(project, path)
    except FileNotFoundError as error:
        missing = Path(error.filename).name
        raise InputError(
            f"{project.directory} is not built: there is no {missing}", "run `microwright build` on it"
        ) from None
    except (OSError, _elf.Damaged) as error:
        raise InputError(
            f"{path} cannot be read: {error}", "run `microwright build` on the project"
        ) from None


def _output(project: Project) -> Path:
    return project.directory / "build"


def _cached(output: Path, name: str) -> str | None:
    """An entry of CMake's cache, None where the folder was not configured."""
    entry = re.search(rf"^{name}:\w+=(.*)$", _text(output / "CMakeCache.txt"), re.MULTILINE)
    return entry[1] if entry else None


def _text(path: Path) -> str:
    """A file of CMake's; empty where it is not there."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _cmake(project: Project, *arguments: str) -> None:
    """Run CMake; say of a failure what the compiler or the linker said first. Raises ToolFailed, TooLarge."""
    try:
        # In English, so that errors are recognised.
        _run.run(["cmake", *arguments], timeout_s=_TIMEOUT_S, env={"LC_ALL": "C"})
    except ToolFailed as error:
        overflow = _OVERFLOW.search(error.log)
        if overflow:
            raise _too_large(project, overflow[1], int(overflow[2])) from None
        failure = next((line for line in error.log.splitlines() if _FAILURE.search(line)), None)
        if failure is None:
            raise
        raise ToolFailed(
            f"the build of {project.directory} failed: {' '.join(failure.split())[:300]}",
            error.hint,
            error.argv,
            error.rc,
            error.log,
        ) from None


def _too_large(project: Project, region: str, excess_bytes: int) -> TooLarge:
    board = project.board
    if region == "FLASH" and board.flash is not None:
        why = f"of {board.flash.bytes} bytes, the weights take {project.graph.weights_bytes}"
        return fit.too_large(project.plan, board, "flash", excess_bytes, why)
    name = region.lower() if region == "RAM" else region
    if name == board.placement.code:
        return fit.code_too_large(project.plan, board, excess_bytes)
    size = f"of {board.regions[name].bytes} bytes, " if name in board.regions else ""
    why = f"{size}the arena takes {project.arena_bytes}"
    return fit.too_large(project.plan, board, region, excess_bytes, why)


def _image(project: Project, path: Path) -> Image:
    from elftools.elf.sections import NoteSection

    with _elf.opened(path) as elf:
        build_ids = [
            str(note["n_desc"])
            for section in elf.iter_sections()
            if isinstance(section, NoteSection)
            for note in section.iter_notes()
            if note["n_type"] == "NT_GNU_BUILD_ID"
        ]
        comment = elf.get_section_by_name(".comment")
        toolchain = _toolchain(comment.data() if comment is not None else b"")
    return Image(
        project=project,
        elf=path,
        build_id=build_ids[0] if build_ids else "",
        footprint=footprint.read(path, project.board),
        toolchain=toolchain,
    )


def _toolchain(comment: bytes) -> str:
    """`GCC 12.2.1 20221205` of the compiler's note `GCC: (15:12.2.rel1-1) 12.2.1 20221205`.

    Libraries leave notes, too, and are GCC's where Clang compiles the rest.
    """
    notes = comment.decode("ascii", "replace").split("\0")
    text = next((note for note in notes if "clang version" in note), notes[0])
    return re.sub(r":? *\(.*\)", "", text).strip() or "unknown"
