"""microwright compare"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from microwright.cli import _options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from microwright.lineup import Entry


@click.command("compare")
@click.argument("reports", nargs=-1, required=True, type=_options.PATH, metavar="REPORT...")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(reports: tuple[Path, ...], as_json: bool) -> None:
    """Put reports side by side: of several boards, engines, models.

    REPORT is a report.json, or the folder of a project that has one. Times are compared with the first report
    of the same kind and unit, and with no other: what was measured on a device, counted by an emulator or
    estimated is not one scale.
    """
    from microwright import lineup
    from microwright.cli import _facts

    entries = lineup.read(reports)
    if as_json:
        _facts.show(lineup.to_json(entries))
    else:
        _options.console().print(_table(entries))


def _table(entries: Sequence[Entry]) -> Table:
    from microwright.cli import _tables

    scales = list(dict.fromkeys((entry.kind, entry.unit) for entry in entries))
    columns = [f">{kind}, {unit}" for kind, unit in scales]
    table = _tables.new_table(
        "report",
        "board",
        "engine",
        "model",
        *columns,
        ">times",
        ">p95",
        ">RAM",
        ">flash",
        ">accuracy",
        "outputs",
    )
    for entry in entries:
        times = [f"{entry.median:,}" if scale == (entry.kind, entry.unit) else "" for scale in scales]
        table.add_row(
            entry.name,
            entry.board,
            entry.engine,
            entry.model,
            *times,
            f"{entry.ratio:.2f}",
            f"{entry.p95:,}",
            "" if entry.ram_bytes is None else f"{entry.ram_bytes:,}",
            "" if entry.flash_bytes is None else f"{entry.flash_bytes:,}",
            "" if entry.accuracy is None else f"{entry.accuracy:.2%}",
            _outputs(entry),
        )
    return table


def _outputs(entry: Entry) -> str:
    said = {None: "not compared", True: "exact", False: "DIFFER"}[entry.exact]
    if not entry.complete:
        said += ", ended early"
    return said if entry.valid else said + ", NOT VALID"
