"""microwright new"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from microwright.cli import _options, _profile

if TYPE_CHECKING:
    from microwright.profile import MlperfTiny
    from microwright.quantize import Recipe
    from microwright.target import Optimize


@click.command("new")
@_options.model
@_options.board
@click.option(
    "-o", "out", type=_options.PATH, metavar="DIR", help="Folder of the project. [default: MODEL-BOARD]"
)
@_options.engine
@_options.optimize
@_options.arena_section
@_options.arch
@_profile.profile
@_options.sources("calibration")
@_options.recipe
@click.option("--force", is_flag=True, help="Drop edits of the project's generated files.")
def command(
    model: _options.Given,
    board_id: str,
    out: Path | None,
    engine: str,
    optimize: Optimize,
    arena_section: tuple[str, ...],
    arch: str | None,
    profile: MlperfTiny | None,
    recipe: Recipe,
    force: bool,
) -> None:
    """Generate the firmware project of a model for a board.

    The project builds with `microwright build`, or with plain CMake where Microwright is not installed.
    """
    from microwright import pipeline, project

    board = _options.board_of(board_id, arena_section, arch)
    with _options.progress() as progress:
        graph = pipeline.load_graph(model.load(), recipe, progress=progress, on_caution=_options.caution)
    directory = out or pipeline.project_directory(model.path, board_id)
    made = project.create(
        directory, graph, board, engine=engine, optimize=optimize, profile=profile, force=force
    )
    click.echo(f"{directory}: {len(made.files)} files, arena {made.arena_bytes:,} bytes")
    if made.profile is not None:
        click.echo(
            f"MLPerf Tiny: {made.profile.model}; input {made.profile.sent}, "
            f"{made.profile.input_bytes:,} bytes; result {made.profile.result}"
        )
