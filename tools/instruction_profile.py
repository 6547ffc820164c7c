"""Which instructions an inference executes in QEMU, by block: a plugin (count_blocks.c) counts them.

The blocks become functions, hottest places, and estimated cycles (microwright.costs).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from microwright import _run, costs, target
from microwright.build import Image
from microwright.costs import Instruction
from microwright.errors import MicrowrightError

_PLUGIN = Path(__file__).with_name("count_blocks.c")
# The timer runs from the one to the other (firmware_templates/_common/app/main.c).
_BEGIN, _END = "mw_port_timer_start", "mw_port_timer_ticks"
# What the timer runs over that is not the model.
_OVERHEAD = (_BEGIN, "systick_ticks", "systick_handler")

_FUNCTION = re.compile(r"^[0-9a-f]+ <([^>]+)>:$")
_INSTRUCTION = re.compile(r"^ *([0-9a-f]+):\t(\S+)(?:\t([^@;]*))?")


@dataclass(frozen=True)
class Line:
    """An instruction of the image: its address, the function that it belongs to."""

    address: int
    function: str
    instruction: Instruction


@dataclass(frozen=True)
class Run:
    """A block of the image that was executed."""

    lines: tuple[Line, ...]
    runs: int
    jumps: int
    constant_bytes: int

    @property
    def instructions(self) -> int:
        """How many were executed."""
        return self.runs * len(self.lines)

    @property
    def block(self) -> costs.Block:
        """As the cost model takes it."""
        return costs.Block(
            tuple(line.instruction for line in self.lines), self.runs, self.jumps, self.constant_bytes
        )


@dataclass(frozen=True)
class Profile:
    """What an inference executed: as a whole, and layer by layer, which are separate inferences."""

    whole: tuple[Run, ...]
    layers: tuple[tuple[Run, ...], ...]


def instructions(runs: Iterable[Run]) -> int:
    """How many were executed."""
    return sum(run.instructions for run in runs)


def by_function(runs: Iterable[Run]) -> Mapping[str, tuple[Run, ...]]:
    """The blocks of each function, the one with the most executed instructions first."""
    total: Counter[str] = Counter()
    blocks: dict[str, list[Run]] = {}
    for run in runs:
        name = run.lines[0].function
        total[name] += run.instructions
        blocks.setdefault(name, []).append(run)
    return {name: tuple(blocks[name]) for name, _ in total.most_common()}


def hottest(runs: Iterable[Run]) -> Sequence[Run]:
    """Blocks by executed instructions, the most first."""
    return sorted(runs, key=lambda run: (-run.instructions, run.lines[0].address))


def compile_plugin(folder: Path) -> Path:
    """The plugin as QEMU loads it. Raises ToolMissing, ToolFailed."""
    library = folder / "count_blocks.so"
    _run.run(["cc", "-std=c99", "-O2", "-shared", "-fPIC", "-o", str(library), str(_PLUGIN)])
    return library


def options(image: Image, plugin: Path, counts: Path) -> tuple[str, ...]:
    """Arguments for QEMU that make it write what an image executes to the file `counts`."""
    from elftools.elf.elffile import ELFFile

    with image.elf.open("rb") as file:
        elf = ELFFile(file)
        symbols = elf.get_section_by_name(".symtab")
        begin, end = (symbols.get_symbol_by_name(name)[0]["st_value"] & ~1 for name in (_BEGIN, _END))
        constants = elf.get_section_by_name("mw_model")
        low = constants["sh_addr"] if constants is not None else 0
        high = low + constants["sh_size"] if constants is not None else 0
    paths = [str(path).replace(",", ",,") for path in (plugin, counts)]
    numbers = f"begin={begin:#x},end={end:#x},low={low:#x},high={high:#x}"
    return ("-plugin", f"{paths[0]},{numbers},out={paths[1]}")


def read(image: Image, counts: Path) -> Profile:
    """The last inference that ran as a whole, and the one after it that ran layer by layer.

    `measure` ends with them. Raises MicrowrightError where the counts are of something else.
    """
    lines = _disassemble(image)
    regions = counts.read_text(encoding="ascii").split("region\n")[1:]
    layers = len(image.project.graph.nodes)
    if len(regions) < layers + 1:
        raise MicrowrightError(f"{image.elf} ran {len(regions)} timed regions", "measure it layer by layer")
    runs = [_runs(lines, region) for region in regions[-1 - layers :]]
    return Profile(runs[0], tuple(runs[1:]))


def _runs(lines: Mapping[int, tuple[Line, int]], region: str) -> tuple[Run, ...]:
    """Blocks of a region's counts, in order of address; QEMU may have translated one more than once."""
    found: dict[tuple[int, int], Run] = {}
    for text in region.splitlines():
        first, last = (int(word, 16) for word in text.split()[:2])
        count, runs, jumps, constant_bytes = (int(word) for word in text.split()[2:])
        block = _block(lines, first, last)
        if len(block) != count:
            raise MicrowrightError(
                f"{count} instructions ran at {first:#x}, not those of the image", "build it"
            )
        run = found.get((first, last), Run(block, 0, 0, 0))
        found[first, last] = replace(
            run,
            runs=run.runs + runs,
            jumps=run.jumps + jumps,
            constant_bytes=run.constant_bytes + constant_bytes,
        )
    return tuple(run for _, run in sorted(found.items()) if run.lines[0].function not in _OVERHEAD)


def _block(lines: Mapping[int, tuple[Line, int]], first: int, last: int) -> tuple[Line, ...]:
    block: list[Line] = []
    address = first
    while address <= last and address in lines:
        line, address = lines[address]
        block.append(line)
    return tuple(block)


def _disassemble(image: Image) -> Mapping[int, tuple[Line, int]]:
    """Address -> the instruction there, and the address behind it."""
    # Of itself it does not know the instructions that Armv8.1-M added outside of Helium.
    helium = "mve" in target.of(image.project.board).features
    machine = ("-m", "armv8.1-m.main") if helium else ()
    listing = _run.run(["arm-none-eabi-objdump", "-d", "--no-show-raw-insn", *machine, str(image.elf)]).out
    found: list[Line] = []
    function = ""
    for text in listing.splitlines():
        if named := _FUNCTION.match(text):
            function = named[1]
        elif (line := _INSTRUCTION.match(text)) and not line[2].startswith("."):
            operands = (line[3] or "").strip()
            found.append(Line(int(line[1], 16), function, Instruction(line[2], operands)))
    behind = [line.address for line in found[1:]] + [1 << 32]
    return {line.address: (line, after) for line, after in zip(found, behind, strict=True)}
