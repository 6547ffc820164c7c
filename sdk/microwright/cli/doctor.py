"""microwright doctor"""

from __future__ import annotations

import click

from microwright.cli import _options


@click.command("doctor")
@click.option(
    "--board", "board_id", metavar="ID", help="Look at this board's runners, USB permissions and serial port."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(board_id: str | None, as_json: bool) -> None:
    """Show what is installed, what is missing, and what installs it.

    Fails when the default job, a .tflite onto an emulated board, cannot run; with --board, when none of the
    board's runners can.
    """
    from microwright import attached, doctor
    from microwright import board as boards
    from microwright.cli import _facts, _tables
    from microwright.errors import ToolMissing

    findings = doctor.examine() if board_id is None else attached.examine(boards.load(board_id))
    if as_json:
        _facts.show(doctor.to_json(findings))
    else:
        _options.console().print(_tables.findings(findings))
    missing = [finding for finding in findings if finding.required and not finding.found]
    if missing:
        names = ", ".join(finding.name for finding in missing)
        commands = " && ".join(dict.fromkeys(finding.install for finding in missing))
        needing = "the default job" if board_id is None else f"board {board_id}"
        raise ToolMissing(f"{needing} needs what is missing: {names}", commands)
