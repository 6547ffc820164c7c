"""microwright verify"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from microwright.cli import _options

if TYPE_CHECKING:
    from microwright.coverage import Caution
    from microwright.sources import Source


@click.command("verify")
@_options.model
@click.argument("other", type=_options.PATH, required=False)
@_options.sources("data")
@_options.inputs
@_options.engine
@click.option(
    "--per-layer",
    is_flag=True,
    help="Show how precise each layer of OTHER is, the int8 form of a Keras MODEL.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    model: _options.Given,
    other: Path | None,
    data: Source | None,
    random_inputs: int,
    engine: str,
    per_layer: bool,
    as_json: bool,
) -> None:
    """Compare a model's engine with the reference, or two models.

    With MODEL alone, a .tflite: compiles it for this computer and compares the outputs to the byte with the
    reference interpreter. With OTHER, compares what the two models say: classes and, where --data has labels,
    accuracy; each of them a .tflite or a Keras file.
    """
    from microwright import noise, pipeline
    from microwright.cli import _facts, _tables
    from microwright.errors import InputError
    from microwright.report import require_agreement, short_name

    if per_layer and other is None:
        raise click.UsageError("--per-layer compares a Keras model with OTHER, its int8 .tflite")
    if other is not None and _options.given("engine"):
        raise click.UsageError(
            "--engine is for MODEL alone; with OTHER, reference interpreters run the models"
        )
    cautions: list[Caution] = []

    def note(caution: Caution) -> None:
        cautions.append(caution)
        _options.caution(caution)

    console = _options.console()
    if other is None:
        with _options.progress() as progress:
            loaded = model.load()
            if loaded.kind != "tflite":
                raise InputError(
                    f"{model.path} is no .tflite, which is what an engine runs",
                    "quantise it first (microwright quantize), and verify that, alone or as OTHER",
                )
            graph = pipeline.load_graph(loaded, on_caution=note)
            samples = pipeline.take_samples(graph, data, random_inputs, progress=progress, on_caution=note)
            agreement = pipeline.check_engine(graph, samples, engine=engine, progress=progress)
        if as_json:
            _facts.show({**asdict(agreement), "warnings": [asdict(caution) for caution in cautions]})
        else:
            console.print(_tables.agreement(agreement))
        require_agreement(agreement, f"the engine {engine} on this computer")
        return
    with _options.progress() as progress:
        compared, layers = pipeline.compare_models(
            model.load(),
            model.load(other),
            data,
            random_inputs,
            per_layer=per_layer,
            progress=progress,
            on_caution=note,
        )
    if as_json:
        noises = {"layers": [asdict(layer) for layer in layers]} if per_layer else {}
        _facts.show({**asdict(compared), **noises, "warnings": [asdict(caution) for caution in cautions]})
        return
    names = (model.path.name[:40], other.name[:40])
    console.print(_tables.comparison(compared, names))
    if compared.classes:
        console.print(_tables.classes(compared, names))
    if per_layer:
        console.print(_tables.noise(layers))
        for layer in noise.worst(layers):
            name = f"layer {layer.index} {layer.op} {short_name(layer.name)!r}"
            click.echo(f"{name} has {layer.own_db:.1f} dB: {layer.advice}")
        if not noise.worst(layers):
            click.echo("no layer stands out")
