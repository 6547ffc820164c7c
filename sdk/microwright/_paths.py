"""Where the data files are: boards, firmware templates, the C runtime.

A wheel carries them in `microwright/_data`; in a checkout they lie at the top of the tree.
"""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
_INSTALLED = _PACKAGE / "_data"
_CHECKOUT = _PACKAGE.parent.parent


def boards() -> Path:
    """Folder of the board files."""
    return _INSTALLED / "boards" if _INSTALLED.is_dir() else _CHECKOUT / "boards"


def firmware_templates() -> Path:
    """Folder of the firmware templates."""
    return _INSTALLED / "firmware_templates" if _INSTALLED.is_dir() else _CHECKOUT / "firmware_templates"


def runtime() -> Path:
    """Folder of the C runtime (`include/`, `src/`)."""
    return _INSTALLED / "runtime" if _INSTALLED.is_dir() else _CHECKOUT / "sdk" / "runtime"
