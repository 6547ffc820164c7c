"""Parse and validate a board's TOML file: path -> Board.

A board file states facts of one board; nothing is inherited and unknown keys are refused:

    name      = "Arm MPS2 AN386 (Cortex-M4F)"
    template  = "cortex_m/mps2"            # folder in firmware_templates/
    url       = "https://..."

    [cpu]
    core      = "cortex-m4"                # a key of CORES
    fpu       = "fpv4-sp-d16"              # as the compiler's -mfpu takes it; absent: none
    clock_hz  = 25_000_000                 # after reset's clock set-up

    [memory]                               # for the linker script; others than these as needed
    flash     = { origin = 0x0000_0000, bytes = 4_194_304 }
    ram       = { origin = 0x2000_0000, bytes = 4_194_304 }

    [uart]
    driver    = "cmsdk"                    # file in firmware_templates/_uart/
    base      = 0x4000_4000

    [serial]
    usb_ids   = ["0483:374b"]              # vendor:product of the board's virtual COM port
    baud      = 115_200

    [runners]                              # tool = its settings; the first is the default
    qemu      = { machine = "mps2-an386" }

A native board (`core = "native"`) has neither clock, memory nor uart.
"""

from __future__ import annotations

import difflib
import itertools
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from microwright import _paths
from microwright.errors import BoardError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

# The compiler flags of each core, by FPU (None: without). The only place that knows cores.
CORES: Mapping[str, Mapping[str | None, tuple[str, ...]]] = {
    "native": {None: ()},
    "cortex-m0plus": {None: ("-mcpu=cortex-m0plus", "-mthumb", "-mfloat-abi=soft")},
    "cortex-m3": {None: ("-mcpu=cortex-m3", "-mthumb", "-mfloat-abi=soft")},
    "cortex-m4": {
        None: ("-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=soft"),
        "fpv4-sp-d16": ("-mcpu=cortex-m4", "-mthumb", "-mfpu=fpv4-sp-d16", "-mfloat-abi=hard"),
    },
    "cortex-m7": {
        None: ("-mcpu=cortex-m7", "-mthumb", "-mfloat-abi=soft"),
        "fpv5-sp-d16": ("-mcpu=cortex-m7", "-mthumb", "-mfpu=fpv5-sp-d16", "-mfloat-abi=hard"),
        "fpv5-d16": ("-mcpu=cortex-m7", "-mthumb", "-mfpu=fpv5-d16", "-mfloat-abi=hard"),
    },
    "cortex-m33": {
        None: ("-mcpu=cortex-m33", "-mthumb", "-mfloat-abi=soft"),
        "fpv5-sp-d16": ("-mcpu=cortex-m33", "-mthumb", "-mfpu=fpv5-sp-d16", "-mfloat-abi=hard"),
    },
    "cortex-m55": {"auto": ("-mcpu=cortex-m55", "-mthumb", "-mfpu=auto", "-mfloat-abi=hard")},
}

_ADDRESS_SPACE_BYTES = 1 << 32
_STACK_BYTES = 16 * 1024
_FILE_BYTES = 1 << 20
_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")
_TEMPLATE = re.compile(r"[a-z0-9][a-z0-9_]*(/[a-z0-9][a-z0-9_]*)*")
_USB_ID = re.compile(r"[0-9a-f]{4}:[0-9a-f]{4}")


@dataclass(frozen=True)
class Region:
    """A memory region in the address space."""

    origin: int
    bytes: int


@dataclass(frozen=True)
class Cpu:
    """The core, a key of CORES; its FPU or None; the clock, 0 where it is not known (native)."""

    core: str
    fpu: str | None
    clock_hz: int

    @property
    def compile_flags(self) -> tuple[str, ...]:
        """What the compiler has to be told."""
        return CORES[self.core][self.fpu]


@dataclass(frozen=True)
class Uart:
    """The UART that the firmware talks on: its driver's name and its registers' address."""

    driver: str
    base: int


@dataclass(frozen=True)
class Serial:
    """How the host finds and opens the board's serial port. `usb_ids` are `vendor:product` in hexadecimal."""

    usb_ids: tuple[str, ...]
    baud: int


@dataclass(frozen=True)
class Board:
    """A board. `extra` are memory regions beyond flash and ram; `runners` the tools that flash or emulate it,
    the default first; `text` the file as it was read."""

    id: str
    name: str
    template: str
    url: str
    cpu: Cpu
    flash: Region | None
    ram: Region | None
    extra: Mapping[str, Region]
    uart: Uart | None
    serial: Serial
    runners: Mapping[str, Mapping[str, str | int]]
    text: str

    @property
    def stack_bytes(self) -> int:
        """Bytes reserved for the stack: 16 KiB, at most a quarter of RAM; 0 on a native board."""
        return min(_STACK_BYTES, self.ram.bytes // 4 // 8 * 8) if self.ram else 0


def all_ids() -> tuple[str, ...]:
    """Ids of all boards, sorted."""
    return tuple(sorted(path.stem for path in _paths.boards().glob("*.toml")))


def load(board_id: str) -> Board:
    """The board of an id, or of a path that ends in `.toml`. Raises BoardError."""
    if board_id.endswith(".toml"):
        return load_file(Path(board_id))
    if board_id not in all_ids():
        raise BoardError(
            f"there is no board {board_id[:80]!r}" + did_you_mean(board_id, all_ids()),
            "`microwright boards` lists them; a board file of your own is given by its path, ending in .toml",
        )
    return load_file(_paths.boards() / f"{board_id}.toml")


def load_file(path: Path) -> Board:
    """The board of a file; the file's stem is its id. Raises BoardError."""
    try:
        with path.open("rb") as file:
            content = file.read(_FILE_BYTES + 1)
    except OSError as error:
        raise BoardError(
            f"board file {path} cannot be read: {error.strerror or error}",
            "check the path and its permissions",
        ) from None
    if len(content) > _FILE_BYTES:
        raise BoardError(f"board file {path} is larger than {_FILE_BYTES} bytes", "give a board's TOML file")
    return parse(content, path.stem, str(path))


def parse(content: bytes, board_id: str, where: str) -> Board:
    """The board that a file's content describes; `where` names the file in errors. Raises BoardError."""
    if not _ID.fullmatch(board_id):
        raise BoardError(
            f"{where}: {board_id[:80]!r} is no board id",
            "name the file with lower-case letters, digits and hyphens, such as my-board.toml",
        )
    try:
        text = content.decode()
        document = tomllib.loads(text)
    except UnicodeDecodeError:
        raise BoardError(f"{where} is not UTF-8 text", "give a board's TOML file") from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise BoardError(f"{where} is not valid TOML: {reason[:200]}", "correct the file there") from None
    return _board(_Table(document, where, ""), board_id, text)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?` where a known word is close, else nothing."""
    close = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def _board(table: _Table, board_id: str, text: str) -> Board:
    table.allow("name", "template", "url", "cpu", "memory", "uart", "serial", "runners")
    cpu = _cpu(table.table("cpu"))
    native = cpu.core == "native"
    memory = {} if native else _memory(table.table("memory"))
    if native:
        for key in ("memory", "uart"):
            if key in table.values:
                raise table.error(key, "is given, but a native board has none", f"remove [{key}]")
    return Board(
        id=board_id,
        name=table.line("name"),
        template=table.matching(
            "template", _TEMPLATE, "a folder of firmware_templates, cortex_m/mps2 for one"
        ),
        url=table.line("url"),
        cpu=cpu,
        flash=memory.pop("flash", None),
        ram=memory.pop("ram", None),
        extra=memory,
        uart=_uart(table.table("uart")) if "uart" in table.values else None,
        serial=_serial(table.table("serial")),
        runners=_runners(table.table("runners")),
        text=text,
    )


def _cpu(table: _Table) -> Cpu:
    table.allow("core", "fpu", "clock_hz")
    core = table.choice("core", tuple(CORES))
    fpus = CORES[core]
    fpu = table.choice("fpu", tuple(f for f in fpus if f is not None)) if "fpu" in table.values else None
    if fpu not in fpus:
        raise table.error(
            "fpu", f"is missing: {core} needs it", "choose one of: " + ", ".join(f for f in fpus if f)
        )
    return Cpu(core, fpu, 0 if core == "native" else table.integer("clock_hz", 1, 10**10))


def _memory(table: _Table) -> dict[str, Region]:
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


def _uart(table: _Table) -> Uart:
    table.allow("driver", "base")
    driver = table.matching("driver", _NAME, "a file of firmware_templates/_uart such as cmsdk")
    return Uart(driver, table.integer("base", 0, _ADDRESS_SPACE_BYTES - 1))


def _serial(table: _Table) -> Serial:
    table.allow("usb_ids", "baud")
    usb_ids = table.values.get("usb_ids", [])
    if not isinstance(usb_ids, list) or not all(isinstance(i, str) and _USB_ID.fullmatch(i) for i in usb_ids):
        raise table.error("usb_ids", "is no list of vendor:product", 'write them as ["0483:374b"]')
    return Serial(tuple(usb_ids), table.integer("baud", 1, 10**8))


def _runners(table: _Table) -> Mapping[str, Mapping[str, str | int]]:
    if not table.values:
        raise table.error("", "is empty", "name at least one tool that flashes or emulates the board")
    runners: dict[str, Mapping[str, str | int]] = {}
    for name in table.values:
        settings = table.table(name)
        for key, value in settings.values.items():
            if not isinstance(value, str | int) or isinstance(value, bool):
                raise settings.error(key, "is neither text nor a whole number", "correct its value")
        runners[name] = settings.values
    return runners


@dataclass(frozen=True)
class _Table:
    """A TOML table with the file and the key that it stands under, for messages."""

    values: Mapping[str, Any]
    where: str
    key: str

    def error(self, key: str, what: str, hint: str) -> BoardError:
        name = ".".join(part for part in (self.key, key[:80]) if part)
        return BoardError(f"{self.where}: {name!r} {what}", hint)

    def allow(self, *keys: str) -> None:
        for key in self.values:
            if key not in keys:
                raise self.error(
                    key,
                    "is not a known key" + did_you_mean(key, keys),
                    "known keys: " + ", ".join(keys),
                )

    def _get(self, key: str, kind: type, what: str) -> Any:
        if key not in self.values:
            raise self.error(key, "is missing", f"add it: {what}")
        value = self.values[key]
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise self.error(key, f"is not {what}", "correct its value")
        return value

    def table(self, key: str) -> _Table:
        values: Mapping[str, Any] = self._get(key, dict, "a table")
        return _Table(values, self.where, f"{self.key}.{key}" if self.key else key)

    def integer(self, key: str, low: int, high: int) -> int:
        value: int = self._get(key, int, "a whole number")
        if not low <= value <= high:
            raise self.error(key, f"is {value}, outside {low} to {high}", "correct its value")
        return value

    def line(self, key: str) -> str:
        """Text that is safe in a comment, a Markdown line and a terminal."""
        value: str = self._get(key, str, "a line of text")
        if not 1 <= len(value) <= 200 or not value.isascii() or not value.isprintable():
            raise self.error(key, "is not a line of 1 to 200 printable ASCII characters", "correct its value")
        return value

    def matching(self, key: str, pattern: re.Pattern[str], what: str) -> str:
        value: str = self._get(key, str, what)
        if len(value) > 200 or not pattern.fullmatch(value):
            raise self.error(key, f"is not {what}", "correct its value")
        return value

    def choice(self, key: str, known: tuple[str, ...]) -> str:
        value: str = self._get(key, str, "one of: " + ", ".join(known))
        if value not in known:
            raise self.error(
                key,
                f"is {value[:80]!r}, which is not known" + did_you_mean(value, known),
                "the known ones are: " + (", ".join(known) or "none"),
            )
        return value
