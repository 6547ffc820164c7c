"""microwright compress"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from microwright.cli import _options

if TYPE_CHECKING:
    from microwright.compress import Importance
    from microwright.compress.schedule import Method, RankBy
    from microwright.sources import Source

_GOALS = "--sparsity, --target-latency, --target-macs and --fit"
_FRACTION = click.FloatRange(0, 1, min_open=True, max_open=True)


@click.command("compress")
@_options.model
@click.option(
    "--data",
    type=_options.PATH,
    required=True,
    metavar="SAMPLES",
    help=f"Samples and labels to train with: {_options.SAMPLES}.",
)
@click.option(
    "--validation",
    type=_options.PATH,
    metavar="SAMPLES",
    help="Samples and labels that choose the best weights.  [default: a tenth of --data]",
)
@click.option(
    "-o", "out", type=_options.PATH, required=True, metavar="FILE", help="The compressed model, a .keras."
)
@click.option(
    "--method",
    type=click.Choice(("channel", "block", "unstructured")),
    help="Remove channels, or make blocks of weights zero, or any weights.  [default: channel]",
)
@click.option("--sparsity", type=_FRACTION, metavar="S", help="Remove this fraction of the weights.")
@click.option(
    "--target-latency",
    type=_FRACTION,
    metavar="F",
    help="Go down to this fraction of the instructions, as estimated for --board.",
)
@click.option(
    "--target-macs",
    type=_FRACTION,
    metavar="F",
    help="Go down to this fraction of the multiply-accumulates; channels only.",
)
@click.option("--fit", metavar="BOARD", help="Go on until the int8 model fits this board's memory.")
@click.option(
    "--board",
    "board_id",
    metavar="ID",
    help="Board whose cost model ranks channels.  [default: that of --fit]",
)
@click.option(
    "--importance",
    type=click.Choice(("taylor", "l1", "l2", "gamma")),
    default="taylor",
    show_default=True,
    help="Of a channel: how the loss changes without it, the norm of its filter, or its batch "
    "normalisation's gamma.",
)
@click.option(
    "--rank-by",
    type=click.Choice(("latency", "macs", "bytes")),
    default="latency",
    show_default=True,
    help="What a channel's importance is weighed against: what it costs in instructions, MACs or bytes.",
)
@click.option(
    "--rounds", type=click.IntRange(1), default=4, show_default=True, metavar="N", help="Steps of pruning."
)
@click.option(
    "--granularity",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    metavar="N",
    help="Keep multiples of N channels.",
)
@click.option("--teacher", type=_options.PATH, metavar="MODEL", help="Trained Keras model to learn from.")
@click.option(
    "--temperature",
    type=click.FloatRange(0, min_open=True),
    default=4.0,
    show_default=True,
    metavar="T",
    help="Softens what the teacher says.",
)
@click.option(
    "--teacher-weight",
    type=click.FloatRange(0, 1),
    default=0.5,
    show_default=True,
    metavar="W",
    help="The teacher's part of the loss; the rest is the labels'.",
)
@click.option(
    "--match",
    multiple=True,
    metavar="LAYER",
    help="Layer whose outputs should be like the teacher's; LAYER=OTHER where its name differs there.",
)
@click.option(
    "--epochs",
    type=click.IntRange(1),
    default=20,
    show_default=True,
    metavar="N",
    help="Epochs of training after the last step; after the ones before, a share of them.",
)
@click.option(
    "--learning-rate",
    type=click.FloatRange(0, min_open=True),
    default=1e-3,
    show_default=True,
    metavar="RATE",
    help="Learning rate at the start of each training.",
)
@click.option(
    "--max-drop",
    type=click.FloatRange(0),
    metavar="POINTS",
    help="Percentage points of validation accuracy that int8 may cost; beyond, train with its rounding.",
)
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, metavar="N", help="Of training."
)
@click.option("--resume", is_flag=True, help="Go on from where the same command was interrupted.")
@_options.sources("data", "validation")
def command(
    model: _options.Given,
    data: Source,
    validation: Source | None,
    out: Path,
    method: Method | None,
    sparsity: float | None,
    target_latency: float | None,
    target_macs: float | None,
    fit: str | None,
    board_id: str | None,
    importance: Importance,
    rank_by: RankBy,
    rounds: int,
    granularity: int,
    teacher: Path | None,
    temperature: float,
    teacher_weight: float,
    match: tuple[str, ...],
    epochs: int,
    learning_rate: float,
    max_drop: float | None,
    seed: int,
    resume: bool,
) -> None:
    """Make a Keras model smaller: prune it in steps, train it after each.

    One of --sparsity, --target-latency, --target-macs and --fit says how far; without one, the model is only
    trained: from a --teacher, or with int8's rounding (--max-drop). Ctrl-C leaves the best model so far in
    -o FILE, and --resume goes on.
    """
    from microwright import _output, load, sources
    from microwright import board as boards
    from microwright.cli import _tables
    from microwright.compress import Interrupted, Teacher, compress_model
    from microwright.errors import OutputError

    if out.suffix != ".keras":
        raise OutputError(f"{out}: a Keras model is saved as .keras", f"name it {out.stem}.keras")
    if out.resolve() in [path.resolve() for path in (model.path, teacher) if path is not None]:
        raise OutputError(f"{out} would replace the model that it is made from", "give another name with -o")
    _output.check(out)
    goals = sum(value is not None for value in (sparsity, target_latency, target_macs, fit))
    if goals > 1:
        raise click.UsageError(f"only one of {_GOALS} can be given")
    if method is not None and not goals:
        raise click.UsageError(f"--method needs one of {_GOALS}")
    if match and teacher is None:
        raise click.UsageError("--match needs --teacher")
    fitted = None if fit is None else boards.load(fit)
    board = None if board_id is None else boards.load(board_id)
    loaded = model.load()
    network, inputs = load.keras_model(loaded), load.inputs(loaded)
    learned = None
    if teacher is not None:
        features = {name: other or name for name, _, other in (pair.partition("=") for pair in match)}
        learned = Teacher(load.keras_model(model.load(teacher)), temperature, teacher_weight, features)
    try:
        with _options.progress() as progress:
            samples = sources.load(data, inputs, progress=progress)
            validating = None if validation is None else sources.load(validation, inputs, progress=progress)
            result = compress_model(
                network,
                samples,
                validation=validating,
                method=(method or "channel") if goals else None,
                sparsity=sparsity,
                target_latency=target_latency,
                target_macs=target_macs,
                fit=fitted,
                board=board,
                rank_by=rank_by,
                importance=importance,
                granularity=granularity,
                rounds=rounds,
                epochs=epochs,
                learning_rate=learning_rate,
                teacher=learned,
                max_drop=max_drop,
                checkpoint=out.with_name(f".{out.stem}.part"),
                resume=resume,
                seed=seed,
                progress=progress,
                on_caution=_options.caution,
            )
    except Interrupted as stop:
        if stop.model is None:
            raise KeyboardInterrupt("nothing was trained yet") from None
        load.save(stop.model, out)
        raise KeyboardInterrupt(f"the best model so far is in {out}; --resume goes on from it") from None
    load.save(result.model, out)
    result.remove_checkpoint()
    console = _options.console()
    console.print(_tables.compression(result))
    if result.int8_accuracy is not None:
        click.echo(f"int8: {result.int8_accuracy:.2%} of the validation samples right")
    click.echo(f"{out}: {result.steps[-1].parameters:,} parameters, {result.steps[0].parameters:,} before")
