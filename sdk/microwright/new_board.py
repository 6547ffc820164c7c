"""Board files of a user's own: from a board that is there, or with the beginnings of a family that is not."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from microwright import _folder, _paths, _template, board, family
from microwright._toml import did_you_mean
from microwright.board import Board
from microwright.cores import CORES
from microwright.errors import BoardError, OutputError

_FAMILY = re.compile(r"[a-z0-9][a-z0-9_]{0,31}")


def like(board_id: str, known: Board, directory: Path) -> Mapping[str, bytes]:
    """The file of a board that is like a known one: all of its facts, to be checked one by one.

    It is for a folder from which the known one's template can be found. Raises BoardError.
    """
    try:
        family.find(known.template, directory.resolve(), known.id)
    except BoardError as error:
        raise BoardError(
            f"{known.template}, the template of board {known.id}, is not beside boards in {directory}",
            f"give -o {known.folder}, where it is",
        ) from error
    facts = {"name": board_id, "tested": "built"}  # which are in front of all tables
    text = re.sub(
        r"(?m)^(name|tested)( *)=.*$",
        lambda m: f'{m[1]}{m[2]}= "{facts[m[1]]}"',
        known.text,
        count=len(facts),
    )
    head = f"# From {known.id}: check each line against the documents of the board.\n"
    return _checked(board_id, {f"{board_id}.toml": (head + text).encode()})


def of_family(
    board_id: str, name: str, core: str, fpu: str | None = None, driver: str | None = None
) -> Mapping[str, bytes]:
    """The file of a board and, in `firmware_templates`, the beginnings of its family of chips.

    With them the firmware can be built at once; what they state and do are examples. Without a `driver` that
    is there, one begins, too, under the family's name. Raises BoardError.
    """
    if not _FAMILY.fullmatch(name) or name.startswith("_"):
        raise BoardError(f"{name[:80]!r} is no name of a family", "use lower-case letters, digits and _")
    if core not in CORES or core == "native":
        cores = [c for c in CORES if c != "native"]
        raise BoardError(
            f"there is no core {core[:80]!r}" + did_you_mean(core, cores),
            "the cores are: " + ", ".join(cores),
        )
    if fpu not in CORES[core]:
        raise BoardError(
            f"{core} has no FPU {fpu!r}" if fpu else f"{core} needs an FPU",
            "choose one of: " + (", ".join(f for f in CORES[core] if f) or "none"),
        )
    folder = _paths.firmware_templates()
    drivers = sorted(path.stem for path in (folder / "_uart").glob("*.c"))
    if driver is not None and driver not in drivers:
        raise BoardError(
            f"there is no UART driver {driver[:80]!r}" + did_you_mean(driver, drivers),
            "the drivers are: " + ", ".join(drivers) + "; without one, a new one begins",
        )
    context = {"id": board_id, "family": name, "core": core, "fpu": fpu, "driver": driver or name}
    own = f"{family.OWN_TEMPLATES}/cortex_m/{name}"
    made = {
        f"{board_id}.toml": "board.toml.j2",
        f"{own}/{family.FILE}": "template.toml.j2",
        f"{own}/port/chip.c": "chip.c.j2",
    }
    if driver is None:
        made[f"{family.OWN_TEMPLATES}/_uart/{name}.c"] = "uart.c.j2"
    return _checked(
        board_id, {path: _template.render(folder / "_new" / source, context) for path, source in made.items()}
    )


def write(directory: Path, files: Mapping[str, bytes]) -> None:
    """Put the files into a folder, which may have others. Raises OutputError where one is there already."""
    for path in files:
        if (directory / path).exists():
            one_more = "begin one more board of the family with --like BOARD; or "
            raise OutputError(
                f"{directory / path} exists",
                f"{one_more if Path(path).name == family.FILE else ''}choose another name, "
                "or remove it if it is not needed",
            )
    _folder.put(directory, files, frozenset())


def _checked(board_id: str, files: Mapping[str, bytes]) -> Mapping[str, bytes]:
    path = f"{board_id}.toml"
    board.parse(files[path], board_id, path)
    return files
