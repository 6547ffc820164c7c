"""microwright run"""

from __future__ import annotations

import time
from pathlib import Path

import click

from microwright.cli import _options

_POLL_S = 0.2


@click.command("run")
@click.argument("project", type=_options.PATH)
@_options.runner
@click.option("--once", is_flag=True, help="Ask the firmware who it is, show its log, and end.")
def command(project: Path, runner: str | None, once: bool) -> None:
    """Start a built project on an emulator or on this computer.

    Prints where its serial line is and runs until Ctrl-C; meanwhile `microwright measure --port` or a
    program of your own can use that line. `microwright flash` is for boards.
    """
    from microwright import build as builds
    from microwright import culprit, runners
    from microwright import project as projects
    from microwright.errors import DeviceError
    from microwright.link import Link

    opened = projects.open_project(project)
    image = builds.open_image(opened)
    with runners.start(image, runner=runner) as device:
        click.echo(f"serial line {device.url}")
        if once:
            with (
                culprit.named(image),
                Link(device.url, opened.board.serial.baud, _options.device_log) as link,
            ):
                for key, value in link.request("hello").args.items():
                    click.echo(f"{key} {value}")
            return
        click.echo("running; Ctrl-C ends it", err=True)
        while device.running():
            time.sleep(_POLL_S)
        said = " ".join(device.log().split())[-300:]
        raise DeviceError(
            f"the device ended: {said or 'it printed nothing'}", "start it again with `microwright run`"
        )
