"""The scripts in tools/, as modules."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import pytest

TOOLS = Path(__file__).resolve().parents[2] / "tools"


@contextmanager
def imported(*names: str) -> Iterator[dict[str, ModuleType]]:
    """The modules by their names, until the context ends."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(TOOLS))
        yield {name: importlib.import_module(name) for name in names}
    for name in names:
        del sys.modules[name]


def written(page: ModuleType, pages: ModuleType) -> tuple[str, str]:
    """What a page has before the part that a tool writes, and that part."""
    before, begin, rest = page.PAGE.read_text().partition(pages.BEGIN)
    shown, end, _ = rest.partition(pages.END)
    assert begin and end
    return before, shown.strip()
