"""Progress of long stages. A stage calls what it is given; the CLI draws bars, a script may stay silent."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Called with what is going on and how much of it is done; `done == total` ends it."""

    def __call__(self, what: str, done: int, total: int) -> None: ...


def silent(what: str, done: int, total: int) -> None:
    """Progress that shows nothing."""
