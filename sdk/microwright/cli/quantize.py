"""microwright quantize"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from microwright.cli import _options

if TYPE_CHECKING:
    from microwright.coverage import Caution
    from microwright.quantize import Recipe
    from microwright.sources import Source


@click.command("quantize")
@_options.model
@click.option(
    "-o", "out", type=_options.PATH, required=True, metavar="FILE", help="The quantised model, a .tflite."
)
@_options.sources("calibration", "validation")
@_options.recipe
@click.option(
    "--validation",
    type=_options.PATH,
    metavar="SAMPLES",
    help="Other samples, and their labels: what quantisation costs on them.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    model: _options.Given, out: Path, recipe: Recipe, validation: Source | None, as_json: bool
) -> None:
    """Quantise a Keras model to int8, or by another scheme.

    MODEL is a .keras, .h5 or SavedModel folder.
    """
    from microwright import _output, comparison, load, pipeline, sources
    from microwright.cli import _facts, _tables
    from microwright.errors import InputError, OutputError

    if out.suffix != ".tflite":
        raise OutputError(f"{out}: a quantised model is saved as .tflite", f"name it {out.stem}.tflite")
    loaded = model.load()
    if loaded.kind == "tflite":
        raise InputError(
            f"{model.path} is a .tflite already", "quantize takes a .keras, .h5 or SavedModel folder"
        )
    cautions: list[Caution] = []
    compared = None
    with _options.progress() as progress:
        given = None
        if validation is not None:
            given = sources.load(validation, load.inputs(loaded), progress=progress)
        graph = pipeline.quantized(loaded, recipe, given, progress=progress, on_caution=cautions.append)
        if given is not None:
            compared = comparison.compare(loaded, comparison.model_of(graph), given, progress=progress)
    for caution in cautions:
        _options.caution(caution)
    _output.write(out, graph.flatbuffer)
    if as_json:
        costs = None if compared is None else asdict(compared)
        _facts.show({**_facts.graph(graph, cautions), "path": str(out), "comparison": costs})
        return
    if compared is not None:
        names = ("float", recipe.scheme)
        _options.console().print(_tables.comparison(compared, names))
        if compared.classes:
            _options.console().print(_tables.classes(compared, names))
    if graph.ranges:
        click.echo(f"ranges: {graph.ranges}")
    click.echo(f"{out}: {len(graph.flatbuffer):,} bytes, {graph.weights_bytes:,} of them weights")
