"""microwright inspect"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from microwright.cli import _options

if TYPE_CHECKING:
    from microwright.target import Optimize


@click.command("inspect")
@click.argument("model", type=_options.PATH)
@click.option(
    "--board", "board_id", metavar="ID", help="Show the arena's plan, and whether it fits this board."
)
@click.option("--memory", is_flag=True, help="Draw who lives where in the arena and when; with --board.")
@_options.optimize
@_options.calibration
def command(
    model: Path, board_id: str | None, memory: bool, optimize: Optimize, calibration: Path | None
) -> None:
    """Show the layers of a model: shapes, MACs, weights.

    MODEL is a .tflite, or a Keras file; with --calibration, a Keras model is quantised first and shown as it
    will run.
    """
    from microwright import board as boards
    from microwright import load, passes, pipeline, project, target
    from microwright.cli import _memory_map, _tables
    from microwright.plan import plan

    if memory and board_id is None:
        raise click.UsageError("--memory needs --board: the arena depends on its core")
    console = _options.console()
    board = None if board_id is None else boards.load(board_id)
    if calibration is None and board is None:
        loaded = load.load(model)
        if loaded.kind == "keras":
            console.print(_tables.keras_layers(loaded))
            return
    with _options.progress() as progress:
        graph = pipeline.load_graph(model, calibration, progress=progress)
    console.print(_tables.layers(graph))
    if board is not None:
        rewritten = passes.apply(graph)
        if rewritten.applied:
            console.print(_tables.passes(rewritten))
        planned = plan(rewritten.graph, target.of(board, optimize))
        console.print(_tables.kernels(planned))
        if memory:
            console.print(_memory_map.chart(planned, console.width))
            console.print(_tables.buffers(planned, _memory_map.marks(planned)))
        console.print(_memory_map.summary(planned))
        project.check_fits(planned, board)
        click.echo(f"The arena and the weights fit {board.id}.")
