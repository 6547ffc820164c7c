"""microwright boards"""

from __future__ import annotations

import os
from pathlib import Path

import click

from microwright import _paths
from microwright.cli import _options


@click.group("boards", invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def command(context: click.Context, as_json: bool) -> None:
    """List the boards; show one, or begin one of your own.

    How far a board was tested: "emulated" means that its firmware runs to a right inference on an emulator of
    the chip, of one with its core and UART, or of Linux programs on its core; "built", that it is built and
    its layout is checked.
    """
    if context.invoked_subcommand != "new":
        _paths.check_boards()
    if context.invoked_subcommand is not None:
        if as_json:
            raise click.UsageError("--json comes after the command")
        return
    from microwright.cli import _facts, _tables

    known = _options.boards()
    if as_json:
        _facts.show([_facts.board(board) for board in known])
    else:
        _options.console().print(_tables.boards(known))


@command.command("show")
@click.argument("board_id", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(board_id: str, as_json: bool) -> None:
    """Show all facts of a board.

    ID is a board's id, or the path of a board file.
    """
    from microwright import board as boards
    from microwright import family, runners
    from microwright.cli import _facts, _tables

    board = boards.load(board_id)
    runners.check_all(board)
    found = family.find(board.template, board.folder, board.id)
    if as_json:
        _facts.show(_facts.whole_board(board, found))
    else:
        _options.console().print(_tables.board(board, found))


@command.command("new")
@click.argument("board_id", metavar="ID")
@click.option("--like", metavar="BOARD", help="A board whose facts it begins with.")
@click.option(
    "--family", metavar="NAME", help="A family of chips that is not there: begins its template, too."
)
@click.option("--core", metavar="CORE", help="With --family: the core, such as cortex-m4.")
@click.option("--fpu", metavar="FPU", help="With --family: the core's FPU, as the compiler's -mfpu takes it.")
@click.option("--driver", metavar="NAME", help="With --family: a UART driver that is there; else one begins.")
@click.option(
    "-o",
    "out",
    type=_options.PATH,
    metavar="DIR",
    help="Folder of your boards. [default: that of --boards or MICROWRIGHT_BOARDS, else this one]",
)
def new(
    board_id: str,
    like: str | None,
    family: str | None,
    core: str | None,
    fpu: str | None,
    driver: str | None,
    out: Path | None,
) -> None:
    """Begin a board of your own.

    Writes ID.toml, with the facts of another board, or with examples and the beginnings of a family of chips
    in firmware_templates. docs/porting.md goes on from there.
    """
    from microwright import board as boards
    from microwright import new_board

    if (like is None) == (family is None):
        raise click.UsageError("give either --like BOARD or --family NAME")
    if family is None and (core, fpu, driver) != (None, None, None):
        raise click.UsageError("--core, --fpu and --driver are for --family")
    directory = out or Path(os.environ.get(_paths.BOARDS) or ".")
    if like is not None:
        files = new_board.like(board_id, boards.load(like), directory)
    elif core is None:
        raise click.UsageError("--family needs --core")
    else:
        files = new_board.of_family(board_id, family or "", core, fpu, driver)
    new_board.write(directory, files)
    for path in files:
        click.echo(directory / path)
