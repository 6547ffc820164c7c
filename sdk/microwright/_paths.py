"""Where the data files are: boards, firmware templates, the C runtime.

A wheel carries them in `microwright/_data`; in a checkout they lie at the top of the tree.
"""

from __future__ import annotations

import os
from pathlib import Path

from microwright.errors import BoardError

_PACKAGE = Path(__file__).resolve().parent
_INSTALLED = _PACKAGE / "_data"
_CHECKOUT = _PACKAGE.parent.parent

# The environment variable that names the user's own folder of boards.
BOARDS = "MICROWRIGHT_BOARDS"


def boards() -> tuple[Path, ...]:
    """Folders of board files: the user's own, where MICROWRIGHT_BOARDS names one, before the package's."""
    own = os.environ.get(BOARDS, "")
    return (*([Path(own).resolve()] if own else ()), _data() / "boards")


def check_boards() -> None:
    """Raise BoardError where MICROWRIGHT_BOARDS names no folder."""
    own = os.environ.get(BOARDS, "")
    if own and not Path(own).is_dir():
        raise BoardError(
            f"{Path(own).resolve()}, where your boards would be, is no folder",
            f"correct --boards or {BOARDS}; `microwright boards new` makes the folder",
        )


def firmware_templates() -> Path:
    """Folder of the firmware templates."""
    return _data() / "firmware_templates"


def runtime() -> Path:
    """Folder of the C runtime (`include/`, `src/`)."""
    return _INSTALLED / "runtime" if _INSTALLED.is_dir() else _CHECKOUT / "sdk" / "runtime"


def _data() -> Path:
    return _INSTALLED if _INSTALLED.is_dir() else _CHECKOUT
