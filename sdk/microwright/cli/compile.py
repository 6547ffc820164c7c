"""microwright compile"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from microwright.cli import _options

if TYPE_CHECKING:
    from microwright.quantize import Recipe
    from microwright.target import Optimize


@click.command("compile")
@_options.model
@_options.board
@click.option(
    "-o", "out", type=_options.PATH, metavar="DIR", help="Folder of the C. [default: MODEL-BOARD-c]"
)
@_options.optimize
@_options.arena_section
@_options.arch
@_options.sources("calibration")
@_options.recipe
@click.option("--force", is_flag=True, help="Drop edits of the generated files.")
def command(
    model: _options.Given,
    board_id: str,
    out: Path | None,
    optimize: Optimize,
    arena_section: tuple[str, ...],
    arch: str | None,
    recipe: Recipe,
    force: bool,
) -> None:
    """Compile a model to C, for firmware that is there already.

    Writes the model, the kernels that it calls, and a CMakeLists.txt that makes a static library of them.
    `microwright new` makes a whole project around the same C.
    """
    from microwright import library, pipeline

    board = _options.board_of(board_id, arena_section, arch)
    with _options.progress() as progress:
        graph = pipeline.load_graph(model.load(), recipe, progress=progress, on_caution=_options.caution)
    compiled = library.compile_model(graph, board, optimize=optimize)
    project = pipeline.project_directory(model.path, board_id)
    directory = out or project.with_name(project.name + "-c")
    written = library.create(directory, compiled, force=force)
    click.echo(
        f"{directory}: {len(written.files)} files, arena {written.arena_bytes:,} bytes,"
        f" constants {compiled.plan.constant_bytes:,} bytes"
    )
