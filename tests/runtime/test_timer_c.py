"""The Cortex-M timer in C on this machine: its registers are memory, which the test sets."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from microwright import _paths

# Commands are a letter and a number: p periods that SysTick has gone through, s ticks into the next,
# c what the cycle counter has. `b` starts the timer, `r` prints it, the counter's name and the clock.
MAIN_C = """\
#define _GNU_SOURCE
#include "mw_port.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#define REGISTER(address) (*(volatile uint32_t *)(uintptr_t)(address))
void systick_handler(void);
uint32_t mw_port_cpu_hz(void)
{
    return 480000000u;
}
int main(int argc, char **argv)
{
    for (uintptr_t page = 0xe0000000u; page < 0xe0010000u; page += 4096) {
        const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
        if (mmap((void *)page, 4096, PROT_READ | PROT_WRITE, flags, -1, 0) == MAP_FAILED) {
            return 2;
        }
    }
    for (int i = 1; i < argc; ++i) {
        const uint32_t value = (uint32_t)strtoul(argv[i] + 1, NULL, 0);
        switch (argv[i][0]) {
        case 'b':
            mw_port_timer_start();
            REGISTER(0xe000ed04u) = 0; // the interrupt that was pending is cleared by a write
            break;
        case 'p':
            for (uint32_t n = 0; n < value; ++n) {
                systick_handler();
            }
            break;
        case 's':
            REGISTER(0xe000e018u) = value == 0 ? 0 : 0x1000000u - value;
            break;
        case 'c':
            REGISTER(0xe0001004u) = value;
            break;
        default:
            printf("%" PRIu64 " %s %" PRIu64 "\\n", mw_port_timer_ticks(), mw_port_timer_counter(),
                   mw_port_clock_ticks());
        }
    }
    return 0;
}
"""
PERIOD = 1 << 24


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("timer")
    (folder / "main.c").write_text(MAIN_C)
    root = _paths.firmware_templates()
    for name, define in (("with", "-D__thumb2__"), ("without", "-U__thumb2__")):
        flags = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-Wno-int-to-pointer-cast", define]
        includes = [f"-I{folder}", f"-I{root / '_common' / 'port'}"]
        sources = [folder / "main.c", root / "cortex_m" / "_common" / "port" / "timer.c"]
        subprocess.run(["gcc", *flags, *includes, *map(str, sources), "-o", folder / name], check=True)
    return folder


def run(firmware: Path, *commands: str) -> list[tuple[int, str, int]]:
    done = subprocess.run([firmware, *commands], capture_output=True, text=True, check=True, timeout=60)
    lines = [line.split() for line in done.stdout.splitlines()]
    return [(int(ticks), counter, int(clock)) for ticks, counter, clock in lines]


def test_a_counter_that_stands_still_is_not_used(folder: Path) -> None:
    assert run(folder / "with", "b", "p3", "s500", "r") == [(3 * PERIOD + 500, "systick", 3 * PERIOD + 500)]


def test_a_core_without_one_does_not_touch_it(folder: Path) -> None:
    assert run(folder / "without", "b", "p1", "s7", "c99", "r") == [(PERIOD + 7, "systick", PERIOD + 7)]


@pytest.mark.parametrize("cycles", [1, 5000, PERIOD + 3, 2**32 - 2, 2**32 + 2, 11 * 2**32 - 1])
@pytest.mark.parametrize("late", [-20, 0, 20])
def test_the_cycle_counter_keeps_64_bits(folder: Path, cycles: int, late: int) -> None:
    # SysTick is read a little later, or was started a little earlier.
    systick = max(cycles + late, 0)
    commands = [f"p{systick // PERIOD}", f"s{systick % PERIOD}", f"c{cycles % 2**32}"]
    assert run(folder / "with", "b", *commands, "r") == [(cycles, "dwt", systick)]


def test_the_clock_goes_on_when_the_timer_starts_again(folder: Path) -> None:
    found = run(folder / "with", "b", "p2", "s9", "r", "b", "s4", "r", "b", "s1", "r")
    assert [clock for _, _, clock in found] == [2 * PERIOD + 9, 2 * PERIOD + 13, 2 * PERIOD + 14]
    assert [ticks for ticks, _, _ in found] == [2 * PERIOD + 9, 4, 1]
