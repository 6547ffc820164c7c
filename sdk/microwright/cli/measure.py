"""microwright measure"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from microwright.cli import _options

if TYPE_CHECKING:
    from microwright.sources import Source


@click.command("measure")
@click.argument("project", type=_options.PATH)
@_options.port
@_options.runner
@_options.probe
@_options.record
@_options.replay
@_options.sources("data")
@_options.inputs
@_options.timing
@click.option("--json", "json_path", type=_options.PATH, metavar="FILE", help="Write the report here.")
def command(
    project: Path,
    port: str | None,
    runner: str | None,
    probe: str | None,
    record: Path | None,
    replay: Path | None,
    data: Source | None,
    random_inputs: int,
    warmup: int,
    runs: int | None,
    per_layer: bool,
    json_path: Path | None,
) -> None:
    """Measure a built project on its board.

    Starts the firmware on an emulator, or takes the board at its port; with --runner and a flash tool,
    flashes it first. Runs the inputs, compares the outputs with the reference interpreter, and reports
    latency and memory. --replay with the file of --record, and else the
    same options, gives the same report without a device.
    """
    from microwright import build as builds
    from microwright import coverage, pipeline, report, terminal
    from microwright import project as projects

    image = builds.open_image(projects.open_project(project))
    graph = image.project.graph
    cautions = list(coverage.of_graph(graph))
    partial_path = json_path or project / pipeline.PARTIAL

    def write_partial(partial: report.Report) -> None:
        report.write(partial, partial_path)
        _options.partial(partial_path)(partial)

    with _options.progress() as progress, _options.line(port, record, replay) as (url, connect):
        samples = pipeline.take_samples(
            graph, data, random_inputs, progress=progress, on_caution=cautions.append
        )
        for caution in cautions:
            _options.caution(caution)
        result = pipeline.evaluate(
            image,
            samples,
            url=url,
            runner=runner,
            probe=probe,
            warmup=warmup,
            runs=runs,
            per_layer=per_layer,
            cautions=cautions,
            progress=progress,
            on_log=_options.device_log,
            on_caution=_options.caution,
            on_partial=write_partial,
            connect=connect,
        )
    if json_path is not None:
        report.write(result, json_path)
    terminal.render(result, _options.console())
    report.require_agreement(
        result.agreement,
        result.board,
        f"`microwright diverge {project}` with the same inputs names the layer where they part",
    )
