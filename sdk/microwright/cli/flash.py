"""microwright flash"""

from __future__ import annotations

from pathlib import Path

import click

from microwright.cli import _options


@click.command("flash")
@click.argument("project", type=_options.PATH)
@click.option("--runner", metavar="NAME", help="Flash tool; default: the first one of the board file.")
@_options.probe
@click.option("--port", metavar="PORT", help="Serial port of the boot loader, for tools that need one.")
def command(project: Path, runner: str | None, probe: str | None, port: str | None) -> None:
    """Flash a built project onto its board.

    The tools and what they need are in docs/runners.md; `microwright doctor --board ID` says what is missing.
    """
    from microwright import build as builds
    from microwright import project as projects
    from microwright import runners

    image = builds.open_image(projects.open_project(project))
    flasher = runners.flasher(image.project.board, runner)
    with _options.progress() as progress:
        progress(f"flash with {flasher.name}", 0, 1)
        done = runners.flash(image, runner=flasher.name, where=runners.Where(probe, port))
        progress(f"flash with {flasher.name}", 1, 1)
    click.echo(f"flashed  {done.file} ({done.bytes:,} bytes) with {done.runner} in {done.seconds:.1f} s")
