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
@click.argument("model", type=_options.PATH)
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
    model: Path,
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
    from microwright import comparison, coverage, load, noise, pipeline, sources
    from microwright.cli import _facts, _tables
    from microwright.report import require_agreement, short_name

    if per_layer and other is None:
        raise click.UsageError("--per-layer compares a Keras model with OTHER, its int8 .tflite")
    cautions: list[Caution] = []

    def caution(found: Caution) -> None:
        cautions.append(found)
        _options.caution(found)

    if other is None:
        with _options.progress() as progress:
            graph = pipeline.load_graph(model, on_caution=caution)
            samples = pipeline.take_samples(graph, data, random_inputs, progress=progress)
            agreement = pipeline.check_engine(graph, samples, engine=engine, progress=progress)
        if as_json:
            _facts.show({**asdict(agreement), "warnings": [asdict(caution) for caution in cautions]})
        else:
            _options.console().print(_tables.agreement(agreement))
        require_agreement(agreement, f"the engine {engine} on this computer")
        return
    with _options.progress() as progress:
        one, two = load.load(model), load.load(other)
        for known in (comparison.graph_of(one), comparison.graph_of(two)):
            for found in () if known is None else coverage.of_graph(known):
                caution(found)
        given = None if data is None else sources.load(data, comparison.inputs(one), progress=progress)
        if given is None:
            given = comparison.random_data(one, two, random_inputs)
        compared = comparison.compare(one, two, given, progress=progress)
        layers = noise.measure(one, two, given, progress=progress) if per_layer else ()
    if as_json:
        facts = asdict(compared)
        if per_layer:
            facts["layers"] = [asdict(layer) for layer in layers]
        _facts.show({**facts, "warnings": [asdict(caution) for caution in cautions]})
        return
    names = (model.name[:40], other.name[:40])
    _options.console().print(_tables.comparison(compared, names))
    if compared.classes:
        _options.console().print(_tables.classes(compared, names))
    if per_layer:
        _options.console().print(_tables.noise(layers))
        for layer in noise.worst(layers):
            name = f"layer {layer.index} {layer.op} {short_name(layer.name)!r}"
            click.echo(f"{name} has {layer.own_db:.1f} dB: {layer.advice}")
        if not noise.worst(layers):
            click.echo("no layer stands out")
