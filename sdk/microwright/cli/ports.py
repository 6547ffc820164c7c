"""microwright ports"""

from __future__ import annotations

from dataclasses import asdict

import click

from microwright.cli import _options


@click.command("ports")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(as_json: bool) -> None:
    """List the serial ports, and the boards whose USB ids they have."""
    from microwright.cli import _facts, _tables
    from microwright.link import ports

    known = _options.boards()
    there = [
        (port, [board.id for board in known if port.usb_id in board.serial.usb_ids])
        for port in ports.listed()
    ]
    if as_json:
        _facts.show([{**asdict(port), "boards": ids} for port, ids in there])
    elif there:
        _options.console().print(_tables.ports(there))
    else:
        click.echo("there is no serial port", err=True)
