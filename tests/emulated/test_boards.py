"""Every board's firmware: it builds, what starts the chip lies where the chip looks for it, and where the
board's file says that an emulator runs it, one does."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from microwright import board, build, project, runners, verify
from microwright.board import Board
from microwright.build import Image
from microwright.latency import Latency
from microwright.measure import measure
from microwright.runners import Runner
from tests.emulated import test_deploy
from tests.support.firmware import dense
from tests.support.tools import require_rp2040js

BOARDS = tuple(made for made in map(board.load, board.all_ids()) if made.flash is not None)
# By default one board of each template is built, as the others' images differ in numbers only; and all are
# run that no other test runs.
FIRST = {made.template: made.id for made in reversed(BOARDS)}
# Machines of QEMU whose PLL runs. The others have no oscillators: the clock stays the reset's.
FULL_SPEED = {"lm3s6965evb"}
# What feeds the UART at full speed and after a reset, where that is not the core's clock.
UART_HZ = {
    "microbit-v2": (16_000_000, 16_000_000),
    "nano-33-ble-sense": (16_000_000, 16_000_000),
    "nrf52840-dk": (16_000_000, 16_000_000),
    "nucleo-f103rb": (36_000_000, 8_000_000),
    "nucleo-f401re": (42_000_000, 16_000_000),
    "nucleo-f411re": (50_000_000, 16_000_000),
    "nucleo-f446re": (45_000_000, 16_000_000),
    "nucleo-h743zi2": (120_000_000, 16_000_000),
    "stm32f4-discovery": (42_000_000, 16_000_000),
    "teensy41": (24_000_000, 24_000_000),
}
# What the firmware leaves in registers: SysTick goes on while the core sleeps (LPM of CCM_CLPCR).
LEFT = {"teensy41": {0x400F_C054: 0x78}}
VECTORS_ALIGN = 256
RUN = {made.id for made in BOARDS if made.tested == "emulated"} - set(test_deploy.BOARDS)


def case(on: Board) -> object:
    default = on.id in RUN or on.id == FIRST[on.template]
    return pytest.param(on, id=on.id, marks=[] if default else pytest.mark.thorough)


def word(data: bytes, index: int) -> int:
    return int.from_bytes(data[4 * index : 4 * index + 4], "little")


@pytest.mark.parametrize("on", [case(made) for made in BOARDS])
def test_the_image_is_where_the_chip_looks_for_it_and_runs(tmp_path: Path, on: Board) -> None:
    image = build.build(project.create(tmp_path / "p", dense(), on))
    assert_layout(image, on)
    if on.id in RUN:
        emulators = [name for name in on.runners if isinstance(runners.RUNNERS.get(name), Runner)]
        assert emulators
        for name in emulators:
            if name == "rp2040js":
                require_rp2040js()
        found = [assert_inference(image, on, name) for name in emulators]
        # What counts the same, counts as many.
        assert len({(each.unit, each.min) for each in found}) == len({each.unit for each in found})


def assert_layout(image: Image, on: Board) -> None:
    assert on.flash is not None
    assert on.ram is not None
    with image.elf.open("rb") as file:
        elf = ELFFile(file)
        sections = {section.name: section for section in elf.iter_sections() if section["sh_flags"] & 2}
        vectors, text = sections[".vectors"], sections[".text"]
        in_front = sections[".boot"]["sh_size"] if ".boot" in sections else 0
        assert vectors["sh_addr"] == on.flash.origin + -(-in_front // VECTORS_ALIGN) * VECTORS_ALIGN
        stack, reset = word(vectors.data(), 0), word(vectors.data(), 1)
        assert stack % 8 == 0
        assert on.ram.origin < stack <= on.ram.origin + on.ram.bytes
        assert reset % 2 == 1
        assert text["sh_addr"] <= reset < text["sh_addr"] + text["sh_size"]
        regions = (on.flash, on.ram, *on.extra.values())
        for name, section in sections.items():
            start, end = section["sh_addr"], section["sh_addr"] + section["sh_size"]
            assert any(r.origin <= start and end <= r.origin + r.bytes for r in regions), name
        for segment in elf.iter_segments("PT_LOAD"):
            start, end = segment["p_paddr"], segment["p_paddr"] + segment["p_filesz"]
            inside = on.flash.origin <= start and end <= on.flash.origin + on.flash.bytes
            assert inside or segment["p_filesz"] == 0


def assert_inference(image: Image, on: Board, runner: str) -> Latency:
    """The reference's bytes over the chip's own UART; but on QEMU at the full clock and where none starts."""
    if runner == "qemu":
        return assert_outputs(image, runner, on.cpu.clock_hz if on.id in FULL_SPEED else on.cpu.reset_hz)
    if runner == "rp2040js":
        assert_outputs(image, runner, on.cpu.reset_hz, ["--dead-oscillators"])
        return assert_outputs(image, runner, on.cpu.clock_hz)
    trace = image.elf.with_name("trace.jsonl")
    cases: list[tuple[int, tuple[str, ...]]] = [(on.cpu.clock_hz, ())]
    if FIRST[on.template] == on.id:
        cases.append((on.cpu.reset_hz, ("--dead-oscillators",)))
    for hz, options in cases:
        latency = assert_outputs(image, runner, hz, (*options, "--trace", str(trace)))
        traced = [json.loads(line) for line in trace.read_text().splitlines()]
        (clocks,) = (line["clocks_in_a_bit"] for line in traced if "clocks_in_a_bit" in line)
        uart_hz = UART_HZ.get(on.id, (on.cpu.clock_hz, on.cpu.reset_hz))[bool(options)]
        assert uart_hz / clocks == pytest.approx(on.serial.baud, rel=0.01)
        left = {line["address"]: line["value"] for line in traced if "address" in line}
        assert left.items() >= LEFT.get(on.id, {}).items()
    return latency


def assert_outputs(image: Image, runner: str, cpu_hz: int, options: Sequence[str] = ()) -> Latency:
    model = dense()
    inputs = test_deploy.samples(model, 2)
    reference = verify.reference(model)
    assert reference is not None
    with runners.start(image, runner=runner, options=options) as device:
        measured = measure(image, device.url, inputs, emulation=device.emulation, runs=4)
    expected = [reference.run(sample) for sample in inputs]
    assert verify.agreement(reference.name, expected, measured.outputs).mismatched_bytes == 0
    assert len(set(measured.latency.samples)) == 1
    assert measured.hello["cpu_hz"] == str(cpu_hz)
    return measured.latency


@pytest.mark.thorough
def test_the_interrupt_of_nrf51s_timer_is_the_ninth_behind_the_core_s_own(tmp_path: Path) -> None:
    image = build.build(project.create(tmp_path / "p", dense(), board.load("microbit-v1")))
    with image.elf.open("rb") as file:
        elf = ELFFile(file)
        (handler,) = elf.get_section_by_name(".symtab").get_symbol_by_name("timer0_handler")
        assert word(elf.get_section_by_name(".vectors").data(), 16 + 8) == handler["st_value"]


def test_what_the_boot_rom_of_the_teensy_reads(tmp_path: Path) -> None:
    image = build.build(project.create(tmp_path / "p", dense(), board.load("teensy41")))
    flash = (image.elf.parent / "firmware.bin").read_bytes()
    assert flash[:4] == b"FCFB"
    assert word(flash, 0x50 // 4) == 8 << 20
    header, vectors, _, configuration, data, itself, signature, _ = (word(flash, 0x400 + i) for i in range(8))
    assert (header, configuration, signature, itself) == (0x412000D1, 0, 0, 0x6000_1000)
    assert word(flash, (vectors - 0x6000_0000) // 4) == 0x2000_4000  # the end of the stack
    start, size, plugin = (word(flash, (data - 0x6000_0000) // 4 + i) for i in range(3))
    assert (start, plugin) == (0x6000_0000, 0)
    assert size == len(flash)
