"""nRF51's timer in C on this machine: its registers are memory, which the test sets."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from microwright import _paths

# Commands are a letter and a number: m passes of the counter's middle, v what it has. `b` starts the timer,
# `r` prints it and the clock.
MAIN_C = """\
#define _GNU_SOURCE
#include "timer.c"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
int main(int argc, char **argv)
{
    const uintptr_t pages[] = {0x40008000u, 0xe000e000u};
    for (int i = 0; i < 2; ++i) {
        const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
        if (mmap((void *)pages[i], 4096, PROT_READ | PROT_WRITE, flags, -1, 0) == MAP_FAILED) {
            return 2;
        }
    }
    for (int i = 1; i < argc; ++i) {
        const uint32_t value = (uint32_t)strtoul(argv[i] + 1, NULL, 0);
        switch (argv[i][0]) {
        case 'b':
            mw_port_timer_start();
            break;
        case 'm':
            for (uint32_t n = 0; n < value; ++n) {
                EVENTS_COMPARE0 = 1;
                interrupts[TIMER0_INTERRUPT]();
            }
            break;
        case 'v':
            CC1 = value;
            break;
        default:
            printf("%" PRIu64 " %" PRIu64 "\\n", mw_port_timer_ticks(), mw_port_clock_ticks());
        }
    }
    return 0;
}
"""
ROUND = 1 << 32


@pytest.fixture(scope="module")
def firmware(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("timer")
    (folder / "main.c").write_text(MAIN_C)
    (folder / "mw_board.h").write_text("#define MW_CPU_HZ 16000000u\n")
    root = _paths.firmware_templates()
    ports = [root / "_common" / "port", root / "cortex_m" / "nrf" / "51" / "port"]
    flags = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-Wno-int-to-pointer-cast", f"-I{folder}"]
    subprocess.run(
        ["gcc", *flags, *(f"-I{port}" for port in ports), str(folder / "main.c"), "-o", folder / "timer"],
        check=True,
    )
    return folder / "timer"


def run(firmware: Path, *commands: str) -> list[tuple[int, int]]:
    done = subprocess.run([firmware, *commands], capture_output=True, text=True, check=True, timeout=60)
    lines = [line.split() for line in done.stdout.splitlines()]
    return [(int(ticks), int(clock)) for ticks, clock in lines]


def at(ticks: int) -> list[str]:
    """How the counter comes to have so many ticks."""
    return [f"m{(ticks + ROUND // 2) // ROUND}", f"v{ticks % ROUND}"]


@pytest.mark.parametrize(
    "ticks", [0, 7, ROUND // 2 - 1, ROUND // 2, ROUND - 1, ROUND, 3 * ROUND // 2, 5 * ROUND + 1]
)
def test_the_counter_has_64_bits(firmware: Path, ticks: int) -> None:
    assert run(firmware, "b", *at(ticks), "r") == [(ticks, ticks)]


def test_the_clock_goes_on_when_the_timer_starts_again(firmware: Path) -> None:
    found = run(firmware, "r", "b", *at(ROUND + 9), "r", "b", *at(4), "r", "b", *at(1), "r")
    assert [clock for _, clock in found] == [0, ROUND + 9, ROUND + 13, ROUND + 14]
    assert [ticks for ticks, _ in found[1:]] == [ROUND + 9, 4, 1]
