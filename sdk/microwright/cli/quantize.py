"""microwright quantize"""

from __future__ import annotations

from pathlib import Path

import click

from microwright.cli import _options


@click.command("quantize")
@click.argument("model", type=_options.PATH)
@click.option(
    "--calibration",
    type=_options.PATH,
    required=True,
    metavar="FILE",
    help="Samples (.npz or .npy) that look like what the device will see; a few hundred are enough.",
)
@click.option(
    "-o", "out", type=_options.PATH, required=True, metavar="FILE", help="The int8 model, a .tflite."
)
def command(model: Path, calibration: Path, out: Path) -> None:
    """Quantise a Keras model to int8.

    MODEL is a .keras, .h5 or SavedModel folder.
    """
    from microwright import _output, load
    from microwright import data as datas
    from microwright.errors import InputError
    from microwright.quantize import quantize

    samples = datas.load(calibration)
    loaded = load.load(model)
    if loaded.kind == "tflite":
        raise InputError(f"{model} is a .tflite already", "quantize takes a .keras, .h5 or SavedModel folder")
    with _options.progress() as progress:
        graph = quantize(loaded, samples, progress=progress)
    _output.write(out, graph.flatbuffer)
    click.echo(f"{out}: {len(graph.flatbuffer):,} bytes, {graph.weights_bytes:,} of them weights")
