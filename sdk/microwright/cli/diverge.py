"""microwright diverge"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from microwright.cli import _options

if TYPE_CHECKING:
    from microwright.sources import Source


@click.command("diverge")
@click.argument("project", type=_options.PATH)
@_options.port
@_options.runner
@_options.probe
@_options.record
@_options.replay
@_options.sources("data")
@_options.inputs
@click.option("--all", "every", is_flag=True, help="Compare and list all layers, also behind the first.")
@click.option("--json", "json_path", type=_options.PATH, metavar="FILE", help="Write the result here.")
def command(
    project: Path,
    port: str | None,
    runner: str | None,
    probe: str | None,
    record: Path | None,
    replay: Path | None,
    data: Source | None,
    random_inputs: int,
    every: bool,
    json_path: Path | None,
) -> None:
    """Find the first layer where a device's tensors differ.

    Runs the inputs on the device of a built project, and on this computer with the same model compiled for
    it. One whose outputs differ, else the first, runs on both layer by layer, and all tensors in between are
    compared. Exit code 8 where something differs.
    """
    import json

    from microwright import _output, diverge, pipeline
    from microwright import build as builds
    from microwright import project as projects
    from microwright.cli import _tables
    from microwright.errors import MismatchError

    image = builds.open_image(projects.open_project(project))
    with _options.progress() as progress, _options.line(port, record, replay) as (url, connect):
        samples = pipeline.take_samples(
            image.project.graph, data, random_inputs, progress=progress, on_caution=_options.caution
        )
        found = diverge.locate(
            image,
            samples.inputs,
            url=url,
            runner=runner,
            probe=probe,
            every=every,
            progress=progress,
            on_log=_options.device_log,
            connect=connect,
        )
    if json_path is not None:
        text = json.dumps(diverge.to_json(found), indent=2, allow_nan=False)
        _output.write(json_path, text.encode() + b"\n")
    for part in _tables.divergence(found, every=every):
        _options.console().print(part)
    if found.fault != "none":
        raise MismatchError(diverge.summary(found), found.advice)
