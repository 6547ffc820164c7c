"""Projects whose compiled model does one thing wrong."""

from __future__ import annotations

import re
from collections.abc import Mapping

from microwright import library
from microwright.build import Image, build
from microwright.library import Library
from microwright.plan import Plan
from microwright.project import Project

SWITCH = "MW_BROKEN"


def compiled(made: Project) -> Library:
    """What a project was made around."""
    return library.compile_model(made.model, made.board, optimize=made.optimize)


def plan_of(made: Project) -> Plan:
    """Where a project's tensors lie."""
    return compiled(made).plan


def broken(made: Project, statements: Mapping[int, str], switch: str | None = None) -> Image:
    """The built project, with C statements at the end of layers, by their positions; `base` is the arena.

    `switch`: an expression that stands for the position of the only layer that is broken.
    """
    source = compiled(made).files["model/mw_model.c"].decode()
    for position, statement in statements.items():
        if switch is not None:
            statement = f"if ({switch} == {position}) {{ {statement} }}"
        source, count = re.subn(
            rf"(    case {position}: // .*?)(        return MW_OK;)",
            lambda found, text=statement: f"{found[1]}        {text}\n{found[2]}",  # type: ignore[misc]
            source,
            count=1,
            flags=re.DOTALL,
        )
        assert count == 1
    source = source.replace('#include "mw_model.h"', '#include "mw_model.h"\n#include <stdlib.h>', 1)
    (made.directory / "model" / "mw_model.c").write_text(source)
    return build(made)


def by_environment() -> str:
    """The switch of a program on this computer: an environment variable of the name SWITCH."""
    return f'atoi(getenv("{SWITCH}"))'
