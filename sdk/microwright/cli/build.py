"""microwright build"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from microwright.cli import _options

if TYPE_CHECKING:
    from microwright.build import Toolchain
    from microwright.footprint import Footprint


@click.command("build")
@click.argument("project", type=_options.PATH)
@_options.toolchain
@click.option(
    "--symbols", type=click.IntRange(1), metavar="N", help="Show the N largest functions and variables."
)
@click.option(
    "--over-empty",
    is_flag=True,
    help="Build the board's application without a model, too, and show what the model adds.",
)
@click.option("--json", "as_json", is_flag=True, help="Print all of it as JSON.")
def command(
    project: Path, toolchain: Toolchain | None, symbols: int | None, over_empty: bool, as_json: bool
) -> None:
    """Build a project and show what it takes in flash and RAM, read from the linked image."""
    from microwright import build as builds
    from microwright import footprint
    from microwright import project as projects
    from microwright.cli import _facts, _tables

    if as_json and symbols is not None:
        raise click.UsageError("--symbols is for the tables: --json has all symbols")
    opened = projects.open_project(project)
    empty: Footprint | None = None
    with _options.progress() as progress:
        image = builds.build(opened, progress, toolchain=toolchain)
        if over_empty:
            empty = builds.build_empty(opened, progress).footprint
    cautions = footprint.examine(image.footprint)
    for caution in cautions:
        _options.caution(caution)
    if as_json:
        facts: dict[str, object] = {
            "elf": str(image.elf),
            "toolchain": image.toolchain,
            "footprint": footprint.to_json(image.footprint),
            "warnings": [asdict(caution) for caution in cautions],
        }
        if empty is not None:
            facts["added"] = footprint.added(image.footprint, empty)
        _facts.show(facts)
        return
    click.echo(f"ELF      {image.elf}")
    click.echo(f"compiler {image.toolchain}")
    console = _options.console()
    console.print(_tables.footprint(image.footprint, opened.board, empty))
    if image.footprint.regions:
        console.print(_tables.regions(image.footprint))
    if symbols is not None:
        console.print(_tables.symbols(image.footprint.symbols[:symbols]))
