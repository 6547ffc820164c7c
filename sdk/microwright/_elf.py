"""ELF files, read with pyelftools, which meets a damaged one with many classes of errors."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from elftools.elf.elffile import ELFFile


class Damaged(Exception):
    """The file is no ELF file, or a damaged one."""


@contextlib.contextmanager
def opened(path: Path) -> Iterator[ELFFile]:
    """An ELF file; what reads it belongs into the block. Raises OSError, Damaged."""
    from elftools.common.exceptions import ELFError
    from elftools.elf.elffile import ELFFile

    with path.open("rb") as file:
        try:
            yield ELFFile(file)
        except (ELFError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError) as error:
            raise Damaged(f"no ELF file, or a damaged one: {error}") from None
