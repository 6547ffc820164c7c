"""Tables of what a tool measured: on a terminal, and on a page of the documentation between two markers."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import rich.table
from rich import box

from microwright import _output
from microwright.errors import InputError

DOCS = Path(__file__).resolve().parents[1] / "docs"
BEGIN, END = "<!-- tables: begin -->", "<!-- tables: end -->"


@dataclass(frozen=True)
class Table:
    """A table as text; the first `names` columns are names, the others numbers."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    names: int = 2


def on_terminal(
    header: Sequence[str], rows: Sequence[Sequence[str]], text: Sequence[int]
) -> rich.table.Table:
    """To print; the columns at the positions `text` are no numbers."""
    table = rich.table.Table(box=box.SIMPLE, pad_edge=False)
    for position, title in enumerate(header):
        table.add_column(title, justify="left" if position in text else "right", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    return table


def markdown(table: Table) -> str:
    """A heading and the table."""
    aligned = [":--" if i < table.names else "--:" for i in range(len(table.header))]
    rows: list[Sequence[str]] = [table.header, aligned, *table.rows]
    return f"### {table.title}\n\n" + "\n".join(f"| {' | '.join(row)} |" for row in rows)


def as_json(content: Mapping[str, Any]) -> bytes:
    """As a file."""
    return (json.dumps(content, indent=2, allow_nan=False) + "\n").encode()


def generated(page: Path, text: str) -> int:
    """Write a whole file, or with --check look whether it is current. Returns the exit code."""
    if "--check" not in sys.argv[1:]:
        page.write_text(text, encoding="utf-8")
        return 0
    if page.read_text(encoding="utf-8") == text:
        return 0
    print(f"{page.name} is not current: run tools/{Path(sys.argv[0]).name}", file=sys.stderr)
    return 1


def write(page: Path, text: str) -> None:
    """Put the text between the markers of a page. Raises InputError where it has none."""
    before, begin, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise InputError(f"{page} has no {BEGIN} and {END}", "put them where the tables belong")
    _output.write(page, f"{before}{BEGIN}\n\n{text}\n\n{END}{after}".encode())
