"""Builds: sizes, repeatability, and what is said of those that fail."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from microwright import board, build, fit, footprint, passes, project, runners, target
from microwright.board import Board, Region
from microwright.errors import InputError, NoBootLoader, TooLarge, ToolFailed, ToolMissing
from microwright.plan import plan
from microwright.profile import MlperfTiny, Sent
from tests.support.firmware import convolutional, dense
from tests.support.uf2_reader import pages

GRAPH = dense(inputs=100, outputs=50)
MCU = board.load("mps2-an386")
HOST = board.load("host")


def with_memory(flash_bytes: int, ram_bytes: int) -> Board:
    text = MCU.text.replace("bytes = 4_194_304 }   # ZBT SSRAM1", f"bytes = {flash_bytes} }}")
    text = text.replace("bytes = 4_194_304 }   # ZBT SSRAM2", f"bytes = {ram_bytes} }} #")
    flash, ram = Region(0, flash_bytes), Region(0x2000_0000, ram_bytes)
    made = board.parse(text.encode(), MCU.id, "test")
    assert (made.flash, made.ram) == (flash, ram)
    return made


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> build.Image:
    return build.build(project.create(tmp_path_factory.mktemp("build") / "mcu", GRAPH, MCU))


def test_the_sizes_add_up(image: build.Image) -> None:
    flash_image = (image.elf.parent / "firmware.bin").stat().st_size
    sections = {section.name: section.bytes for section in image.footprint.sections}
    assert image.weights_bytes >= 100 * 50 + 50 * 4
    assert image.weights_bytes == sections["mw_model"]
    assert image.code_bytes + image.weights_bytes == image.flash_total_bytes
    regions = {region.name: region for region in image.footprint.regions}
    # The file has the gaps of alignment on top.
    assert flash_image == regions["flash"].used_bytes
    assert image.flash_total_bytes == flash_image - regions["flash"].gap_bytes
    variables = sections[".data"] + sections[".bss"]
    assert image.static_ram_bytes == variables - image.project.arena_bytes
    assert 0 < image.static_ram_bytes < 2048
    assert sections[".stack"] == 16 * 1024
    assert regions["ram"].used_bytes == variables + 16 * 1024 + regions["ram"].gap_bytes
    assert 2000 < image.code_bytes < 16_000


def test_a_region_that_is_nearly_full_is_warned_of(image: build.Image) -> None:
    used = {region.name: region.used_bytes for region in image.footprint.regions}
    assert footprint.examine(image.footprint) == ()
    for flash_bytes, warns in ((used["flash"] * 10 // 9 + 1, False), (used["flash"] * 10 // 9 - 10, True)):
        found = footprint.read(image.elf, with_memory(flash_bytes, 65_536))
        told = [caution.message for caution in footprint.examine(found)]
        left = f" full, {flash_bytes - used['flash']} of {flash_bytes} bytes are left"
        assert len(told) == warns and all(text.endswith(left) for text in told)
    # RAM has the regions that are in use, and no others.
    assert found.ram_limit_bytes == 65_536


def assert_parts_are_the_whole(image: build.Image) -> None:
    """Every byte of every section is of one kind, and none is counted twice, as `size` counts."""
    found = image.footprint
    tool = "size" if image.project.board.ram is None else "arm-none-eabi-size"
    listed = subprocess.run([tool, "-A", image.elf], capture_output=True, text=True, check=True).stdout
    for section in found.sections:
        assert [section.name, str(section.bytes)] in [line.split()[:2] for line in listed.splitlines()]
        assert sum(section.kinds.values()) == section.bytes
        named = sum(symbol.bytes for symbol in found.symbols if symbol.section == section.name)
        assert 0 <= section.unnamed_bytes <= section.bytes
        assert named >= section.bytes - section.unnamed_bytes
    assert sum(found.flash.values()) == sum(found.origins.values()) == image.flash_total_bytes
    assert found.ram["arena"] == image.project.arena_bytes
    assert sum(found.ram.values()) == image.project.arena_bytes + image.static_ram_bytes + found.ram.get(
        "stack", 0
    )
    assert {"app", "model", "port", "runtime"} <= found.origins.keys()
    assert "mw_model_invoke" in {symbol.name for symbol in found.symbols if symbol.origin == "model"}
    line = next(symbol for symbol in found.symbols if symbol.name == "wire")
    assert found.ram["line"] == line.bytes


@pytest.mark.parametrize("board_id", ["host", "mps2-an385-m0plus", "mps2-an386", "mps3-an547"])
def test_every_byte_is_of_one_kind(tmp_path: Path, board_id: str) -> None:
    made = project.create(tmp_path / "p", convolutional(), board.load(board_id))
    image = build.build(made)
    assert_parts_are_the_whole(image)
    if board_id == "host":
        assert image.footprint.heap_bytes is None
        assert image.footprint.regions == ()
    else:
        assert (image.footprint.heap_bytes, image.footprint.allocators) == (0, ())
        # What was estimated before it was built.
        found = fit.estimate(made.plan)
        assert found.least <= image.flash_total_bytes <= found.most
        # memcpy and its like.
        assert 0 < image.footprint.flash["c_library"] < 8000


_ALLOCATES = """\
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
void *_sbrk(int bytes);
void *_sbrk(int bytes) { static uint8_t room[512]; return bytes > 0 ? room : NULL; }
__attribute__((section(".memory.psram"))) static volatile uint8_t frames[1000];
static volatile uint32_t settings[25] = {1, 2, 3};
static void use(void) { settings[0] = (uint32_t)(uintptr_t)malloc(settings[1]) + frames[settings[2]]; }
"""


def test_a_heap_and_initial_values_are_seen(tmp_path: Path) -> None:
    made = project.create(tmp_path / "p", GRAPH, MCU)
    before = build.build(made).footprint
    main = made.directory / "app" / "main.c"
    main.write_text(_ALLOCATES + main.read_text().replace("mw_port_init();", "mw_port_init(); use();"))
    after = build.build(made)
    assert_parts_are_the_whole(after)
    found = after.footprint
    assert found.heap_bytes is None and found.allocators is not None
    assert {"malloc", "_sbrk"} <= set(found.allocators)
    assert found.flash["initial_values"] == before.flash.get("initial_values", 0) + 100
    assert found.ram["variables"] >= before.ram["variables"] + 100 + 512 + 1000
    regions = {region.name: region for region in found.regions}
    assert regions["psram"].used_bytes == 1000
    assert found.ram_limit_bytes == regions["ram"].bytes + regions["psram"].bytes
    assert regions["flash"].used_bytes == (after.elf.parent / "firmware.bin").stat().st_size


@pytest.mark.parametrize("made_for", [MCU, HOST], ids=lambda b: b.id)
def test_what_a_model_adds_is_beside_an_application_without(tmp_path: Path, made_for: Board) -> None:
    image = build.build(project.create(tmp_path / "p", GRAPH, made_for))
    empty = build.build_empty(image.project)
    assert "runtime" not in empty.footprint.origins and empty.weights_bytes == 0
    added = footprint.added(image.footprint, empty.footprint)
    assert sum(added["flash"].values()) == image.flash_total_bytes - empty.flash_total_bytes
    assert added["flash"]["weights"] == image.weights_bytes
    assert added["flash"]["code"] >= image.footprint.origins["runtime"] / 2
    assert added["ram"]["line"] == 0 and added["ram"]["arena"] > 0
    # The project is as it was.
    assert build.open_image(image.project) == image


@pytest.mark.parametrize("sent", ["raw", "float32"])
def test_what_answers_mlperf_tiny_is_not_the_models(tmp_path: Path, sent: Sent) -> None:
    """Neither the commands nor their code are what the model adds."""
    adds = []
    for name, profile in (("plain", None), ("benchmark", MlperfTiny(sent=sent))):
        image = build.build(project.create(tmp_path / name, GRAPH, MCU, profile=profile))
        empty = build.build_empty(image.project)
        adds.append(image.flash_total_bytes - empty.flash_total_bytes)
    assert abs(adds[1] - adds[0]) < 256


def test_the_image_says_who_built_it(image: build.Image) -> None:
    version = subprocess.run(
        ["arm-none-eabi-gcc", "-dumpfullversion"], capture_output=True, text=True, check=True
    ).stdout.strip()
    assert image.toolchain.startswith(f"GCC {version}")
    assert len(bytes.fromhex(image.build_id)) == 20


@pytest.mark.parametrize(
    ("note", "compiler"),
    [
        (b"GCC: (15:12.2.rel1-1) 12.2.1 20221205\0", "GCC 12.2.1 20221205"),
        (
            b"GCC: (Arm GNU Toolchain 13.2.rel1 (Build arm-13.7)) 13.2.1 20231009\0",
            "GCC 13.2.1 20231009",
        ),
        (b"GCC: (Debian 12.2.0-14) 12.2.0\0Debian clang version 14.0.6\0", "Debian clang version 14.0.6"),
        (b"", "unknown"),
    ],
)
def test_compilers_are_named_as_they_sign(note: bytes, compiler: str) -> None:
    assert build._toolchain(note) == compiler


def test_a_built_image_is_opened_without_building(image: build.Image) -> None:
    before = image.elf.stat().st_mtime_ns
    assert build.open_image(project.open_project(image.project.directory)) == image
    assert image.elf.stat().st_mtime_ns == before


def test_memory_may_be_named_like_a_section(tmp_path: Path) -> None:
    names = ("text", "data", "bss", "stack", "vectors", "rodata", "origin", "memory", "at")
    regions = [
        f"{name} = {{ origin = {0x6000_0000 + 4096 * i}, bytes = 4096 }}" for i, name in enumerate(names)
    ]
    text = MCU.text.replace("[uart]", "\n".join([*regions, "[uart]"]))
    made = project.create(tmp_path / "p", GRAPH, board.parse(text.encode(), MCU.id, "test"))
    assert build.build(made).code_bytes > 0


def test_the_hex_file_is_there(image: build.Image) -> None:
    assert (image.elf.parent / "firmware.hex").read_text().startswith(":")


def test_a_board_that_is_a_drive_gets_the_same_image_as_uf2(tmp_path: Path) -> None:
    made = build.build(project.create(tmp_path / "p", GRAPH, board.load("raspberry-pi-pico")))
    folder = made.elf.parent
    found = pages((folder / "firmware.uf2").read_bytes(), 0xE48B_FF56)
    image = (folder / "firmware.bin").read_bytes()
    for at in range(0, len(image), 256):
        page = found.pop(0x1000_0000 + at, bytes(256))
        assert page[: len(image) - at] == image[at : at + 256]
    assert not found
    # What another program built is not what lies there; flashing takes what was built last.
    whole = (folder / "firmware.uf2").read_bytes()
    (folder / "firmware.uf2").write_bytes(b"of a build before")
    with pytest.raises(NoBootLoader, match="there is no drive"):
        runners.flash(made, runner="uf2")
    assert (folder / "firmware.uf2").read_bytes() == whole
    # A file of an image that is gone is gone, too.
    project.create(tmp_path / "p", GRAPH, board.load("raspberry-pi-pico"), optimize="size")
    assert not (folder / "firmware.uf2").exists()


@pytest.mark.parametrize("made_for", [MCU, HOST], ids=lambda b: b.id)
def test_same_project_same_image_wherever_it_lies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made_for: Board
) -> None:
    monkeypatch.delenv("CMAKE_C_COMPILER_LAUNCHER")
    images = [
        build.build(project.create(tmp_path / place, GRAPH, made_for)) for place in ("a", "other place/b b")
    ]
    assert images[0].build_id == images[1].build_id
    assert images[0].elf.read_bytes() == images[1].elf.read_bytes()


@pytest.mark.parametrize("made_for", [MCU, HOST], ids=lambda b: b.id)
def test_a_project_builds_with_plain_cmake(tmp_path: Path, made_for: Board) -> None:
    made = project.create(tmp_path / "p", GRAPH, made_for)
    environment = {"PATH": os.environ["PATH"]}
    commands: tuple[list[str], ...] = (
        ["cmake", "-S", ".", "-B", "plain", "-G", "Ninja"],
        ["cmake", "--build", "plain"],
        ["cmake", "--preset", "gcc", "-G", "Ninja"],
        ["cmake", "--build", "--preset", "gcc"],
    )
    log = ""
    for command in commands:
        done = subprocess.run(
            command, cwd=made.directory, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        log += done.stdout + done.stderr
    assert "warning" not in log.lower()
    assert build.open_image(made).build_id == build.build(made).build_id
    assert (made.directory / "plain" / "firmware.elf").is_file()
    assert "main.c" in (made.directory / "build" / "compile_commands.json").read_text()


def test_a_project_that_was_moved_builds_again(tmp_path: Path) -> None:
    first = build.build(project.create(tmp_path / "before", GRAPH, HOST))
    (tmp_path / "before").rename(tmp_path / "after")
    again = build.build(project.open_project(tmp_path / "after"))
    assert again.build_id == first.build_id


def test_generating_again_makes_the_old_image_unusable(tmp_path: Path) -> None:
    made = project.create(tmp_path / "p", GRAPH, HOST)
    before = build.build(made).build_id
    made = project.create(tmp_path / "p", dense(inputs=100, outputs=51), HOST)
    with pytest.raises(InputError, match="is not built"):
        build.open_image(made)
    assert build.build(made).build_id != before


def test_what_does_not_fit_flash_says_by_how_much(tmp_path: Path) -> None:
    # So much that only the linker can tell.
    least = fit.estimate(plan(passes.run(GRAPH), target.of(MCU))).least
    made = project.create(tmp_path / "p", GRAPH, with_memory(least, 65_536))
    why = rf"does not fit mps2-an386: flash is \d+ bytes too small; of {least} bytes"
    with pytest.raises(TooLarge, match=why) as caught:
        build.build(made)
    assert re.fullmatch(r"fits \S+, \S+, \S+; or prune the model", caught.value.hint)


def test_what_does_not_fit_ram_says_by_how_much(tmp_path: Path) -> None:
    # Enough for arena and stack, not for the variables.
    arena = project.create(tmp_path / "roomy", GRAPH, MCU).arena_bytes
    made = project.create(tmp_path / "p", GRAPH, with_memory(65_536, (arena + 64) * 4 // 3))
    why = rf"RAM is \d+ bytes too small; of \d+ bytes, the arena takes {made.arena_bytes}"
    with pytest.raises(TooLarge, match=why):
        build.build(made)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("int broken(void) { return }", r"main\.c:\d+:\d+: error: expected"),
        ("int unused(int x) { return 1; }", r"error: "),
        (
            "int absent(void); __attribute__((constructor)) static void user(void) { absent(); }",
            "undefined reference to `absent'",
        ),
    ],
)
def test_the_compilers_first_error_is_the_message(tmp_path: Path, line: str, message: str) -> None:
    made = project.create(tmp_path / "p", GRAPH, HOST)
    with (made.directory / "app/main.c").open("a") as file:
        file.write(line)
    with pytest.raises(ToolFailed, match=message) as error:
        build.build(made)
    assert "\n" not in error.value.message + error.value.hint
    assert error.value.rc != 0


@pytest.mark.parametrize(
    ("tool", "made_for", "package"),
    [
        ("cmake", HOST, "cmake"),
        ("arm-none-eabi-gcc", MCU, "gcc-arm-none-eabi libnewlib-arm-none-eabi"),
        ("cc", HOST, "gcc libc6-dev"),
    ],
)
def test_a_missing_tool_is_named_with_its_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tool: str, made_for: Board, package: str
) -> None:
    made = project.create(tmp_path / "p", GRAPH, made_for)
    which = shutil.which
    monkeypatch.setattr(shutil, "which", lambda name, **path: None if name == tool else which(name, **path))
    with pytest.raises(ToolMissing, match=f"{tool} is not installed") as error:
        build.build(made)
    assert error.value.hint == f"sudo apt-get install {package}"


def test_what_is_no_image_is_refused(tmp_path: Path) -> None:
    made = project.create(tmp_path / "p", GRAPH, HOST)
    with pytest.raises(InputError, match=r"is not built: there is no firmware\.elf"):
        build.open_image(made)
    (made.directory / "build").mkdir()
    for content in (b"", b"not an ELF", b"\x7fELF" + b"\xff" * 60):
        (made.directory / "build/firmware.elf").write_bytes(content)
        with pytest.raises(InputError, match=r"firmware\.elf cannot be read"):
            build.open_image(made)
