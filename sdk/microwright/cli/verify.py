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
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    model: Path, other: Path | None, data: Source | None, random_inputs: int, engine: str, as_json: bool
) -> None:
    """Compare a model's engine with the reference, or two models.

    With MODEL alone, a .tflite: compiles it for this computer and compares the outputs to the byte with the
    reference interpreter. With OTHER, compares what the two models say: classes and, where --data has labels,
    accuracy; each of them a .tflite or a Keras file.
    """
    from microwright import comparison, coverage, load, pipeline, sources
    from microwright.cli import _facts, _tables
    from microwright.report import require_agreement

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
        compared = comparison.compare(one, two, given, random_inputs, progress=progress)
    if as_json:
        _facts.show({**asdict(compared), "warnings": [asdict(caution) for caution in cautions]})
        return
    _options.console().print(_tables.comparison(compared))
    if compared.classes:
        _options.console().print(_tables.classes(compared))
