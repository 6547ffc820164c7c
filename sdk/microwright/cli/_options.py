"""Options that several commands share, and what they print with."""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from rich.console import Console

    from microwright.progress import Progress

_F = TypeVar("_F", bound=Callable[..., Any])

_PIPE_COLUMNS = 200

# What exists and is readable is judged by the stage that reads it, with one error for all callers.
PATH = click.Path(path_type=Path)


def board(function: _F) -> _F:
    """--board ID, required."""
    return click.option(
        "--board",
        "board_id",
        required=True,
        metavar="ID",
        help="Board id (`microwright boards`) or a .toml file.",
    )(function)


def calibration(function: _F) -> _F:
    """--calibration FILE, for commands that take a Keras model where a .tflite is wanted."""
    return click.option(
        "--calibration",
        type=PATH,
        metavar="FILE",
        help="Samples (.npz or .npy) to quantise a Keras model with.",
    )(function)


def engine(function: _F) -> _F:
    """--engine NAME."""
    return click.option(
        "--engine", default="aot", show_default=True, metavar="NAME", help="aot: compiled ahead of time to C."
    )(function)


def optimize(function: _F) -> _F:
    """--optimize speed, balanced or size."""
    return click.option(
        "--optimize",
        type=click.Choice(("speed", "balanced", "size")),
        default="balanced",
        show_default=True,
        metavar="GOAL",
        help="speed, balanced, or size: without kernels that save little time for their code.",
    )(function)


def inputs(function: _F) -> _F:
    """--data FILE and --random-inputs N."""
    function = click.option(
        "--random-inputs",
        type=click.IntRange(1, 100_000),
        default=20,
        show_default=True,
        metavar="N",
        help="Number of random inputs where no data is given; the same ones each time.",
    )(function)
    return click.option(
        "--data",
        type=PATH,
        metavar="FILE",
        help="Samples to run, x (or x0, x1, ...) and labels y of a .npz, or a .npy.",
    )(function)


def runner(function: _F) -> _F:
    """--runner NAME."""
    return click.option(
        "--runner", metavar="NAME", help="Flash tool or emulator; default: the first of the board file."
    )(function)


def console() -> Console:
    """Where results go: standard output. Text from files is never read as markup."""
    from rich.console import Console

    # A pipe has no width; lines that are cut at a terminal's 80 columns would be of no use there.
    width = None if sys.stdout.isatty() else _PIPE_COLUMNS
    return Console(markup=False, highlight=False, emoji=False, width=width)


def device_log(line: str) -> None:
    """Print a line that a device logged, on standard error."""
    click.echo(f"device: {''.join(c if c.isprintable() else '?' for c in line)}", err=True)


@contextlib.contextmanager
def progress() -> Iterator[Progress]:
    """Progress of long stages on standard error: bars in a terminal, else a plain line each."""
    from microwright.cli._progress import Bars

    logger = logging.getLogger("microwright")
    with Bars(quiet=logger.isEnabledFor(logging.DEBUG)) as bars:
        yield bars
