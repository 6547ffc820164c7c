"""microwright doctor"""

from __future__ import annotations

import click

from microwright.cli import _options


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(as_json: bool) -> None:
    """Show what is installed, what is missing, and what installs it.

    Fails when the default job, a .tflite onto an emulated board, cannot run.
    """
    from microwright import doctor
    from microwright.cli import _facts, _tables
    from microwright.errors import ToolMissing

    findings = doctor.examine()
    if as_json:
        _facts.show(doctor.to_json(findings))
    else:
        _options.console().print(_tables.findings(findings))
    missing = [finding for finding in findings if finding.required and not finding.found]
    if missing:
        names = ", ".join(finding.name for finding in missing)
        commands = " && ".join(dict.fromkeys(finding.install for finding in missing))
        raise ToolMissing(f"the default job needs what is missing: {names}", commands)
