"""microwright mlperf"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from microwright.cli import _options

if TYPE_CHECKING:
    from microwright.mlperf.benchmark import Mode
    from microwright.sources import Source


@click.command("mlperf")
@click.argument("project", type=_options.PATH)
@click.option(
    "--mode",
    required=True,
    type=click.Choice(("accuracy", "performance")),
    help="Classes and AUC over a data set, or the throughput of five windows.",
)
@_options.port
@_options.runner
@_options.probe
@_options.record
@_options.replay
@_options.sources("data")
@click.option(
    "--data",
    type=_options.PATH,
    metavar="SAMPLES",
    help=f"A folder with the benchmark's y_labels.csv; or {_options.SAMPLES}.",
)
@click.option(
    "--inferences",
    type=click.IntRange(1, 1_000_000),
    metavar="N",
    help="Inferences a window; default: as many as take 10 s, 10 under an emulator.",
)
@click.option("--json", "json_path", type=_options.PATH, metavar="FILE", help="Write the results here.")
def command(
    project: Path,
    mode: Mode,
    port: str | None,
    runner: str | None,
    probe: str | None,
    record: Path | None,
    replay: Path | None,
    data: Source | None,
    inferences: int | None,
    json_path: Path | None,
) -> None:
    """Benchmark a project as MLPerf Tiny's runner does.

    The project is made with --profile mlperf-tiny, and built. What was measured before Ctrl-C is kept.
    """
    from microwright import build as builds
    from microwright import mlperf
    from microwright import project as projects

    if mode == "accuracy" and data is None:
        raise click.UsageError("--mode accuracy takes --data SAMPLES with labels")
    if mode == "accuracy" and inferences is not None:
        raise click.UsageError("--inferences is for --mode performance")
    image = builds.open_image(projects.open_project(project))
    partial_path = json_path or project / "mlperf-partial.json"

    def keep(partial: mlperf.Report) -> None:
        mlperf.write(partial, partial_path)
        click.echo(f"note: not complete: what was measured is in {partial_path}", err=True)

    with _options.progress() as progress, _options.line(port, record, replay) as (url, connect):
        result = mlperf.evaluate(
            image,
            mode,
            data,
            url=url,
            runner=runner,
            probe=probe,
            inferences=inferences,
            progress=progress,
            on_log=_options.device_log,
            on_partial=keep,
            connect=connect,
        )
    if json_path is not None:
        mlperf.write(result, json_path)
    mlperf.render(result, _options.console())
