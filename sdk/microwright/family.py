"""A family of chips: what its firmware template asks of a board file.

A template is a folder of firmware_templates/ with `template.toml` and the folder `port/`, whose files are
what is particular to the family:

    uf2_family = 0xe48b_ff56                # where its boot loader takes UF2 files: the family's id there

    [chip]                                  # the keys of a board file's [chip], all of them needed
    hse_hz     = { about = "crystal or clock at OSC_IN, 0: none", most = 50_000_000 }
    pll_m      = { about = "divider in front of the PLL", least = 2, most = 63 }
    prefetch   = { about = "flash prefetch", flag = true }

A number is whole and not negative; `least` is 0 and `most` 2^32 - 1 where they are not given. In C a setting
is `MW_CHIP_HSE_HZ` in `mw_board.h`, a flag 0 or 1.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from microwright import _paths, _toml
from microwright._toml import Table, did_you_mean
from microwright.errors import BoardError

FILE = "template.toml"
# Beside board files of the user's own.
OWN_TEMPLATES = "firmware_templates"

_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")
_MOST = 2**32 - 1


@dataclass(frozen=True)
class Setting:
    """A key of [chip]: a whole number from `least` to `most`, or a flag."""

    name: str
    about: str
    flag: bool
    least: int
    most: int


@dataclass(frozen=True)
class Family:
    """A template: its name, its folder, its settings, the id of its UF2 files or None."""

    template: str
    folder: Path
    settings: Mapping[str, Setting]
    uf2_family: int | None

    def check(self, chip: Mapping[str, int], where: str) -> None:
        """Raise BoardError where a board's [chip] is not what the template asks for."""
        table = Table(chip, where, "chip")
        table.allow(*self.settings)
        for name, setting in self.settings.items():
            if setting.flag:
                table.get(name, bool, f"true or false ({setting.about})")
            else:
                table.get(name, int, f"a whole number ({setting.about})")
                table.integer(name, setting.least, setting.most)


def templates(own: Path | None = None) -> tuple[str, ...]:
    """Names of all templates, sorted; with those beside the board files in the folder `own`."""
    return tuple(
        sorted(
            {
                str(PurePosixPath(file.parent.relative_to(root)))
                for root in roots(own)
                for file in root.rglob(FILE)
            }
        )
    )


def find(template: str, own: Path | None, where: str) -> Family:
    """The family of a template's name, from beside the board files in the folder `own` or from the package.

    `where` names the board's file in errors. Raises BoardError.
    """
    for root in roots(own):
        folder = root.joinpath(*PurePosixPath(template).parts)
        if (folder / FILE).is_file():
            return _read(template, folder)
    known = templates(own)
    raise BoardError(
        f"{where}: there is no template {template!r}" + did_you_mean(template, known),
        "the templates are: " + ", ".join(known),
    )


def roots(own: Path | None) -> tuple[Path, ...]:
    """Folders of templates: beside board files of one's own, which comes first, and the package's."""
    return (*([own / OWN_TEMPLATES] if own is not None else ()), _paths.firmware_templates())


def _read(template: str, folder: Path) -> Family:
    path = folder / FILE
    table, _ = _toml.parse(_toml.read(path, "template file"), str(path))
    table.allow("uf2_family", "chip")
    chip = table.table("chip") if "chip" in table.values else Table({}, str(path), "chip")
    return Family(
        template,
        folder,
        {name: _setting(chip, name) for name in chip.values},
        table.integer("uf2_family", 0, _MOST) if "uf2_family" in table.values else None,
    )


def _setting(chip: Table, name: str) -> Setting:
    if not _NAME.fullmatch(name):
        raise chip.error(name, "is no name of a setting", "use lower-case letters, digits and _")
    entry = chip.table(name)
    entry.allow("about", "flag", "least", "most")
    flag = bool(entry.get("flag", bool, "true or false")) if "flag" in entry.values else False
    least = entry.integer("least", 0, _MOST) if "least" in entry.values else 0
    return Setting(
        name,
        entry.line("about"),
        flag,
        least,
        entry.integer("most", least, _MOST) if "most" in entry.values else _MOST,
    )
