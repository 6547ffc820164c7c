"""Functions and lines of a fault, whatever the image has of them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from elftools.elf.elffile import ELFFile

from microwright import culprit
from microwright.errors import DeviceFault

# Two functions at known addresses; `left_out` the linker drops, and its lines then begin at 0.
_SOURCE = """
int left_out(int a) { return a * 3; }
__attribute__((noinline)) int inner(volatile int *a)
{
    return *a / 7;
}
int outer(volatile int *a)
{
    return inner(a) + 1;
}
"""


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("culprit")
    (folder / "app").mkdir()
    (folder / "app/two.c").write_text(_SOURCE)
    options = ["-mcpu=cortex-m3", "-mthumb", "-Os", "-ffunction-sections", "-nostdlib"]
    linker = ["-Wl,--gc-sections", "-Wl,-eouter", "-Wl,-Ttext=0x100"]
    for name, debug in (("lines.elf", "-g"), ("old.elf", "-gdwarf-4"), ("no_lines.elf", "-g0")):
        argv = ["arm-none-eabi-gcc", *options, debug, *linker, "app/two.c", "-o", name]
        subprocess.run(argv, cwd=folder, check=True, timeout=60)
    return folder / "lines.elf"


def address(image: Path, function: str, offset: int = 0) -> int:
    listed = subprocess.run(["arm-none-eabi-nm", image], check=True, capture_output=True, text=True)
    return (
        next(int(line.split()[0], 16) for line in listed.stdout.splitlines() if line.endswith(function))
        + offset
    )


def message(elf: Path, build_id: str = "", **registers: int) -> str:
    built: Any = SimpleNamespace(elf=elf, build_id="00112233445566778899")
    with pytest.raises(DeviceFault) as raised, culprit.named(built):
        raise DeviceFault("HardFault", 3, registers, build_id)
    assert raised.value.build_id == build_id
    assert raised.value.registers == registers
    return raised.value.message


@pytest.mark.parametrize("name", ["lines.elf", "old.elf"])
def test_both_functions_have_file_and_line(image: Path, name: str) -> None:
    elf = image.with_name(name)
    inner, outer = address(elf, "inner", 2), address(elf, "outer")
    said = message(elf, pc=inner, lr=(outer + 6) | 1)
    assert said == (
        "the device met a fault in inner (app/two.c:5), called from outer (app/two.c:9): HardFault"
    )
    assert culprit.find(elf, [outer, None]) == [culprit.Place("outer", "app/two.c", 8), None]


def test_of_other_firmware_no_function_is_named(image: Path) -> None:
    pc = address(image, "inner", 2)
    assert " in inner " in message(image, pc=pc, build_id="00112233445566778899")
    place = "in build aabbccddeeff, not in the image, which is build 001122334455"
    assert message(image, pc=pc, build_id="aabbccddeeff0011") == f"the device met a fault {place}: HardFault"


def test_without_debug_information_functions_alone(image: Path) -> None:
    elf = image.with_name("no_lines.elf")
    said = message(elf, pc=address(elf, "inner", 2), lr=address(elf, "outer", 6) | 1)
    assert said == "the device met a fault in inner, called from outer: HardFault"


def test_a_return_address_in_the_function_itself_tells_no_caller(image: Path) -> None:
    outer = address(image, "outer")
    assert message(image, pc=outer + 2, lr=outer + 7).startswith(
        "the device met a fault in outer (app/two.c:9): "
    )


def test_an_address_outside_of_the_program(image: Path) -> None:
    outer = address(image, "outer")
    assert message(image, pc=0xF8000000, lr=outer + 7) == (
        "the device met a fault at 0xf8000000, which is in no function, "
        "called from outer (app/two.c:9): HardFault"
    )
    assert message(image, pc=0xF8000000, lr=0xFFFFFFF9).endswith("in no function: HardFault")
    assert message(image, sp=0x20000000) == "the device met a fault: HardFault"


@pytest.mark.parametrize("content", [None, b"", b"\x7fELF", b"rubbish" * 100])
def test_what_is_no_image_costs_the_names_alone(tmp_path: Path, content: bytes | None) -> None:
    elf = tmp_path / "firmware.elf"
    if content is not None:
        elf.write_bytes(content)
    assert (
        message(elf, pc=0x100) == "the device met a fault at 0x00000100, which is in no function: HardFault"
    )


def test_a_symbol_table_that_is_none_costs_the_names_alone(image: Path, tmp_path: Path) -> None:
    with image.open("rb") as file:
        elf = ELFFile(file)
        header = elf["e_shoff"] + elf.get_section_index(".symtab") * elf["e_shentsize"]
    damaged = bytearray(image.read_bytes())
    damaged[header + 4] = 1  # its type: bytes of the program
    (tmp_path / "firmware.elf").write_bytes(damaged)
    assert message(tmp_path / "firmware.elf", pc=0x100).endswith("which is in no function: HardFault")


def test_debug_information_that_cannot_be_read_costs_the_lines_alone(image: Path, tmp_path: Path) -> None:
    elf = tmp_path / "damaged.elf"
    for section in (".debug_line", ".debug_info", ".debug_abbrev"):
        shutil.copy(image, elf)
        (tmp_path / "rubbish").write_bytes(b"\xff\x07" * 500)
        argv = ["arm-none-eabi-objcopy", "--update-section", f"{section}={tmp_path / 'rubbish'}", elf]
        subprocess.run(argv, check=True, capture_output=True, timeout=60)
        assert "fault in inner" in message(elf, pc=address(elf, "inner"))
