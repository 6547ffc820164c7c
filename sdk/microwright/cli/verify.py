"""microwright verify"""

from __future__ import annotations

from pathlib import Path

import click

from microwright.cli import _options


@click.command("verify")
@click.argument("model", type=_options.PATH)
@click.argument("other", type=_options.PATH, required=False)
@_options.inputs
@_options.engine
def command(model: Path, other: Path | None, data: Path | None, random_inputs: int, engine: str) -> None:
    """Compare a model's engine with the reference, or two models.

    With MODEL alone, a .tflite: compiles it for this computer and compares the outputs to the byte with the
    reference interpreter. With OTHER, compares what the two models say: classes and, where --data has labels,
    accuracy; each of them a .tflite or a Keras file.
    """
    from microwright import comparison, load, pipeline
    from microwright import data as datas
    from microwright.cli import _tables
    from microwright.report import require_agreement

    if other is None:
        with _options.progress() as progress:
            graph = pipeline.load_graph(model)
            samples = pipeline.take_samples(graph, data, random_inputs)
            agreement = pipeline.check_engine(graph, samples, engine=engine, progress=progress)
        _options.console().print(_tables.agreement(agreement))
        require_agreement(agreement, f"the engine {engine} on this computer")
        return
    given = None if data is None else datas.load(data)
    with _options.progress() as progress:
        compared = comparison.compare(
            load.load(model), load.load(other), given, random_inputs, progress=progress
        )
    _options.console().print(_tables.comparison(compared))
