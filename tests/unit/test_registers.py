"""Registers, bits and UARTs, as the ports of STM32 and i.MX RT name them, have the makers' numbers.

tests/data/registers.json has these facts, of one chip of each family, from ST's headers and NXP's SVD file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = ROOT / "firmware_templates"
FACTS = json.loads((ROOT / "tests" / "data" / "registers.json").read_text())


UARTS = {"stm32/f1": "stm32_v1", "stm32/f4": "stm32_v1", "imxrt/1060": "lpuart"}


def sources(family: str) -> Iterator[Path]:
    yield TEMPLATES / "cortex_m" / family / "port" / "chip.c"
    yield TEMPLATES / "_uart" / f"{UARTS.get(family, 'stm32_v2')}.c"
    if family.startswith("stm32/"):
        yield TEMPLATES / "cortex_m" / "stm32" / "_common" / "port" / "hse.h"


def defined(family: str) -> dict[str, int]:
    """Constants by name; those of a UART behind its name and a dot."""
    found: dict[str, int] = {}
    for path in sources(family):
        uart = ""
        for line in path.read_text().splitlines():
            if start := re.match(r"#(?:el)?if MW_UART_BASE == (0x[0-9a-f]+)u // (\w+)", line):
                uart = f"{start[2]}."
                found[f"{uart}base"] = int(start[1], 16)
            elif line.startswith(("#endif", "#else")):
                uart = ""
            number = r"(0x[0-9a-f]+|\d+)u"
            if made := re.match(
                rf"#define (\w+) \(?(?:REGISTER\()?{number}(?: << (\d+))?\)*(?: //.*)?$", line
            ):
                found[uart + made[1]] = int(made[2], 0) << int(made[3] or 0)
    return found


@pytest.mark.parametrize("family", FACTS)
def test_registers_and_bits_are_where_the_maker_has_them(family: str) -> None:
    found = defined(family)
    assert {name: hex(found[name]) for name in FACTS[family]} == FACTS[family]


@pytest.mark.parametrize("family", FACTS)
def test_no_register_and_no_uart_is_without_a_fact(family: str) -> None:
    registers = {
        name for path in sources(family) for name in re.findall(r"#define (\w+) REGISTER\(", path.read_text())
    }
    uarts = {name for name in defined(family) if name.endswith((".base", ".UART_EN"))}
    # Some chips have no PRESC, but nothing else in its place; the MPU is the core's.
    assert (registers | uarts) - set(FACTS[family]) <= {"USART_PRESC", "MPU_CTRL", "MPU_RBAR", "MPU_RASR"}
