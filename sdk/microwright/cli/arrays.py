"""microwright arrays"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from microwright.cli import _options

if TYPE_CHECKING:
    from microwright.quantize import Recipe


@click.command("arrays")
@_options.model
@click.option("-o", "out", type=_options.PATH, required=True, metavar="DIR", help="Folder of the two files.")
@click.option("--name", metavar="NAME", help="Name in the C identifiers. [default: the model's]")
@_options.sources("calibration")
@_options.recipe
def command(model: _options.Given, out: Path, name: str | None, recipe: Recipe) -> None:
    """Write a model as C arrays for TensorFlow Lite Micro.

    Makes model_data.h and model_data.cc from a .tflite, or from a Keras file with --calibration.
    """
    from microwright import _output, pipeline
    from microwright.emit import arrays

    with _options.progress() as progress:
        graph = pipeline.load_graph(model.load(), recipe, progress=progress, on_caution=_options.caution)
    for path, text in arrays.emit(graph, name).items():
        _output.write(out / path, text.encode())
        click.echo(out / path)
