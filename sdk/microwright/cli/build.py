"""microwright build"""

from __future__ import annotations

from pathlib import Path

import click

from microwright.cli import _options


@click.command("build")
@click.argument("project", type=_options.PATH)
def command(project: Path) -> None:
    """Build a project and show what it takes in flash and RAM."""
    from microwright import build as builds
    from microwright import project as projects

    opened = projects.open_project(project)
    with _options.progress() as progress:
        image = builds.build(opened, progress)
    click.echo(f"ELF      {image.elf}")
    click.echo(f"compiler {image.toolchain}")
    click.echo(
        f"flash    {image.flash_total_bytes:,} bytes: "
        f"code {image.code_bytes:,}, weights {image.weights_bytes:,}"
    )
    click.echo(
        f"RAM      arena {opened.arena_bytes:,} bytes, "
        f"other variables {image.static_ram_bytes:,}, and the stack"
    )
