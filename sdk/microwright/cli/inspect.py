"""microwright inspect"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from microwright.cli import _options

if TYPE_CHECKING:
    from microwright.coverage import Caution
    from microwright.quantize import Recipe
    from microwright.target import Optimize


@click.command("inspect")
@_options.model
@click.option(
    "--board", "board_id", metavar="ID", help="Show the arena's plan, and whether it fits this board."
)
@click.option("--memory", is_flag=True, help="Draw who lives where in the arena and when; with --board.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@_options.optimize
@_options.arena_section
@_options.arch
@_options.sources("calibration")
@_options.recipe
def command(
    model: _options.Given,
    board_id: str | None,
    memory: bool,
    as_json: bool,
    optimize: Optimize,
    arena_section: tuple[str, ...],
    arch: str | None,
    recipe: Recipe,
) -> None:
    """Show the layers of a model: shapes, MACs, weights.

    MODEL is a .tflite, or a Keras file; with --calibration, a Keras model is quantised first and shown as it
    will run. With --board, also its kernels there, its arena, and what the zeros among its weights gain.
    """
    from microwright import fit, passes, pipeline, target, verdict
    from microwright.cli import _facts, _memory_map, _tables, _verdict
    from microwright.plan import plan

    if memory and board_id is None:
        raise click.UsageError("--memory needs --board: the arena depends on its core")
    console = _options.console()
    board = None if board_id is None else _options.board_of(board_id, arena_section, arch)
    if recipe.calibration is None and not recipe.calibrate_randomly and board is None:
        loaded = model.load()
        if loaded.kind == "keras":
            if as_json:
                _facts.show(_facts.keras(loaded))
            else:
                console.print(_tables.keras_layers(loaded))
            return
    cautions: list[Caution] = []
    with _options.progress() as progress:
        graph = pipeline.load_graph(model.load(), recipe, progress=progress, on_caution=cautions.append)
    for caution in cautions:
        _options.caution(caution)
    facts = _facts.graph(graph, cautions)
    if not as_json:
        console.print(_tables.layers(graph))
        console.print(_tables.ends(graph))
    if board is None:
        if as_json:
            _facts.show(facts)
        return
    rewritten = passes.apply(graph)
    planned = plan(rewritten.graph, target.of(board, optimize))
    judged = verdict.judge(graph, planned, board)
    if as_json:
        _facts.show({**facts, **_facts.on_board(board, rewritten, planned, judged)})
    else:
        if rewritten.applied:
            console.print(_tables.passes(rewritten))
        console.print(_tables.kernels(planned))
        if memory:
            console.print(_memory_map.chart(planned, console.width))
            console.print(_tables.buffers(planned, _memory_map.marks(planned)))
        console.print(_memory_map.summary(planned))
        console.print(_verdict.tables(judged))
    fit.check(planned, board)
    if not as_json:
        about = f": about {fit.estimate(planned).bytes:,} bytes of flash, estimated" if board.flash else ""
        click.echo(f"It fits {board.id}{about}.")
