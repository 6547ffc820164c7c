"""What tests compiled before, kept by content."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def store_folder() -> Path:
    """A folder of this user's alone."""
    store = Path(tempfile.gettempdir()) / f"microwright-tests-{os.getuid()}"
    store.mkdir(mode=0o700, exist_ok=True)
    if store.stat().st_uid != os.getuid():
        raise AssertionError(f"{store} belongs to another user")
    return store
