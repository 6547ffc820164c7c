"""What families of chips make of a board file, with any of the chip's UARTs and clocks that cannot be, and of
older chips."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from microwright import board, build, project
from microwright.board import Board
from tests.emulated.test_boards import assert_outputs
from tests.support.firmware import dense

# A board of each family of STM32 whose UARTs have a choice of pins; by default the one with most UARTs.
BOARDS = {
    made.template: pytest.param(
        made, id=made.id, marks=[] if made.template.endswith("h7") else pytest.mark.thorough
    )
    for made in map(board.load, board.all_ids())
    if made.template.startswith("cortex_m/stm32/") and not made.template.endswith("f1")
}
FLAGS = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-fsyntax-only")


@pytest.fixture(params=BOARDS.values())
def on(request: pytest.FixtureRequest, tmp_path: Path) -> Board:
    """A board, with a project in tmp_path."""
    made: Board = request.param
    project.create(tmp_path, dense(), made)
    return made


def compiled(folder: Path, on: Board, **macros: str) -> str:
    """What the compiler says of a project's chip.c where facts of the board are others."""
    header = folder / "port" / "mw_board.h"
    was = header.read_text()
    text = was
    for name, value in macros.items():
        text, found = re.subn(rf"(?m)^#define {name} .*$", f"#define {name} {value}", text)
        assert found == 1
    header.write_text(text)
    command = ["arm-none-eabi-gcc", *on.compile_flags, *FLAGS, str(folder / "port" / "chip.c")]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    header.write_text(was)
    return run.stderr


def test_any_uart_of_the_chip_can_be_the_boards(tmp_path: Path, on: Board) -> None:
    source = (tmp_path / "port" / "chip.c").read_text()
    bases = re.findall(r"if MW_UART_BASE == (0x[0-9a-f]{8}u)", source)
    assert len(bases) >= 3
    for base in bases:
        assert compiled(tmp_path, on, MW_UART_BASE=base) == ""
    other = compiled(tmp_path, on, MW_UART_BASE="0x40000000u")
    assert "board.toml: base of [uart] is none of the chip's UARTs" in other


def test_a_clock_that_the_pll_does_not_make_is_refused(tmp_path: Path, on: Board) -> None:
    assert re.search(r"board\.toml: .*does not make clock_hz", compiled(tmp_path, on, MW_CPU_HZ="71000000u"))


@pytest.mark.thorough
def test_an_h743_before_revision_v_has_400_mhz_and_one_read_of_axi_ram_at_a_time(tmp_path: Path) -> None:
    image = build.build(project.create(tmp_path / "p", dense(), board.load("nucleo-h743zi2")))
    trace = tmp_path / "trace.jsonl"
    revision_y = ("--register", "0x5c001000=0x10036450", "--trace", str(trace))
    assert_outputs(image, "unicorn", 400_000_000, revision_y)
    written = [json.loads(line) for line in trace.read_text().splitlines()]
    assert {line["value"] for line in written if line.get("address") == 0x5100_8108} == {1}
    assert [line["clocks_in_a_bit"] for line in written if "clocks_in_a_bit" in line] == [868]


@pytest.mark.thorough
def test_a_boot_loaders_clock_input_and_uart_become_the_boards(tmp_path: Path) -> None:
    image = build.build(project.create(tmp_path / "p", dense(), board.load("blackpill-f411ce")))
    trace, rcc_cr, uart = tmp_path / "trace.jsonl", 0x4002_3800, 0x4001_1000
    # HSE on and bypassed; two stop bits, hardware flow control.
    left = [f"{rcc_cr:#x}=0x50083", f"{uart + 0x10:#x}=0x2000", f"{uart + 0x14:#x}=0x300"]
    options = [word for register in left for word in ("--register", register)]
    assert_outputs(image, "unicorn", 100_000_000, [*options, "--trace", str(trace)])
    written = [json.loads(line) for line in trace.read_text().splitlines()]
    hse = [line["value"] >> 16 & 5 for line in written if line.get("address") == rcc_cr]
    off = hse.index(4)  # bypassed still, for as long as it is on
    assert hse[:off] == [5] * off
    assert set(hse[off + 1 :]) == {0, 1}
    for register in (0x10, 0x14):
        assert [line["value"] for line in written if line.get("address") == uart + register] == [0]


# Of STM32F1: a UART, and the ports and numbers of pins that it sends and receives on.
F1_PINS = [
    ("0x40013800u", (0, 9), (0, 10)),
    ("0x40013800u", (1, 6), (1, 7)),
    ("0x40004400u", (0, 2), (0, 3)),
    ("0x40004400u", (3, 5), (3, 6)),
    ("0x40004800u", (1, 10), (1, 11)),
    ("0x40004800u", (2, 10), (2, 11)),
    ("0x40004800u", (3, 8), (3, 9)),
    ("0x40004c00u", (2, 10), (2, 11)),
    ("0x40005000u", (2, 12), (3, 2)),
]


def test_uarts_of_stm32f1_come_out_at_some_pins_only(tmp_path: Path) -> None:
    on = board.load("nucleo-f103rb")
    project.create(tmp_path, dense(), on)
    for base, tx, rx in F1_PINS:
        where = {"MW_UART_BASE": base}
        for name, (port, pin) in (("TX", tx), ("RX", rx)):
            where |= {f"MW_UART_{name}_PORT": f"{port}u", f"MW_UART_{name}_PIN": f"{pin}u"}
        assert compiled(tmp_path, on, **where) == ""
        for name in ("TX", "RX"):
            other = compiled(tmp_path, on, **where | {f"MW_UART_{name}_PIN": "15u"})
            assert "board.toml: the UART of [uart] does not come out at tx and in at rx" in other


@pytest.mark.parametrize(
    ("board_id", "end"), [("nucleo-f446re", "TX"), ("nucleo-f103rb", "RX"), ("lm3s6965evb", "TX")]
)
def test_pins_that_no_port_has_are_refused(tmp_path: Path, board_id: str, end: str) -> None:
    on = board.load(board_id)
    project.create(tmp_path, dense(), on)
    said = compiled(tmp_path, on, **{f"MW_UART_{end}_PIN": "77u"})
    assert "board.toml: tx and rx of [uart] are pins 0 to " in said


# Of RP2040: the pins that each UART sends on; it receives on the next one.
RP_PINS = {"0x40034000u": (0, 12, 16, 28), "0x40038000u": (4, 8, 20, 24)}


def test_uarts_of_rp2040_come_out_at_some_pins_only(tmp_path: Path) -> None:
    on = board.load("raspberry-pi-pico")
    project.create(tmp_path, dense(), on)
    for base, pins in RP_PINS.items():
        for pin in range(0, 32, 2):
            where = {"MW_UART_TX_PIN": f"{pin}u", "MW_UART_RX_PIN": f"{pin + 1}u"}
            said = compiled(tmp_path, on, MW_UART_BASE=base, **where)
            if pin in pins:
                assert said == ""
            else:
                assert "board.toml: the UART of [uart] does not come out at tx" in said
                assert "board.toml: the UART of [uart] does not come in at rx" in said
    assert "is none of the chip's UARTs" in compiled(tmp_path, on, MW_UART_BASE="0x40070000u")


def test_the_uart_of_an_nrf52_comes_out_at_any_pin(tmp_path: Path) -> None:
    on = board.load("nrf52840-dk")
    project.create(tmp_path, dense(), on)
    assert compiled(tmp_path, on, MW_UART_TX_PORT="1u", MW_UART_TX_PIN="15u") == ""
    assert "tx and rx of [uart] are P0.00 to P1.31" in compiled(tmp_path, on, MW_UART_TX_PORT="2u")
    assert "is none of the chip's UARTs" in compiled(tmp_path, on, MW_UART_BASE="0x40028000u")


@pytest.mark.parametrize(
    ("board_id", "macro", "value", "message"),
    [
        ("nucleo-f446re", "PLL_M", "9u", "pll_m of [chip] gives the PLL less than 1 MHz"),
        ("nucleo-f446re", "PLL_N", "240u", "pll_n of [chip] makes less than 100 MHz or more than 432 MHz"),
        ("nucleo-f446re", "PLL_P", "3u", "pll_p of [chip] is odd"),
        ("nucleo-f446re", "APB1_DIVIDER", "3u", "is not 1, 2, 4, 8 or 16"),
        ("nucleo-f446re", "APB1_DIVIDER", "2u", "makes a bus faster than the chip takes"),
        ("nucleo-f446re", "FLASH_WAIT_STATES", "4u", "flash_wait_states of [chip] are too few for clock_hz"),
        ("nucleo-f103rb", "APB1_DIVIDER", "1u", "makes a bus faster than the chip takes"),
        ("nucleo-f103rb", "FLASH_WAIT_STATES", "1u", "are too few for clock_hz"),
        ("nucleo-f767zi", "FLASH_WAIT_STATES", "6u", "are too few for clock_hz"),
        ("nucleo-g474re", "FLASH_WAIT_STATES", "3u", "are too few for clock_hz"),
        ("nucleo-h743zi2", "FLASH_WAIT_STATES", "3u", "are too few for clock_hz"),
        ("nucleo-l476rg", "FLASH_WAIT_STATES", "3u", "are too few for clock_hz"),
        ("nucleo-u575zi-q", "FLASH_WAIT_STATES", "3u", "are too few for clock_hz"),
        ("nucleo-f103rb", "PLL_FACTOR", "8u", "does not make clock_hz"),
        ("nucleo-l476rg", "PLL_N", "22u", "pll_n of [chip] makes less than 64 MHz or more than 344 MHz"),
        ("raspberry-pi-pico", "PLL_FBDIV", "62u", "pll_fbdiv of [chip] makes less than 750 MHz"),
        ("raspberry-pi-pico", "PLL_POSTDIV2", "3u", "pll_postdiv2 of [chip] do not make clock_hz"),
    ],
)
def test_settings_that_a_chip_does_not_take_are_refused(
    tmp_path: Path, board_id: str, macro: str, value: str, message: str
) -> None:
    on = board.load(board_id)
    project.create(tmp_path, dense(), on)
    said = compiled(tmp_path, on, **{f"MW_CHIP_{macro}": value})
    assert re.search(rf"board\.toml: .*{re.escape(message)}", said)
