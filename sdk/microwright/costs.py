"""Cycles that executed instructions are estimated to take on a core.

An instruction count is not a cycle count: a load, a taken branch or a division takes longer than an addition.
CORES has a simple in-order model of each core. All of its figures are from documents, none from a device, so
whatever comes from them is an estimate, and says so.

    Cortex-M4   Arm Cortex-M4 Technical Reference Manual (100166), instruction table and load/store timings.
                A load takes 2 cycles, 1 right behind another load, and one more where the instruction before
                computes its address. A taken branch refills the pipeline in 1 to 3 cycles, taken as 1.5.
                A division takes 2 to 12, taken as 6.
    Cortex-M3   Arm Cortex-M3 Technical Reference Manual (DDI 0337): as the M4, but for multiplications.
    Cortex-M0   Arm Cortex-M0 Technical Reference Manual (DDI 0432), with the fast multiplier.
    Cortex-M0+  Arm Cortex-M0+ Technical Reference Manual (DDI 0484), likewise.
    Cortex-M7   A share of the M4's cycles: what X-CUBE-AI takes on an STM32H7A3, for what it takes on an
                STM32L4R5, in MLPerf Tiny's published results; geometric mean of the four models.
    Cortex-M33  The same of an STM32U575.
    Cortex-M55  An MVE instruction occupies its pipe (memory, multiplication or other) for two cycles, and
                instructions for different pipes overlap; a gather takes a cycle an element; low-overhead
                loops branch for nothing. The rest as the M4. Assumed: Arm publishes no timings.

A byte of the model's constants waits for flash as on an STM32L4R5 at 120 MHz, 5 cycles for 16 bytes (RM0432),
but not on an M55, where it lies in tightly coupled memory. Instructions are taken to come from a cache.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal[
    "simple",
    "multiply",
    "multiply_accumulate",
    "long_multiply",
    "long_multiply_accumulate",
    "divide",
    "load",
    "store",
    "many",
    "call",
    "loop",
    "float_accumulate",
    "float_divide",
    "vector_memory",
    "vector_gather",
    "vector_multiply",
    "vector_other",
]


@dataclass(frozen=True)
class Instruction:
    """An instruction as a disassembler writes it: `ldrb.w` and `r3, [r1, #4]`."""

    mnemonic: str
    operands: str


@dataclass(frozen=True)
class Block:
    """Instructions that were executed one after the other.

    `runs` is how often, `jumps` after how many of the runs another place followed than the next address,
    `constant_bytes` what all runs together loaded from the model's constants.
    """

    instructions: tuple[Instruction, ...]
    runs: int
    jumps: int = 0
    constant_bytes: int = 0


@dataclass(frozen=True)
class Core:
    """What a core takes, in cycles.

    cycles    of a kind of instruction where it is not 1; of `many`, on top of 1 for each register
    jump      on top, when an instruction behind which another place follows
    pipelined a load right behind a load takes 1
    address   on top of a load or store whose address the instruction before computes
    wait      of a byte of the model's constants, on top of the load
    share     the whole times this
    source    where the figures come from
    """

    cycles: Mapping[Kind, float]
    jump: float
    pipelined: bool
    address: float
    wait: float
    source: str
    share: float = 1.0


@dataclass(frozen=True)
class Estimate:
    """Cycles by the cost model, and milliseconds at a clock. Never a measurement: `kind` says so wherever it
    goes, `source` what it rests on.
    """

    value: int
    ms: float
    clock_hz: int
    core: str
    source: str
    unit: Literal["cycles"] = field(default="cycles", init=False)
    kind: Literal["estimated"] = field(default="estimated", init=False)


_FLASH_WAIT = 5 / 16

_MANY: Mapping[Kind, float] = {"many": 1, "load": 2, "divide": 6}
_FLOAT: Mapping[Kind, float] = {"float_accumulate": 3, "float_divide": 14}
_M4: Mapping[Kind, float] = {**_MANY, **_FLOAT}

CORES: Mapping[str, Core] = {
    "cortex-m0": Core(
        {"many": 1, "load": 2, "store": 2, "call": 2}, 2, False, 0, _FLASH_WAIT, "Arm DDI 0432"
    ),
    "cortex-m0plus": Core(
        {"many": 1, "load": 2, "store": 2, "call": 2}, 1, False, 0, _FLASH_WAIT, "Arm DDI 0484"
    ),
    "cortex-m3": Core(
        {**_MANY, "multiply_accumulate": 2, "long_multiply": 4, "long_multiply_accumulate": 5.5},
        1.5,
        True,
        1,
        _FLASH_WAIT,
        "Arm DDI 0337",
    ),
    "cortex-m4": Core(_M4, 1.5, True, 1, _FLASH_WAIT, "Arm 100166"),
    # kws, vww, ic, ad: 11.3, 23.8, 40.8, 1.23 ms at 280 MHz; the L4R5 43.2, 88.9, 165.1, 5.26 ms at 120 MHz.
    "cortex-m7": Core(
        _M4, 1.5, True, 1, _FLASH_WAIT, "Arm 100166, MLPerf Tiny v1.2 of an STM32H7A3", share=0.59
    ),
    # 29.0, 59.3, 109.5, 3.21 ms at 160 MHz.
    "cortex-m33": Core(
        _M4, 1.5, True, 1, _FLASH_WAIT, "Arm 100166, MLPerf Tiny v1.3 of an STM32U575", share=0.87
    ),
    "cortex-m55": Core({**_M4, "load": 1}, 1.5, False, 0, 0, "assumed"),
}


# Of the four models of docs/performance.md, by `estimate`: mean of cycles over instructions.
CYCLES_PER_INSTRUCTION: Mapping[str, float] = {
    "cortex-m0plus": 1.41,
    "cortex-m3": 1.94,
    "cortex-m4": 1.62,
    "cortex-m7": 0.96,
    "cortex-m33": 1.41,
    "cortex-m55": 1.38,
}


def estimate(blocks: Iterable[Block], core: str, clock_hz: int) -> Estimate:
    """Cycles of executed blocks on a core, a key of CORES."""
    cycles = CORES[core].share * sum(_cycles(block, core) for block in blocks)
    return _estimate(cycles, core, clock_hz, CORES[core].source)


def of_count(instructions: float, core: str, clock_hz: int) -> Estimate | None:
    """Cycles of so many instructions, whichever they are; None where nothing is known about the core."""
    if core not in CYCLES_PER_INSTRUCTION:
        return None
    ratio = CYCLES_PER_INSTRUCTION[core]
    return _estimate(instructions * ratio, core, clock_hz, f"{ratio} cycles an instruction")


def _estimate(cycles: float, core: str, clock_hz: int, source: str) -> Estimate:
    return Estimate(round(cycles), round(cycles * 1e3 / clock_hz, 3), clock_hz, core, source)


def each(instructions: Sequence[Instruction], core: str) -> tuple[float, ...]:
    """Cycles of each instruction of a block that runs again and again, without the branch back."""
    takes = CORES[core]
    # The end of a low-overhead loop takes no time and no place among the others.
    body = [i for i in instructions if kind_of(i) != "loop"]
    before = body[-1:] + body[:-1]
    cycles = iter([_instruction_cycles(i, b, takes) for i, b in zip(body, before, strict=True)])
    return tuple(0.0 if kind_of(i) == "loop" else next(cycles) for i in instructions)


def _cycles(block: Block, core: str) -> float:
    takes = CORES[core]
    jump = 0.0 if kind_of(block.instructions[-1]) == "loop" else takes.jump
    once = sum(each(block.instructions, core))
    return block.runs * once + block.jumps * jump + block.constant_bytes * takes.wait


def _instruction_cycles(instruction: Instruction, before: Instruction, core: Core) -> float:
    kind, behind = kind_of(instruction), kind_of(before)
    cycles = core.cycles.get(kind, 1.0)
    if kind == "many":
        return cycles + _registers(instruction)
    if kind == "vector_gather":
        return _elements(instruction)
    if _PIPES.get(kind) is not None and _PIPES.get(kind) == _PIPES.get(behind):
        return cycles + 1
    if kind in ("load", "store"):
        uses = _address(instruction)
        computed = _destination(before) in uses
        if kind == "load" and behind == "load":
            return cycles if computed or not core.pipelined else 1.0
        if behind in _DATA and computed:
            return cycles + core.address
    return cycles


_PIPES: Mapping[Kind, str] = {
    "vector_memory": "memory",
    "vector_gather": "memory",
    "vector_multiply": "multiply",
    "vector_other": "other",
}
_DATA: frozenset[Kind] = frozenset(
    ("simple", "multiply", "multiply_accumulate", "long_multiply", "long_multiply_accumulate", "divide")
)

# Beginnings of mnemonics, the first that matches; what matches none is simple.
_KINDS: Mapping[Kind, re.Pattern[str]] = {
    "many": re.compile(r"ldrd|strd|ldm|stm|push|pop|vldm|vstm|vpush|vpop"),
    "load": re.compile(r"ldr|vldr|tbb|tbh"),
    "store": re.compile(r"str|vstr"),
    "divide": re.compile(r"sdiv|udiv"),
    "long_multiply_accumulate": re.compile(r"smlal|umlal|umaal"),
    "long_multiply": re.compile(r"smull|umull"),
    "multiply_accumulate": re.compile(r"mla|mls"),
    "multiply": re.compile(r"mul"),
    "loop": re.compile(r"letp$|le$"),
    "call": re.compile(r"blx?$"),
    "float_divide": re.compile(r"vdiv|vsqrt"),
    "float_accumulate": re.compile(r"v(n?ml[as]|fn?m[as])"),
}
# Of what uses a vector register; the rest is vector_other.
_VECTOR_KINDS: Mapping[Kind, re.Pattern[str]] = {
    "vector_memory": re.compile(r"v(ldr|str|ld[24]|st[24])"),
    "vector_multiply": re.compile(r"v(r?mul|r?ml[as]|q?r?dm|fm|cmul|cmla)"),
    "simple": re.compile(r"vmov\.[us]?\d"),  # a lane to or from a register
}
_VECTOR_REGISTER = re.compile(r"\bq[0-7]\b")
_BRACKETS = re.compile(r"\[([^\]]*)\]")
_BRACES = re.compile(r"\{([^}]*)\}")
_WIDTH = re.compile(r"\.(?:[a-z]?)(\d+)$")


def kind_of(instruction: Instruction) -> Kind:
    """What the cost of an instruction depends on."""
    mnemonic = instruction.mnemonic.removesuffix(".n").removesuffix(".w")
    if _VECTOR_REGISTER.search(instruction.operands):
        kind = _first(_VECTOR_KINDS, mnemonic, "vector_other")
        gathers = kind == "vector_memory" and any(_VECTOR_REGISTER.match(r) for r in _address(instruction))
        return "vector_gather" if gathers else kind
    return _first(_KINDS, mnemonic, "simple")


def _first(kinds: Mapping[Kind, re.Pattern[str]], mnemonic: str, otherwise: Kind) -> Kind:
    return next((kind for kind, pattern in kinds.items() if pattern.match(mnemonic)), otherwise)


def _address(instruction: Instruction) -> frozenset[str]:
    """Registers that an address is made of."""
    found = _BRACKETS.search(instruction.operands)
    return frozenset(re.findall(r"\w+", found[1])) if found else frozenset()


def _destination(instruction: Instruction) -> str:
    """The register that an instruction writes, the first one where it writes several; empty for none."""
    if re.match(r"cmp|cmn|tst|teq|str|b|cb|it", instruction.mnemonic):
        return ""
    return instruction.operands.partition(",")[0].strip()


def _registers(instruction: Instruction) -> int:
    """Words that an instruction loads or stores."""
    listed = _BRACES.search(instruction.operands)
    if listed is None:
        return 2
    words = 0
    for item in listed[1].split(","):
        first, _, last = item.strip().partition("-")
        count = int(last[1:]) - int(first[1:]) + 1 if last else 1
        words += count * (2 if first.startswith("d") else 1)
    return words


def _elements(instruction: Instruction) -> int:
    """Elements that a gather loads or a scatter stores."""
    width = _WIDTH.search(instruction.mnemonic)
    return 128 // int(width[1]) if width else 4
