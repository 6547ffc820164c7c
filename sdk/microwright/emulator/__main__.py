"""What is started for a board: its ELF in its memory, on its core, with its UART on a TCP port."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path

from microwright import _elf
from microwright.emulator.bus import Bus
from microwright.emulator.engine import CORES, Engine
from microwright.emulator.exceptions import Lockup
from microwright.emulator.families import FAMILIES, Family
from microwright.emulator.line import Line
from microwright.emulator.memory import Memory
from microwright.emulator.uarts import UARTS

_LARGEST_FILE_BYTES = 256 << 20


class BadImage(Exception):
    """The file is no firmware for the board."""


def main(arguments: Sequence[str]) -> int:
    """Run a board until the program that started it ends. Returns the exit code."""
    given = _parser().parse_args(arguments)
    memories = tuple(given.memory)
    with ExitStack() as opened:
        line = opened.enter_context(closing(Line()))
        try:
            trace = opened.enter_context(Path(given.trace).open("w")) if given.trace else None
        except OSError as error:
            print(f"{given.trace}: {error.strerror}", file=sys.stderr)
            return 3
        engine = Engine(given.core, memories, line)
        family = FAMILIES.get(given.family, Family())
        family = replace(family, resets={**family.resets, **dict(given.register)})
        bus = Bus(family, given.dead_oscillators, trace, engine.pc)
        driver, base = given.uart
        bus.attach(UARTS[driver](base, line, lambda clocks: bus.note("clocks_in_a_bit", clocks)))
        engine.attach(bus, family.windows, exact=trace is not None)
        try:
            engine.reset(_load(engine, Path(given.elf), memories))
        except BadImage as error:
            print(f"{given.elf}: {error}", file=sys.stderr)
            return 3
        print(f"waiting for connection on 127.0.0.1:{line.port}", flush=True)
        line.connect()
        try:
            engine.run()
        except Lockup as error:
            line.flush()
            print(error, file=sys.stderr, flush=True)
            return 1
    return 0


def _load(engine: Engine, path: Path, memories: Sequence[Memory]) -> int:
    """Put what an ELF has where it is stored, not where it is copied to. Returns its vectors' address."""
    try:
        if path.stat().st_size > _LARGEST_FILE_BYTES:
            raise BadImage("too large")
        with _elf.opened(path) as elf:
            if elf["e_machine"] != "EM_ARM":
                raise BadImage("no program for Arm")
            for segment in elf.iter_segments("PT_LOAD"):
                if segment["p_filesz"]:
                    _check(segment["p_paddr"], segment["p_filesz"], memories)
                    engine.load(segment["p_paddr"], segment.data())
            vectors = elf.get_section_by_name(".vectors")
            if vectors is None:
                raise BadImage("it has no section .vectors")
            _check(vectors["sh_addr"], 64, memories)
            return int(vectors["sh_addr"])
    except OSError as error:
        raise BadImage(error.strerror or str(error)) from None
    except _elf.Damaged as error:
        raise BadImage(str(error)) from None


def _check(address: int, size: int, memories: Sequence[Memory]) -> None:
    """Raise BadImage where bytes lie outside of the board's memory."""
    if not any(m.origin <= address and address + size <= m.origin + m.bytes for m in memories):
        raise BadImage(f"{size} bytes at 0x{address:08x} are outside of the board's memory")


def _memory(text: str) -> Memory:
    name, _, place = text.partition("=")
    origin, _, size = place.partition(":")
    return Memory(int(origin, 0), int(size, 0), name != "flash")


def _register(text: str) -> tuple[int, int]:
    address, _, value = text.partition("=")
    return int(address, 0), int(value, 0)


def _uart(text: str) -> tuple[str, int]:
    driver, _, base = text.partition("@")
    if driver not in UARTS:
        raise ValueError(driver)
    return driver, int(base, 0)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="unicorn", description=__doc__, allow_abbrev=False)
    parser.add_argument("elf")
    parser.add_argument("--core", choices=CORES, required=True)
    parser.add_argument("--family", default="", help="the template, a folder of firmware_templates")
    parser.add_argument("--memory", type=_memory, action="append", required=True, metavar="NAME=ORIGIN:BYTES")
    parser.add_argument("--uart", type=_uart, required=True, metavar="DRIVER@BASE")
    parser.add_argument("--dead-oscillators", action="store_true", help="no crystal starts and no PLL locks")
    parser.add_argument(
        "--register",
        type=_register,
        action="append",
        default=[],
        metavar="ADDRESS=VALUE",
        help="a register's value after a reset, as another chip of the family has it",
    )
    parser.add_argument("--trace", metavar="FILE", help="each write to a register, a JSON object a line")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
