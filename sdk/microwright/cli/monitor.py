"""microwright monitor"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from microwright.cli import _options

if TYPE_CHECKING:
    from microwright.build import Image
    from microwright.link.watch import Seen

_BAUD = 115_200


@click.command("monitor")
@click.argument("target", metavar="[PORT|PROJECT]", required=False)
@click.option("--board", "board_id", metavar="ID", help="Find the port by this board's USB ids.")
@click.option(
    "--baud", type=click.IntRange(1, 10**8), help=f"Baud rate. [default: the board's, {_BAUD} of a port]"
)
@click.option("--timestamps", is_flag=True, help="Put the seconds since the start before each line.")
@click.option(
    "--wait",
    "wait_s",
    type=click.FloatRange(0),
    metavar="SECONDS",
    help="How long a port may be gone. [default: for ever; 0 of a project]",
)
@_options.record
def command(
    target: str | None,
    board_id: str | None,
    baud: int | None,
    timestamps: bool,
    wait_s: float | None,
    record: Path | None,
) -> None:
    """Show the log and the records of a device live, until Ctrl-C.

    Sends nothing. PORT is a port or a URL of pyserial; a built PROJECT is started. Lines of the log are shown
    as they are, records begin with `@`, and what seems to have been one is marked as damaged. A fault is put
    in words, of a PROJECT with the functions that it happened in.
    """
    from microwright import board as boards
    from microwright import build as builds
    from microwright import project as projects
    from microwright.device import reach
    from microwright.link import ports
    from microwright.link.watch import watch

    if (target is None) == (board_id is None):
        raise click.UsageError("give a port, a project or --board ID")
    image = None
    with contextlib.ExitStack() as stack:
        _, connect = stack.enter_context(_options.line(None, record))
        if board_id is not None:
            board = boards.load(board_id)

            def find() -> str:
                return ports.find(board.serial.usb_ids, board.id)

            default_baud = board.serial.baud
        else:
            url = str(target)
            default_baud = _BAUD
            if Path(url).is_dir():
                project = projects.open_project(Path(url))
                image = builds.open_image(project)
                url = stack.enter_context(reach(image)).url
                default_baud = project.board.serial.baud
                wait_s = wait_s or 0.0
            elif url == ports.AUTO:
                raise click.UsageError("whose port? use --board ID to find a board's")

            def find() -> str:
                return url

        click.echo("Ctrl-C ends it", err=True)
        watch(find, baud or default_baud, _shown(timestamps, image), wait_s=wait_s, connect=connect)


def _shown(timestamps: bool, image: Image | None) -> Callable[[Seen], None]:
    from microwright import culprit

    start_s = time.monotonic()

    def show(seen: Seen) -> None:
        stamp = f"[{time.monotonic() - start_s:10.3f}] " if timestamps else ""
        mark = "damaged: " if seen.kind == "damaged" else "note: " if seen.kind == "port" else ""
        click.echo(f"{stamp}{mark}{seen.text}", err=seen.kind == "port")
        if seen.fault is not None:
            fault = seen.fault if image is None else culprit.located(image, seen.fault)
            click.echo(f"{stamp}note: {fault.message}", err=True)

    return show
