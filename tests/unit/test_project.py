"""Projects: what is generated, what is refused, what survives."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from microwright import board, library, project, target
from microwright.board import Board, Region
from microwright.errors import BoardError, InputError, OutputError, TooLarge, UnsupportedOp
from microwright.manifest import MANIFEST
from microwright.plan import plan
from microwright.target import Optimize
from tests.support.firmware import dense

GRAPH = dense()
MCU = board.load("mps2-an386")
HOST = board.load("host")


SOUND = {
    "schema": 1,
    "kind": "project",
    "board": "host",
    "engine": "aot",
    "optimize": "size",
    "arena_bytes": 16,
    "arena_regions": ["ram"],
    "model": {"name": "x", "sha256": "0"},
    "files": {},
}


def contents(directory: Path) -> dict[str, bytes]:
    return {
        str(p.relative_to(directory)): p.read_bytes() for p in sorted(directory.rglob("*")) if p.is_file()
    }


def left_beside(directory: Path) -> list[str]:
    return [path.name for path in directory.parent.iterdir() if path.name != directory.name]


def with_memory(flash_bytes: int, ram_bytes: int) -> Board:
    return replace(MCU, flash=Region(0, flash_bytes), ram=Region(0x2000_0000, ram_bytes))


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def kernels_of(board: Board, optimize: Optimize = "balanced") -> set[str]:
    """What GRAPH is computed with."""
    return {call.step.kernel for call in plan(GRAPH, target.of(board, optimize)).calls}


@pytest.mark.parametrize("made_for", [MCU, HOST], ids=lambda b: b.id)
def test_a_project_has_all_its_files(out: Path, made_for: Board) -> None:
    project.create(out, GRAPH, made_for)
    expected = {
        MANIFEST,
        "board.toml",
        "CMakeLists.txt",
        "CMakePresets.json",
        "README.md",
        "app/main.c",
        "model/mw_model.c",
        "model/mw_model.h",
        "model/model.tflite",
        "port/mw_port.h",
        "runtime/include/mw.h",
    }
    for kernel in kernels_of(made_for):
        expected |= {f"runtime/include/mw/{kernel}.h", f"runtime/src/{kernel}.c"}
    files = contents(out)
    assert expected <= set(files)
    assert not [path for path in files if path.endswith(".j2") or "conv_2d" in path]
    assert files["model/model.tflite"] == GRAPH.flatbuffer
    assert files["board.toml"].decode() == made_for.text


def test_the_manifest_lists_every_generated_file(out: Path) -> None:
    made = project.create(out, GRAPH, MCU)
    manifest = json.loads((out / MANIFEST).read_text())
    files = contents(out)
    del files[MANIFEST]
    assert manifest["files"] == {path: hashlib.sha256(data).hexdigest() for path, data in files.items()}
    assert manifest["board"] == "mps2-an386"
    assert manifest["engine"] == "aot"
    assert manifest["optimize"] == "balanced"
    assert manifest["model"] == {"name": "dense", "sha256": GRAPH.sha256, "calibrated_randomly": False}
    assert manifest["arena_bytes"] == made.arena_bytes > 0


def test_same_input_same_bytes_wherever_it_lies(tmp_path: Path) -> None:
    project.create(tmp_path / "a", GRAPH, MCU)
    project.create(tmp_path / "deep" / "er" / "b", GRAPH, MCU)
    first = contents(tmp_path / "a")
    assert first == contents(tmp_path / "deep" / "er" / "b")
    assert not [path for path, data in first.items() if str(tmp_path).encode() in data]


def test_a_project_is_opened_as_it_was_made(out: Path) -> None:
    made = project.create(out, GRAPH, MCU)
    opened = project.open_project(out)
    assert opened == made
    assert opened.graph.flatbuffer == GRAPH.flatbuffer
    assert [node.op for node in opened.graph.nodes] == ["FULLY_CONNECTED"]


def test_the_linker_script_has_the_boards_memory(out: Path) -> None:
    project.create(out, GRAPH, board.load("mps3-an547"))
    script = (out / "port/firmware.ld").read_text()
    assert "FLASH (rx) : ORIGIN = 0x10000000, LENGTH = 524288" in script
    assert "RAM (rwx) : ORIGIN = 0x30000000, LENGTH = 524288" in script
    assert "isram (rwx) : ORIGIN = 0x31000000, LENGTH = 4194304" in script


@pytest.mark.parametrize(
    "name",
    [
        '"; system("x"); //',
        "*/ #error\n#error x",
        "a\\\nb",
        "$(x) ${x} `x`",
        "{{ 7 * 7 }}",
        "\u202e" + "x" * 999,
    ],
)
def test_a_hostile_model_name_stays_a_name(out: Path, name: str) -> None:
    project.create(out, replace(GRAPH, name=name), MCU)
    project.create(out.with_name("plain"), GRAPH, MCU)
    made, plain = contents(out), contents(out.with_name("plain"))
    assert made.keys() == plain.keys()
    for path in made.keys() - {MANIFEST}:
        assert made[path].count(b"\n") == plain[path].count(b"\n"), path
        if path not in ("model/mw_model.h", "model/mw_model.c", "README.md"):
            assert made[path] == plain[path]
    assert b"${" not in made["README.md"] and b"`x`" not in made["README.md"]
    assert project.open_project(out).model_name == name


def test_generating_again_keeps_what_was_added_and_built(out: Path) -> None:
    project.create(out, GRAPH, MCU)
    added = {
        "build/CMakeCache.txt": b"cache",
        "build/CMakeFiles/a.o": b"object",
        "app/mine.c": b"mine",
        "notes/a.md": b"note",
        "report.json": b"{}",
    }
    for path, data in added.items():
        (out / path).parent.mkdir(exist_ok=True)
        (out / path).write_bytes(data)
    (out / "build/firmware.elf").write_bytes(b"stale")
    (out / "README.md").unlink()
    project.create(out, dense(outputs=5), MCU)
    files = contents(out)
    assert {path: files[path] for path in added} == added
    assert "README.md" in files
    assert "build/firmware.elf" not in files
    assert json.loads(files[MANIFEST])["model"]["sha256"] == dense(outputs=5).sha256
    assert left_beside(out) == []


def test_generating_for_another_board_drops_its_build(out: Path) -> None:
    project.create(out, GRAPH, MCU)
    (out / "build").mkdir()
    (out / "build/CMakeCache.txt").write_text("cache")
    (out / "mine.txt").write_text("mine")
    project.create(out, GRAPH, HOST)
    files = contents(out)
    assert "build/CMakeCache.txt" not in files
    assert "mine.txt" in files
    assert "port/startup.c" not in files
    assert not (out / "build").exists()


def test_a_folder_in_the_way_of_a_file_is_left_alone(out: Path) -> None:
    project.create(out, GRAPH, HOST)
    (out / "port/uart.c/notes").mkdir(parents=True)
    with pytest.raises(OutputError, match=r"port/uart\.c was added to the project"):
        project.create(out, GRAPH, MCU)
    assert (out / "port/uart.c/notes").is_dir()


def test_edited_files_are_not_overwritten(out: Path) -> None:
    project.create(out, GRAPH, MCU)
    (out / "app/main.c").write_text("// mine\n")
    before = contents(out)
    with pytest.raises(OutputError, match=r"'app/main\.c' was edited") as error:
        project.create(out, GRAPH, MCU)
    assert "--force" in error.value.hint
    assert contents(out) == before
    project.create(out, GRAPH, MCU, force=True)
    assert (out / "app/main.c").read_text() != "// mine\n"


@pytest.mark.parametrize("force", [False, True])
def test_a_folder_with_something_else_is_left_alone(out: Path, force: bool) -> None:
    out.mkdir()
    (out / "thesis.txt").write_text("years of work")
    with pytest.raises(OutputError, match=r"holds something else: 'thesis\.txt'"):
        project.create(out, GRAPH, MCU, force=force)
    assert contents(out) == {"thesis.txt": b"years of work"}
    assert left_beside(out) == []


def test_an_added_file_in_the_way_is_not_overwritten(out: Path) -> None:
    project.create(out, GRAPH, HOST)
    (out / "port/startup.c").write_text("// mine\n")
    before = contents(out)
    with pytest.raises(OutputError, match=r"port/startup\.c was added to the project"):
        project.create(out, GRAPH, MCU)
    assert contents(out) == before
    assert left_beside(out) == []


@pytest.mark.parametrize(
    "manifest",
    [
        "{",
        "[]",
        "{}",
        '{"schema": 1}',
        "[" * 100_000,
        json.dumps({**SOUND, "files": {"../outside": "0" * 64}}),
        json.dumps({**SOUND, "optimize": "everything"}),
        json.dumps({**SOUND, "optimize": ["size"]}),
    ],
)
def test_a_broken_manifest_is_refused(out: Path, manifest: str) -> None:
    out.mkdir()
    (out / MANIFEST).write_text(manifest)
    with pytest.raises(InputError):
        project.open_project(out)
    with pytest.raises(OutputError):
        project.create(out, GRAPH, MCU)


@pytest.mark.parametrize("listed", ["", "photos", "link/thesis.txt"])
def test_a_manifest_that_lists_what_is_no_generated_file_moves_nothing(out: Path, listed: str) -> None:
    (out / "photos").mkdir(parents=True)
    (out / "photos/a.jpg").write_text("a")
    (out.parent / "elsewhere").mkdir()
    (out.parent / "elsewhere/thesis.txt").write_text("years of work")
    (out / "link").symlink_to(out.parent / "elsewhere")
    (out / MANIFEST).write_text(json.dumps({**SOUND, "files": {listed: "0" * 64}}))
    with pytest.raises(OutputError):
        project.create(out, GRAPH, MCU, force=True)
    assert (out / "photos/a.jpg").read_text() == "a"
    assert (out.parent / "elsewhere/thesis.txt").read_text() == "years of work"


@pytest.mark.parametrize("character", list(';$"#\\[]<>|\n'))
def test_a_folder_that_cmake_cannot_build_in_is_refused(tmp_path: Path, character: str) -> None:
    with pytest.raises(OutputError, match="where CMake and Ninja cannot build"):
        project.create(tmp_path / f"a{character}b" / "out", GRAPH, MCU)
    assert list(tmp_path.iterdir()) == []


def test_a_compiled_model_alone_is_no_project(out: Path) -> None:
    library.create(out, library.compile_model(GRAPH, MCU))
    with pytest.raises(InputError, match="is not a Microwright project: it is a library"):
        project.open_project(out)
    with pytest.raises(OutputError, match="holds something else: a library"):
        project.create(out, GRAPH, MCU, force=True)


def test_a_file_in_the_way_is_refused(out: Path) -> None:
    out.write_text("x")
    with pytest.raises(OutputError, match="exists and is not a folder"):
        project.create(out, GRAPH, MCU)
    with pytest.raises(OutputError, match=r"cannot be (read|written)"):
        project.create(out / "below", GRAPH, MCU)
    assert out.read_text() == "x"


def test_a_disk_that_fails_leaves_nothing_behind(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project.create(out, GRAPH, MCU)
    before = contents(out)
    write = Path.write_bytes

    def fail(path: Path, data: bytes) -> int:
        if path.name == "mw_model.c":
            raise OSError(28, "No space left on device")
        return write(path, data)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", fail)
        with pytest.raises(OutputError, match="cannot be written: No space left on device"):
            project.create(out, GRAPH, HOST)
    assert contents(out) == before
    assert left_beside(out) == []


@pytest.mark.parametrize("at", ["app/main.c", "port/host.c", MANIFEST])
@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_a_swap_that_fails_puts_the_old_project_back(
    out: Path, monkeypatch: pytest.MonkeyPatch, at: str, error: type[BaseException]
) -> None:
    project.create(out, GRAPH, MCU)
    (out / "mine.txt").write_text("mine")
    before = contents(out)
    rename = Path.rename

    def fail(path: Path, target: Path) -> Path:
        if target == out / at and ".new-" in str(path):
            raise error
        return rename(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", fail)
        with pytest.raises((KeyboardInterrupt, OutputError)):
            project.create(out, GRAPH, HOST)
    assert contents(out) == before
    assert sorted(path.name for path in out.iterdir()) == sorted({path.split("/")[0] for path in before})
    assert left_beside(out) == []
    project.create(out, GRAPH, HOST)


def test_a_folder_stays_the_same_folder(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out.mkdir()
    monkeypatch.chdir(out)
    for made_for in (MCU, HOST, MCU):
        project.create(Path(), GRAPH, made_for)
        assert Path(MANIFEST).is_file()
    assert project.open_project(Path()).board == MCU


def test_an_unwritable_place_is_named(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(OutputError, match="cannot be written: Permission denied"):
        project.create(out, GRAPH, MCU)


@pytest.mark.parametrize(("optimize", "flag"), [("speed", "-O3"), ("balanced", "-O2"), ("size", "-Os")])
def test_a_project_is_built_for_its_goal(out: Path, optimize: Optimize, flag: str) -> None:
    made = project.create(out, GRAPH, MCU, optimize=optimize)
    assert made.optimize == optimize
    assert project.open_project(out) == made
    kernels = "".join(f"  {path}\n" for path in sorted(made.files) if path.startswith("runtime/src/"))
    text = (out / "CMakeLists.txt").read_text()
    assert f"set_source_files_properties(\n{kernels}  PROPERTIES COMPILE_OPTIONS {flag}\n)" in text
    for kernel in kernels_of(MCU, optimize):
        assert f"  runtime/src/{kernel}.c\n" in kernels


def test_a_model_that_is_too_large_says_by_how_much(out: Path) -> None:
    large = dense(inputs=1000, outputs=100)
    with pytest.raises(
        TooLarge, match=r"flash is \d+ bytes too small; of 65536 bytes, the weights alone take 100400"
    ):
        project.create(out, large, with_memory(65_536, 65_536))
    small = with_memory(1 << 20, 1024)
    with pytest.raises(TooLarge, match=r"RAM is \d+ bytes too small; of 1024 bytes, the arena") as caught:
        project.create(out, large, small)
    excess, arena, stack = map(int, re.findall(r"(?:is|takes|stack) (\d+)", caught.value.message))
    assert excess == arena + stack - 1024
    assert (arena, stack) == (plan(large, target.of(small)).arena_bytes, 256)
    assert not out.exists()


def test_an_unsupported_model_leaves_nothing(out: Path) -> None:
    broken = replace(GRAPH, nodes=(replace(GRAPH.nodes[0], op="CONV_3D"),))
    with pytest.raises(UnsupportedOp):
        project.create(out, broken, MCU)
    assert not out.exists()


def test_unknown_engines_templates_and_drivers_are_named(out: Path) -> None:
    with pytest.raises(InputError, match=r"no engine 'aott'; did you mean 'aot'\?"):
        project.create(out, GRAPH, MCU, engine="aott")
    with pytest.raises(BoardError, match=r"no template 'cortex_m/mps'; did you mean 'cortex_m/mps2'\?"):
        project.create(out, GRAPH, replace(MCU, template="cortex_m/mps"))
    with pytest.raises(BoardError, match="no template 'cortex_m'"):
        project.create(out, GRAPH, replace(MCU, template="cortex_m"))
    assert MCU.uart is not None
    with pytest.raises(BoardError, match=r"no UART driver 'cmsdkk'; did you mean 'cmsdk'\?"):
        project.create(out, GRAPH, replace(MCU, uart=replace(MCU.uart, driver="cmsdkk")))
    assert not out.exists()


def test_what_is_no_project_is_not_opened(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"is not a Microwright project: it has no microwright\.json"):
        project.open_project(tmp_path)


def test_a_changed_model_file_is_noticed(out: Path) -> None:
    project.create(out, GRAPH, MCU)
    (out / "model/model.tflite").write_bytes(dense(outputs=9).flatbuffer)
    with pytest.raises(InputError, match=r"model\.tflite is not the model of this project"):
        _ = project.open_project(out).graph


def test_a_link_to_a_folder_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    made = project.create(tmp_path / "link", GRAPH, MCU)
    assert made.directory == tmp_path / "real"
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real" / MANIFEST).is_file()
