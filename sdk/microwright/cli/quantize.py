"""microwright quantize"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from microwright.cli import _options

if TYPE_CHECKING:
    from microwright.quantize import Recipe


@click.command("quantize")
@click.argument("model", type=_options.PATH)
@click.option(
    "-o", "out", type=_options.PATH, required=True, metavar="FILE", help="The int8 model, a .tflite."
)
@_options.sources("calibration")
@_options.recipe
def command(model: Path, recipe: Recipe, out: Path) -> None:
    """Quantise a Keras model to int8.

    MODEL is a .keras, .h5 or SavedModel folder.
    """
    from microwright import _output, load, pipeline
    from microwright.errors import InputError

    loaded = load.load(model)
    if loaded.kind == "tflite":
        raise InputError(f"{model} is a .tflite already", "quantize takes a .keras, .h5 or SavedModel folder")
    with _options.progress() as progress:
        graph = pipeline.to_int8(loaded, recipe, progress=progress)
    _output.write(out, graph.flatbuffer)
    click.echo(f"{out}: {len(graph.flatbuffer):,} bytes, {graph.weights_bytes:,} of them weights")
