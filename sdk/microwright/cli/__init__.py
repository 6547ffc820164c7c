"""The command line: one file a command, imported when it is needed."""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import signal
import sys
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType

import click

from microwright import __version__, _paths
from microwright.errors import MicrowrightError, ToolFailed

# In the order of the work; a test checks that each file in this folder is listed.
COMMANDS: tuple[str, ...] = (
    "deploy",
    "inspect",
    "compress",
    "prune",
    "quantize",
    "verify",
    "arrays",
    "compile",
    "new",
    "build",
    "flash",
    "run",
    "measure",
    "monitor",
    "compare",
    "diverge",
    "mlperf",
    "boards",
    "ports",
    "doctor",
)

INTERNAL = 1
USAGE = 2
INTERRUPTED = 130

_log = logging.getLogger("microwright")


class LazyGroup(click.Group):
    """Commands whose modules are imported on demand."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"microwright.cli.{cmd_name}").command
        return command


@click.group(
    cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, prog_name="microwright")
@click.option("--debug", is_flag=True, help="Log the programs that are run; show tracebacks of errors.")
@click.option(
    "--boards",
    type=click.Path(file_okay=False, path_type=Path),
    envvar=_paths.BOARDS,
    metavar="DIR",
    help="A folder of board files of your own, before the package's. [also: MICROWRIGHT_BOARDS]",
)
@click.pass_context
def root(context: click.Context, debug: bool, boards: Path | None) -> None:
    """From a Keras model to measured inference on a microcontroller.

    `microwright deploy model.tflite --board mps2-an386` does the whole job; the other commands are its
    stages.
    """
    if debug:
        _log.setLevel(logging.DEBUG)
    if boards is not None:
        os.environ[_paths.BOARDS] = str(boards)
        if context.invoked_subcommand != "boards":  # which may make the folder
            _paths.check_boards()


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0, or the exit code of the error (see `microwright.errors`)."""
    # As with Ctrl-C, what was started has to be ended: an emulator outlives its parent otherwise.
    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), _terminated)
    sys.exit(execute(arguments))


def _terminated(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def execute(arguments: Sequence[str] | None = None) -> int:
    """Run the command line. Returns the exit code; errors are two lines on stderr, `error:` and `hint:`."""
    try:
        with _logging():
            code = root.main(arguments, prog_name="microwright", standalone_mode=False)
    except click.ClickException as error:
        context = error.ctx if isinstance(error, click.UsageError) else None
        _report(
            error.format_message(),
            f"{context.command_path if context else 'microwright'} --help shows the usage",
        )
        return USAGE
    except (click.Abort, KeyboardInterrupt) as stop:
        # click replaces the interruption by an Abort.
        said = str(stop.__cause__ or stop)
        click.echo(_line(f"interrupted: {said}" if said else "interrupted"), err=True)
        return INTERRUPTED
    except MicrowrightError as error:
        if _log.isEnabledFor(logging.DEBUG):
            traceback.print_exc()
            if isinstance(error, ToolFailed):
                click.echo(error.log, err=True)
        _report(error.message, error.hint)
        return error.exit_code
    except Exception as error:
        if _log.isEnabledFor(logging.DEBUG):
            traceback.print_exc()
        _report(
            f"internal error: {type(error).__name__}: {error}",
            "this is a bug; `microwright --debug` followed by the same command shows where it is",
        )
        return INTERNAL
    return code if isinstance(code, int) else 0


class _Handler(logging.Handler):
    """The log on standard error: `note:` and a warning, or what --debug shows of a module."""

    def emit(self, record: logging.LogRecord) -> None:
        source = "note" if record.levelno >= logging.WARNING else record.name
        click.echo(f"{source}: {_line(record.getMessage())}", err=True)


@contextlib.contextmanager
def _logging() -> Iterator[None]:
    """The log goes to standard error; others, such as TensorFlow's converter, set up the root logger."""
    handler = _Handler()
    _log.addHandler(handler)
    _log.propagate = False
    try:
        yield
    finally:
        _log.propagate = True
        _log.removeHandler(handler)


def _report(message: str, hint: str) -> None:
    click.echo(f"error: {_line(message)}", err=True)
    click.echo(f"hint: {_line(hint)}", err=True)


def _line(text: str) -> str:
    """One line that a terminal cannot mistake for commands, whatever a file or a tool put into it."""
    return "".join(c if c.isprintable() else " " if c.isspace() else f"\\x{ord(c):02x}" for c in text)
