"""microwright prune"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from microwright.cli import _options

if TYPE_CHECKING:
    from microwright.sources import Source


@click.command("prune")
@_options.model
@click.option(
    "-o", "out", type=_options.PATH, required=True, metavar="FILE", help="The pruned model, a .keras."
)
@click.option(
    "--sparsity",
    type=click.FloatRange(0, 1, max_open=True),
    required=True,
    metavar="S",
    help="Fraction of the channels to remove, e.g. 0.5.",
)
@click.option(
    "--importance",
    type=click.Choice(["l1", "l2", "gamma"]),
    default="l2",
    show_default=True,
    help="What a channel's rank is made of: the norm of its filter, or its batch normalisation's gamma.",
)
@click.option(
    "--granularity",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    metavar="N",
    help="Keep multiples of N channels.",
)
@click.option(
    "--data",
    type=_options.PATH,
    metavar="SAMPLES",
    help=f"Samples and labels to fine-tune with: {_options.SAMPLES}.",
)
@click.option(
    "--epochs", type=click.IntRange(1), default=10, show_default=True, help="Epochs of fine-tuning."
)
@click.option(
    "--learning-rate",
    type=click.FloatRange(0, min_open=True),
    default=1e-3,
    show_default=True,
    metavar="RATE",
    help="Learning rate of fine-tuning.",
)
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, metavar="N", help="Seed of fine-tuning."
)
@_options.sources("data")
def command(
    model: _options.Given,
    out: Path,
    sparsity: float,
    importance: str,
    granularity: int,
    data: Source | None,
    epochs: int,
    learning_rate: float,
    seed: int,
) -> None:
    """Remove channels from a Keras model; the layers become smaller.

    With --data, the pruned model is trained further, which restores most of the accuracy.
    """
    from microwright import load, sources
    from microwright.compress import fine_tune, prune_channels

    loaded = model.load()
    network, inputs = load.keras_model(loaded), load.inputs(loaded)
    with _options.progress() as progress:
        samples = None if data is None else sources.load(data, inputs, progress=progress)
        pruned = prune_channels(
            network,
            sparsity=sparsity,
            importance=importance,  # type: ignore[arg-type]  # one of the choices
            granularity=granularity,
            progress=progress,
        )
        if samples is not None:
            pruned = fine_tune(
                pruned, samples, epochs=epochs, learning_rate=learning_rate, seed=seed, progress=progress
            )
    load.save(pruned, out)
    before, after = network.count_params(), pruned.count_params()
    click.echo(f"{out}: {after:,} parameters, {before:,} before")
