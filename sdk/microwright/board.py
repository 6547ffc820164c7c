"""Parse and validate a board's TOML file: path -> Board.

A board file states facts of one board; nothing is inherited and unknown keys are refused:

    name      = "ST Nucleo-F446RE"
    template  = "cortex_m/stm32/f4"        # folder in firmware_templates/
    url       = "https://..."
    tested    = "emulated"                 # how far its firmware was tried: a key of TESTED

    [cpu]
    core      = "cortex-m4"                # a key of CORES
    fpu       = "fpv4-sp-d16"              # as the compiler's -mfpu takes it; absent: none
    clock_hz  = 180_000_000                # the documented maximum, which the firmware sets up
    reset_hz  = 16_000_000                 # after a reset, and where that fails; absent: as clock_hz

    [memory]                               # for the linker script; others than these as needed
    flash     = { origin = 0x0800_0000, bytes = 524_288 }
    ram       = { origin = 0x2000_0000, bytes = 131_072 }

    [placement]                            # absent: all in ram, code in flash
    arena     = ["ccm", "ram"]             # the first that holds it whole, else two of them
    code      = "itcm"                     # the model's code and its kernels are copied there at start

    [chip]                                 # what the template asks for in its template.toml; see `family`
    hse_hz    = 8_000_000

    [uart]
    driver    = "stm32_v1"                 # file in firmware_templates/_uart/
    base      = 0x4000_4400
    tx        = "PA2"                      # or "P0.06", "GP0", as the chip's maker writes pins
    rx        = "PA3"

    [serial]
    usb_ids   = ["0483:374b"]              # vendor:product of the board's virtual COM port
    baud      = 115_200

    [runners]                              # tool = its settings; the first is the default
    pyocd     = { target = "stm32f446retx" }

A native board (`core = "native"`) has neither clock, memory, placement, chip nor uart. One that runs Linux
has a clock, and in place of the others

    [linux]
    archs     = ["aarch64", "armv7l"]      # what its systems call themselves (uname -m), the usual one first
    serial    = "/dev/serial0"             # its own serial line

Boards lie in the package. A folder of one's own, named by the environment variable MICROWRIGHT_BOARDS, comes
before it: board files, and beside them a folder `firmware_templates` for chips that are not in the package.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from microwright import _paths, _toml, family
from microwright._toml import Table, did_you_mean
from microwright.cores import CORES, LINUX_CORES, TRIPLETS
from microwright.errors import BoardError

# How far the firmware of a board was tried by the tests of this project.
TESTED: Mapping[str, str] = {
    "native": "runs on this computer",
    "emulated": "an emulator of the chip, of one with its core and UART, or of Linux on its core runs it",
    "built": "it is built, and its vectors and sections are checked",
}

_ADDRESS_SPACE_BYTES = 1 << 32
_STACK_BYTES = 16 * 1024
_MAX_HZ = 2**32 - 1
_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")
_TEMPLATE = re.compile(r"[a-z0-9][a-z0-9_]*(/[a-z0-9][a-z0-9_]*)*")
_USB_ID = re.compile(r"[0-9a-f]{4}:[0-9a-f]{4}")
_DEVICE = re.compile(r"/dev/[A-Za-z0-9._/-]{1,64}")
# What a board without a chip of its own to set up has none of.
_PARTS_OF_A_CHIP = ("memory", "placement", "chip", "uart")
# PA2; P0.06; GP0: the port's letter or number, and the pin's number.
_PIN = re.compile(r"P([A-Z])(\d{1,2})|P(\d)\.(\d{2})|GP(\d{1,2})")


@dataclass(frozen=True)
class Region:
    """A memory region in the address space."""

    origin: int
    bytes: int


@dataclass(frozen=True)
class Cpu:
    """The core, a key of CORES or LINUX_CORES; its FPU or None; the clock as it is set up and as it is after
    a reset, 0 on a native board."""

    core: str
    fpu: str | None
    clock_hz: int
    reset_hz: int


@dataclass(frozen=True)
class Linux:
    """A board's operating system: the architectures that it may have, the one that is built for, the device
    of its own serial line."""

    archs: tuple[str, ...]
    arch: str
    serial: str

    @property
    def triplet(self) -> str:
        """GCC's name of the architecture."""
        return TRIPLETS[self.arch]


@dataclass(frozen=True)
class Placement:
    """Regions that the arena may lie in, in order of preference, none where an operating system has the
    memory; the one that code is copied to, None where it runs from flash."""

    arena: tuple[str, ...]
    code: str | None = None


@dataclass(frozen=True)
class Pin:
    """A pin: as it is written, and its port's and its own number (`PA2`: 0 and 2)."""

    name: str
    port: int
    number: int


@dataclass(frozen=True)
class Uart:
    """The UART that the firmware talks on: its driver's name, its registers' address, its pins if any are to
    be set up."""

    driver: str
    base: int
    tx: Pin | None = None
    rx: Pin | None = None


@dataclass(frozen=True)
class Serial:
    """How the host finds and opens the board's serial port. `usb_ids` are `vendor:product` in hexadecimal."""

    usb_ids: tuple[str, ...]
    baud: int


@dataclass(frozen=True)
class Board:
    """A board. `extra` are memory regions beyond flash and ram; `chip` what its template asks for; `runners`
    the tools that flash or emulate it, the default first; `linux` is None where no such system is between the
    program and the chip; `text` the file as it was read; `folder` where it
    lay, None in a project."""

    id: str
    name: str
    template: str
    url: str
    tested: str
    cpu: Cpu
    flash: Region | None
    ram: Region | None
    extra: Mapping[str, Region]
    placement: Placement
    chip: Mapping[str, int]
    uart: Uart | None
    linux: Linux | None
    serial: Serial
    runners: Mapping[str, Mapping[str, str | int]]
    text: str
    folder: Path | None = field(default=None, compare=False)

    @property
    def regions(self) -> Mapping[str, Region]:
        """All memory regions; none where an operating system has the memory."""
        named = {"flash": self.flash, "ram": self.ram, **self.extra}
        return {name: region for name, region in named.items() if region is not None}

    @property
    def compile_flags(self) -> tuple[str, ...]:
        """What the compiler has to be told."""
        if self.linux is not None:
            return LINUX_CORES[self.cpu.core][self.linux.arch]
        return CORES[self.cpu.core][self.cpu.fpu]

    @property
    def compiler(self) -> str:
        """GCC for the board, where it does not run on the board itself."""
        if self.linux is not None:
            return f"{self.linux.triplet}-gcc"
        return "cc" if self.cpu.core == "native" else "arm-none-eabi-gcc"

    def with_arch(self, arch: str) -> Board:
        """The board with an operating system of another architecture. Raises BoardError."""
        known = () if self.linux is None else self.linux.archs
        if self.linux is None or arch not in known:
            raise BoardError(
                f"board {self.id} has no architecture {arch[:80]!r}" + did_you_mean(arch, known),
                "its operating systems' are: " + (", ".join(known) or "none, as it runs none"),
            )
        return replace(self, linux=replace(self.linux, arch=arch))

    def with_arena(self, *regions: str) -> Board:
        """The board with the arena in these regions, the first that holds it whole, else in two of them.

        Raises BoardError.
        """
        known = [name for name in self.regions if name != "flash"]
        for region in regions:
            if region not in known:
                raise BoardError(
                    f"board {self.id} has no memory region {region[:80]!r} for the arena"
                    + did_you_mean(region, known),
                    "its regions are: " + (", ".join(known) or "none, as an operating system has its memory"),
                )
            if region == self.placement.code:
                raise BoardError(
                    f"board {self.id}: code is copied to {region}, the arena cannot lie there",
                    "choose another region",
                )
        if len(set(regions)) < len(regions):
            raise BoardError(
                f"board {self.id}: the arena cannot lie in the same region twice: {', '.join(regions)}",
                "name each region once",
            )
        return replace(self, placement=replace(self.placement, arena=regions))

    @property
    def stack_bytes(self) -> int:
        """Bytes reserved for the stack: 16 KiB, at most a quarter of RAM; 0 where an operating
        system has it."""
        return min(_STACK_BYTES, self.ram.bytes // 4 // 8 * 8) if self.ram else 0


def all_ids() -> tuple[str, ...]:
    """Ids of all boards, sorted."""
    return tuple(sorted({path.stem for folder in _paths.boards() for path in folder.glob("*.toml")}))


def load_all() -> tuple[list[Board], list[BoardError]]:
    """All boards, and what is wrong with the files that are none."""
    found: list[Board] = []
    wrong: list[BoardError] = []
    for board_id in all_ids():
        try:
            found.append(load(board_id))
        except BoardError as error:
            wrong.append(error)
    return found, wrong


def load(board_id: str) -> Board:
    """The board of an id, or of a path that ends in `.toml`. Raises BoardError."""
    if board_id.endswith(".toml"):
        return load_file(Path(board_id))
    if board_id not in all_ids():
        absent = [
            f"; {folder}, where yours would be, is no folder"
            for folder in _paths.boards()
            if not folder.is_dir()
        ]
        raise BoardError(
            f"there is no board {board_id[:80]!r}" + did_you_mean(board_id, all_ids()) + "".join(absent),
            "`microwright boards` lists them; a board file of your own is given by its path, ending in .toml",
        )
    files = (folder / f"{board_id}.toml" for folder in _paths.boards())
    return load_file(next(path for path in files if path.is_file()))


def load_file(path: Path) -> Board:
    """The board of a file; the file's stem is its id. Raises BoardError."""
    made = parse(_toml.read(path, "board file"), path.stem, str(path), path.resolve().parent)
    family.find(made.template, made.folder, str(path)).check(made.chip, str(path))
    return made


def parse(content: bytes, board_id: str, where: str, folder: Path | None = None) -> Board:
    """The board that a file's content describes; `where` names the file in errors. Raises BoardError.

    What the template asks for is not looked at: it may not be here.
    """
    if not _ID.fullmatch(board_id):
        raise BoardError(
            f"{where}: {board_id[:80]!r} is no board id",
            "name the file with lower-case letters, digits and hyphens, such as my-board.toml",
        )
    table, text = _toml.parse(content, where)
    return _board(table, board_id, text, folder)


def _board(table: Table, board_id: str, text: str, folder: Path | None) -> Board:
    table.allow("name", "template", "url", "tested", "cpu", *_PARTS_OF_A_CHIP, "linux", "serial", "runners")
    cpu = _cpu(table.table("cpu"))
    linux = _linux(table.table("linux"), cpu.core) if cpu.core in LINUX_CORES else None
    hosted = linux is not None or cpu.core == "native"
    memory = {} if hosted else _memory(table.table("memory"))
    kind = "native board" if cpu.core == "native" else f"board with a {cpu.core}"
    for key in (*(_PARTS_OF_A_CHIP if hosted else ()), *(() if linux else ("linux",))):
        if key in table.values:
            raise table.error(key, f"is given, but a {kind} has none", f"remove [{key}]")
    given = table.table("placement") if "placement" in table.values else Table({}, table.where, "placement")
    placement = Placement(()) if hosted else _placement(given, memory)
    return Board(
        id=board_id,
        name=table.line("name"),
        template=table.matching(
            "template", _TEMPLATE, "a folder of firmware_templates, cortex_m/mps2 for one"
        ),
        url=table.line("url"),
        tested=table.choice("tested", tuple(TESTED)),
        cpu=cpu,
        flash=memory.pop("flash", None),
        ram=memory.pop("ram", None),
        extra=memory,
        placement=placement,
        chip=_chip(table.table("chip")) if "chip" in table.values else {},
        uart=_uart(table.table("uart")) if "uart" in table.values else None,
        linux=linux,
        serial=_serial(table.table("serial")),
        runners=_runners(table.table("runners")),
        text=text,
        folder=folder,
    )


def _cpu(table: Table) -> Cpu:
    table.allow("core", "fpu", "clock_hz", "reset_hz")
    core = table.choice("core", (*CORES, *LINUX_CORES))
    fpus = CORES.get(core, {None: ()})
    fpu = table.choice("fpu", tuple(f for f in fpus if f is not None)) if "fpu" in table.values else None
    if fpu not in fpus:
        raise table.error(
            "fpu", f"is missing: {core} needs it", "choose one of: " + ", ".join(f for f in fpus if f)
        )
    if core == "native":
        return Cpu(core, fpu, 0, 0)
    clock_hz = table.integer("clock_hz", 1, _MAX_HZ)
    return Cpu(
        core, fpu, clock_hz, table.integer("reset_hz", 1, _MAX_HZ) if "reset_hz" in table.values else clock_hz
    )


def _linux(table: Table, core: str) -> Linux:
    table.allow("archs", "serial")
    known = LINUX_CORES[core]
    archs = table.values.get("archs")
    if not isinstance(archs, list) or not archs or not all(arch in known for arch in archs):
        raise table.error(
            "archs", f"is no list of a {core}'s architectures", "name some of: " + ", ".join(known)
        )
    return Linux(tuple(archs), archs[0], table.matching("serial", _DEVICE, "a device such as /dev/serial0"))


def _memory(table: Table) -> dict[str, Region]:
    regions: dict[str, Region] = {}
    for name in table.values:
        if not _NAME.fullmatch(name):
            raise table.error(name, "is no name of a region", "use lower-case letters, digits and _")
        entry = table.table(name)
        entry.allow("origin", "bytes")
        origin = entry.integer("origin", 0, _ADDRESS_SPACE_BYTES - 1)
        regions[name] = Region(origin, entry.integer("bytes", 1, _ADDRESS_SPACE_BYTES - origin))
    for name in ("flash", "ram"):
        if name not in regions:
            raise table.error(name, "is missing", "add it as { origin = ADDRESS, bytes = SIZE }")
    ordered = sorted(regions.items(), key=lambda item: item[1].origin)
    for (name, region), (after, following) in itertools.pairwise(ordered):
        if region.origin + region.bytes > following.origin:
            raise table.error(name, f"overlaps {after}", "correct its origin or bytes")
    return regions


def _placement(table: Table, regions: Iterable[str]) -> Placement:
    table.allow("arena", "code")
    known = [name for name in regions if name != "flash"]
    arena = table.values.get("arena", ["ram"])
    if not isinstance(arena, list) or not arena or not all(name in known for name in arena):
        raise table.error("arena", "is no list of regions", "name some of: " + ", ".join(known))
    if len(set(arena)) < len(arena):
        raise table.error("arena", "names a region twice", "name each once")
    code = None
    if "code" in table.values:
        code = table.choice("code", tuple(name for name in known if name != "ram"))
        if code in arena:
            raise table.error("code", f"is {code}, where the arena lies", "choose another region")
    return Placement(tuple(arena), code)


def _chip(table: Table) -> dict[str, int]:
    settings: dict[str, int] = {}
    for name in table.values:
        if not _NAME.fullmatch(name):
            raise table.error(name, "is no name of a setting", "use lower-case letters, digits and _")
        value = table.get(name, int | bool, "a whole number, true or false")
        settings[name] = (
            value if isinstance(value, bool) else table.integer(name, 0, _ADDRESS_SPACE_BYTES - 1)
        )
    return settings


def _uart(table: Table) -> Uart:
    table.allow("driver", "base", "tx", "rx")
    driver = table.matching("driver", _NAME, "a file of firmware_templates/_uart such as cmsdk")
    base = table.integer("base", 0, _ADDRESS_SPACE_BYTES - 1)
    return Uart(driver, base, *(_pin(table, key) if key in table.values else None for key in ("tx", "rx")))


def _pin(table: Table, key: str) -> Pin:
    name = table.matching(key, _PIN, "a pin such as PA2, P0.06 or GP0")
    letter, lettered, port, ported, number = _PIN.fullmatch(name).groups()  # type: ignore[union-attr]
    if letter:
        return Pin(name, ord(letter) - ord("A"), int(lettered))
    return Pin(name, int(port or 0), int(ported or number))


def _serial(table: Table) -> Serial:
    table.allow("usb_ids", "baud")
    usb_ids = table.values.get("usb_ids", [])
    if not isinstance(usb_ids, list) or not all(isinstance(i, str) and _USB_ID.fullmatch(i) for i in usb_ids):
        raise table.error("usb_ids", "is no list of vendor:product", 'write them as ["0483:374b"]')
    return Serial(tuple(usb_ids), table.integer("baud", 1, 10**8))


def _runners(table: Table) -> Mapping[str, Mapping[str, str | int]]:
    if not table.values:
        raise table.error("", "is empty", "name at least one tool that flashes or emulates the board")
    runners: dict[str, Mapping[str, str | int]] = {}
    for name in table.values:
        settings = table.table(name)
        for key, value in settings.values.items():
            if not isinstance(value, str | int) or isinstance(value, bool):
                raise settings.error(key, "is neither text nor a whole number", "correct its value")
            if isinstance(value, str):
                settings.line(key)
        runners[name] = settings.values
    return runners
