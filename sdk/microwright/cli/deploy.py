"""microwright deploy"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from microwright.cli import _options, _profile, _remote

if TYPE_CHECKING:
    from microwright.build import Toolchain
    from microwright.interpreted import LiteRt
    from microwright.profile import MlperfTiny
    from microwright.quantize import Recipe
    from microwright.sources import Source
    from microwright.target import Optimize


@click.command("deploy")
@_options.model
@_options.board
@click.option(
    "-o", "out", type=_options.PATH, metavar="DIR", help="Folder of the project. [default: MODEL-BOARD]"
)
@_options.engine
@_options.optimize
@_options.arena_section
@_options.arch
@_options.toolchain
@_profile.profile
@_options.sources("data", "calibration")
@_options.inputs
@_options.timing
@_options.recipe
@_options.port
@_options.runner
@_options.probe
@_remote.remote
@_options.record
@click.option("--json", "json_path", type=_options.PATH, metavar="FILE", help="Write the report here, too.")
@click.option("--force", is_flag=True, help="Drop edits of the project's generated files.")
def command(
    model: _options.Given,
    board_id: str,
    out: Path | None,
    data: Source | None,
    random_inputs: int,
    engine: str,
    optimize: Optimize,
    arena_section: tuple[str, ...],
    arch: str | None,
    toolchain: Toolchain | None,
    profile: MlperfTiny | None,
    recipe: Recipe,
    port: str | None,
    runner: str | None,
    probe: str | None,
    host: str | None,
    serial: str | None,
    litert: LiteRt | None,
    sustained_s: int,
    warmup: int,
    runs: int | None,
    per_layer: bool,
    record: Path | None,
    json_path: Path | None,
    force: bool,
) -> None:
    """The whole job: from a model file to a measurement.

    MODEL is a .tflite, or a Keras file (.keras, .h5, SavedModel folder) with --calibration. Generates a
    firmware project for the board, builds it, flashes it or starts it on an emulator, runs the inputs,
    compares the outputs with the reference interpreter, and writes report.json into the project.
    """
    from microwright import pipeline, report, terminal

    directory = out or pipeline.project_directory(model.path, board_id)
    with _options.progress() as progress, _options.line(port, record) as (url, connect):
        result = pipeline.deploy(
            model.load(),
            board_id,
            out=directory,
            data=data,
            engine=engine,
            optimize=optimize,
            arena_section=arena_section,
            arch=arch,
            toolchain=toolchain,
            profile=profile,
            random_inputs=random_inputs,
            json_path=json_path,
            calibration=recipe,
            url=url,
            runner=runner,
            probe=probe,
            host=host,
            serial=serial,
            litert=litert,
            sustained_s=sustained_s,
            warmup=warmup,
            runs=runs,
            per_layer=per_layer,
            force=force,
            progress=progress,
            on_log=_options.device_log,
            on_caution=_options.caution,
            on_partial=_options.partial(json_path or directory / pipeline.REPORT),
            connect=connect,
        )
    terminal.render(result, _options.console())
    click.echo(f"project  {directory}")
    if litert is None:
        click.echo(f"ELF      {directory / 'build' / 'firmware.elf'}")
    click.echo(f"report   {json_path or directory / pipeline.REPORT}")
    report.require_agreement(
        result.agreement,
        result.board,
        f"`microwright diverge {directory}` with the same inputs names the layer where they part",
    )
