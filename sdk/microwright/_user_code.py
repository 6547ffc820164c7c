"""The user's own Python code, named as `module:object`; modules are found from the working folder."""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from microwright.errors import InputError


def find(where: str) -> Any:
    """What `module:object` names; importing the module runs it. Raises InputError.

    What the code imports later needs `working_folder` as well.
    """
    module_name, _, name = where.partition(":")
    with working_folder():
        # What the user's code raises is told as the user's error, whatever it is.
        try:
            module = importlib.import_module(module_name)
        except (Exception, SystemExit) as error:
            raise InputError(
                f"{where}: importing {module_name} failed: {type(error).__name__}: {reason(error)}",
                "modules are found from the working folder; --debug shows where it failed",
            ) from error
    found: Any = module
    for part in name.split("."):
        found = getattr(found, part, None)
    if found is None:
        file = getattr(module, "__file__", module_name)
        raise InputError(f"{where}: {module_name} has no {name!r}", f"define it in {file}, or check its name")
    return found


@contextlib.contextmanager
def working_folder() -> Iterator[None]:
    """Modules of the working folder can be imported, first of all."""
    folder = str(Path.cwd())
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):
            sys.path.remove(folder)


def reason(error: BaseException) -> str:
    """What an exception says, in one line. OSError's text would repeat the path."""
    said = (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
    return " ".join(said.split())[:200]
