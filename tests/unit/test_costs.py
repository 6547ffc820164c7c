"""Estimated cycles: what the manuals say of instructions and of pairs, labelled as what they are."""

from __future__ import annotations

import json
import math
import statistics
from pathlib import Path

import pytest

from microwright import board, costs
from microwright.costs import Block, Instruction

_CHECKOUT = Path(__file__).resolve().parents[2]


def block(*lines: str, runs: int = 1, jumps: int = 0, constant_bytes: int = 0) -> Block:
    """From lines as a disassembler writes them."""
    instructions = tuple(Instruction(*line.partition(" ")[::2]) for line in lines)
    return Block(instructions, runs, jumps, constant_bytes)


def cycles(core: str, *lines: str, **counts: int) -> int:
    return costs.estimate([block(*lines, **counts)], core, 1).value


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("ldrsb.w r5, [r4, #4]", "load"),
        ("ldrne r0, [r1]", "load"),
        ("ldrd r0, r1, [r2], #8", "many"),
        ("ldmia.w r0!, {r2, r3, r4}", "many"),
        ("push {r4, lr}", "many"),
        ("strb.w r4, [r9, #1]!", "store"),
        ("strd r0, r1, [sp]", "many"),
        ("smlad r8, r2, fp, r8", "simple"),
        ("smmlar r0, r1, r2, r3", "simple"),
        ("smull r0, r1, r2, r3", "long_multiply"),
        ("smlal r0, r1, r2, r3", "long_multiply_accumulate"),
        ("mls r0, r1, r2, r3", "multiply_accumulate"),
        ("muls r0, r1", "multiply"),
        ("udiv r0, r1, r2", "divide"),
        ("ble.n 100 <f>", "simple"),
        ("blt.w 100 <f>", "simple"),
        ("bl 100 <f>", "call"),
        ("blx r3", "call"),
        ("bic.w r0, r1, #1", "simple"),
        ("le lr, 100 <f>", "loop"),
        ("letp lr, 100 <f>", "loop"),
        ("lsl.w r0, r1, #2", "simple"),
        ("vldr s0, [r0]", "load"),
        ("vfma.f32 s0, s1, s2", "float_accumulate"),
        ("vdiv.f32 s0, s1, s2", "float_divide"),
        ("vldrb.u8 q0, [r0], #16", "vector_memory"),
        ("vldrb.s32 q0, [r0, q1]", "vector_gather"),
        ("vstrw.32 q0, [q1, #4]", "vector_gather"),
        ("vmladava.s8 r0, q0, q1", "vector_multiply"),
        ("vmullb.s8 q0, q1, q2", "vector_multiply"),
        ("vqrdmulh.s32 q0, q1, r2", "vector_multiply"),
        ("vrshl.s32 q0, q1", "vector_other"),
        ("vmov.i32 q0, #0", "vector_other"),
        ("vmov.32 r0, q0[1]", "simple"),
        ("vmov.u8 r0, q0[3]", "simple"),
    ],
)
def test_instructions_are_told_apart(line: str, kind: str) -> None:
    assert costs.kind_of(block(line).instructions[0]) == kind


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        # The manual's own examples of loads that follow each other.
        (("ldr r0, [r1]", "ldr r1, [r2]"), 3),
        (("ldr r0, [r1, r2]", "str r0, [r3, #20]"), 3),
        (("ldr r0, [r1, r5]", "ldr r1, [r2]", "ldr r2, [r3, #4]"), 4),
        # An address that was just loaded or computed.
        (("ldr r0, [r1]", "ldr r2, [r0]"), 4),
        (("add r1, r2", "ldr r0, [r1]"), 4),
        (("add r1, r2", "ldr r0, [r3]"), 3),
        (("cmp r1, r2", "ldr r0, [r1]"), 3),
        (("smlad r0, r1, r2, r0", "sxtb16 r3, r4"), 2),
        (("udiv r0, r1, r2",), 6),
        (("push {r4, r5, r6, r7, r8, r9, sl, fp, lr}",), 10),
        (("ldrd r0, r1, [r2]",), 3),
        (("vpush {d8-d15}",), 17),
        (("vadd.f32 s0, s1, s2", "vfma.f32 s0, s1, s2"), 4),
    ],
)
def test_a_cortex_m4_takes_what_its_manual_says(lines: tuple[str, ...], expected: int) -> None:
    # A branch in front, as the loop's end, that no rule of pairs is about.
    assert cycles("cortex-m4", *lines, "bne 0 <f>") == expected + 1


def test_runs_jumps_and_constants_are_counted() -> None:
    loop = ("ldr r0, [r1], #4", "subs r2, #1", "bne 0 <f>")
    assert cycles("cortex-m4", *loop, runs=100) == 400
    assert cycles("cortex-m4", *loop, runs=100, jumps=98) == 400 + 147
    assert cycles("cortex-m4", *loop, runs=100, constant_bytes=320) == 400 + 100
    assert costs.estimate([block(*loop), block(*loop)], "cortex-m4", 1).value == 8


def test_cores_differ_where_their_manuals_do() -> None:
    assert cycles("cortex-m3", "mla r0, r1, r2, r3") == 2
    assert cycles("cortex-m3", "smull r0, r1, r2, r3") == 4
    assert cycles("cortex-m0plus", "ldr r0, [r1]", "ldr r1, [r2]") == 4
    assert cycles("cortex-m0plus", "strb r0, [r1]") == 2
    assert cycles("cortex-m0plus", "bl 100 <f>", jumps=1) == 3
    assert cycles("cortex-m0plus", "bne 100 <f>", runs=2, jumps=1) == 3
    assert cycles("cortex-m0", "bl 100 <f>", jumps=1) == 4
    assert cycles("cortex-m0", "bne 100 <f>", runs=2, jumps=1) == 4


def test_helium_instructions_overlap_in_different_pipes() -> None:
    load, multiply = "vldrb.u8 q0, [r0], #16", "vmladava.s8 r2, q0, q1"
    branch = "bne 0 <f>"
    assert cycles("cortex-m55", load, multiply, branch) == 3
    assert cycles("cortex-m55", load, load, branch) == 4
    assert cycles("cortex-m55", multiply, multiply, multiply, branch) == 6
    assert cycles("cortex-m55", "vldrb.u16 q0, [r0, q1]", branch) == 9
    assert cycles("cortex-m55", "vldrw.u32 q0, [r0, q1]", branch) == 5


def test_a_low_overhead_loop_branches_for_nothing_and_hides_no_conflict() -> None:
    load, multiply = "vldrb.u8 q0, [r0], #16", "vmladava.s8 r2, q0, q1"
    loop = "le lr, 0 <f>"
    assert cycles("cortex-m55", load, multiply, loop, runs=10, jumps=9) == 20
    # The last before the loop's end and the first of the next turn want the same pipe.
    assert cycles("cortex-m55", multiply, load, multiply, loop, runs=10, jumps=9) == 40


def test_each_instruction_of_a_loop_has_its_cycles() -> None:
    loop = block("vldrb.u8 q0, [r0]", "vldrb.u8 q1, [r1]", "vmladava.s8 r2, q0, q1", "le lr, 0 <f>")
    assert costs.each(loop.instructions, "cortex-m55") == (1, 2, 1, 0)


@pytest.mark.parametrize(
    ("core", "clock_hz", "ms"),
    [
        ("cortex-m7", 280e6, (11.3, 23.8, 40.8, 1.23)),
        ("cortex-m33", 160e6, (29.0, 59.3, 109.5, 3.21)),
    ],
)
def test_shares_are_those_of_the_published_results(core: str, clock_hz: float, ms: tuple[float, ...]) -> None:
    stm32l4r5 = (43.2, 88.9, 165.1, 5.26)
    shares = [a * clock_hz / (b * 120e6) for a, b in zip(ms, stm32l4r5, strict=True)]
    assert costs.CORES[core].share == pytest.approx(math.prod(shares) ** 0.25, abs=0.005)


def test_an_estimate_says_that_it_is_one() -> None:
    estimate = costs.estimate([block("nop", runs=250)], "cortex-m4", 25_000_000)
    assert (estimate.kind, estimate.unit, estimate.core) == ("estimated", "cycles", "cortex-m4")
    assert (estimate.value, estimate.ms, estimate.clock_hz) == (250, 0.01, 25_000_000)
    assert estimate.source


def test_a_count_alone_takes_what_instructions_take_on_average() -> None:
    estimate = costs.of_count(1_000_000, "cortex-m4", 25_000_000)
    assert estimate is not None
    ratio = costs.CYCLES_PER_INSTRUCTION["cortex-m4"]
    assert estimate.kind == "estimated"
    assert estimate.value == pytest.approx(1e6 * ratio, abs=1)
    assert estimate.ms == pytest.approx(40 * ratio)
    assert f"{ratio} cycles an instruction" in estimate.source
    assert costs.of_count(1_000_000, "native", 1) is None


def test_the_averages_are_those_of_the_page() -> None:
    results = json.loads((_CHECKOUT / "docs" / "performance.json").read_text())["results"]
    by_core: dict[str, list[float]] = {}
    for result in results:
        ratio = result["estimated"]["value"] / result["latency"]["value"]
        by_core.setdefault(result["core"], []).append(ratio)
    assert by_core.keys() <= costs.CYCLES_PER_INSTRUCTION.keys()
    for core, ratios in by_core.items():
        mean = statistics.mean(ratios)
        assert costs.CYCLES_PER_INSTRUCTION[core] == pytest.approx(mean, rel=0.1), f"{core}: {mean:.2f}"


def test_every_core_of_an_emulated_board_has_a_model() -> None:
    for name in board.all_ids():
        on = board.load(name)
        if "qemu" in on.runners:
            assert on.cpu.core in costs.CORES, name
