"""microwright boards"""

from __future__ import annotations

import click

from microwright.cli import _options


@click.command("boards")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(as_json: bool) -> None:
    """List the boards."""
    from microwright import board as boards
    from microwright.cli import _facts, _tables

    known = [boards.load(board_id) for board_id in boards.all_ids()]
    if as_json:
        _facts.show([_facts.board(board) for board in known])
    else:
        _options.console().print(_tables.boards(known))
