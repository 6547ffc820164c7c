"""The scripts in tools/, as modules, and what the set-up there installs."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import pytest

from microwright.errors import ToolMissing
from microwright.runners import rp2040js

TOOLS = Path(__file__).resolve().parents[2] / "tools"


@contextmanager
def imported(*names: str) -> Iterator[dict[str, ModuleType]]:
    """The modules by their names, until the context ends."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(TOOLS))
        yield {name: importlib.import_module(name) for name in names}
    for name in names:
        del sys.modules[name]


def require_rp2040js() -> None:
    """Skip the test where the set-up could not install rp2040js; elsewhere a missing emulator is an error."""
    could_not = Path(sys.prefix, "without-rp2040js")
    try:
        rp2040js.version()
    except ToolMissing:
        if not could_not.exists():
            raise
        pytest.skip(could_not.read_text().strip())


def written(page: ModuleType, pages: ModuleType) -> tuple[str, str]:
    """What a page has before the part that a tool writes, and that part."""
    before, begin, rest = page.PAGE.read_text().partition(pages.BEGIN)
    shown, end, _ = rest.partition(pages.END)
    assert begin and end
    return before, shown.strip()
