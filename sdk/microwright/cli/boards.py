"""microwright boards"""

from __future__ import annotations

import click

from microwright.cli import _options


@click.command("boards")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(as_json: bool) -> None:
    """List the boards."""
    import json

    from microwright import board as boards
    from microwright.cli import _tables

    known = [boards.load(board_id) for board_id in boards.all_ids()]
    if as_json:
        click.echo(json.dumps([_tables.board_facts(board) for board in known], indent=2))
    else:
        _options.console().print(_tables.boards(known))
