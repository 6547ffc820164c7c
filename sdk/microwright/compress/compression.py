"""The whole of compression: prune in steps, train after each, learn from a teacher, train for int8."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from microwright import coverage, load, quantize
from microwright import data as datas
from microwright import target as targets
from microwright.board import Board
from microwright.compress import distil, feed, finetune, losses, masks
from microwright.compress.checkpoint import Checkpoint, Step
from microwright.compress.distil import Teacher
from microwright.compress.finetune import Interrupted
from microwright.compress.importance import Importance
from microwright.compress.inline import inline
from microwright.compress.job import Job
from microwright.compress.schedule import Goal, Method, RankBy, Ranking, schedule
from microwright.coverage import Caution
from microwright.data import Data
from microwright.errors import InputError
from microwright.progress import Progress, silent
from microwright.target import PORTABLE


@dataclass(frozen=True, eq=False)
class Compressed:
    """The compressed Keras model and how it came about, the model as given first.

    `int8_accuracy` is the share of the validation samples that its int8 form gets right, None where that was
    not asked for. `dense` are layers whose zeros no kernel of the core skips, so that they have none.
    """

    model: Any
    steps: tuple[Step, ...]
    int8_accuracy: float | None
    dense: tuple[str, ...] = ()
    _kept: Checkpoint | None = None

    def remove_checkpoint(self) -> None:
        """Remove the files to resume from: the model is saved."""
        if self._kept is not None:
            self._kept.remove()


def compress_model(
    model: Any,
    data: Data | Any,
    *,
    validation: Data | Any | None = None,
    method: Method | None = "channel",
    sparsity: float | None = None,
    target_latency: float | None = None,
    target_macs: float | None = None,
    fit: Board | None = None,
    board: Board | None = None,
    rank_by: RankBy = "latency",
    importance: Importance = "taylor",
    granularity: int = 1,
    minimum: int = 2,
    rounds: int = 4,
    epochs: int = 20,
    learning_rate: float = 1e-3,
    batch_size: int = 32,
    optimizer: Any = None,
    loss: Any = None,
    callbacks: Sequence[Any] = (),
    teacher: Teacher | Any | None = None,
    max_drop: float | None = None,
    checkpoint: Path | None = None,
    resume: bool = False,
    seed: int = 0,
    progress: Progress = silent,
    on_caution: Callable[[Caution], None] = coverage.ignore,
) -> Compressed:
    """A smaller Keras 3 model that does the same task: pruned in rounds and fine-tuned after each.

    data, validation  Data, or tf.data.Datasets of batches (x, y). Without `validation`, a tenth of Data is
                      set aside for it
    method            "channel" removes channels; "block" makes blocks of weights zero that the board's
                      kernels skip; "unstructured" any weights; None trains only, e.g. from a teacher
    sparsity          how much is to go: this fraction of the weights of convolutions and dense layers,
    target_latency    or instructions down to this fraction of the model's, as estimated for the board,
    target_macs       or multiply-accumulates down to this fraction (channels only: zeros leave their number),
    fit               or as much as it takes until the int8 model fits the memory of this board
    board             whose cost model ranks channels and estimates (default: `fit`, else portable code)
    rank_by           channels go that matter least for the "latency", "macs" or "bytes" that they cost
    importance        of a channel: "l1", "l2" or "gamma" (see `prune_channels`), or "taylor", the change of
                      the loss on the data
    granularity, minimum   of the channels that stay in a layer, as for `prune_channels`
    rounds            steps of pruning, each by about the same factor
    epochs            of the training after the last step; after each before it, epochs / rounds
    teacher           a trained Keras model, or a Teacher with its options
    max_drop          percentage points that int8 may cost on the validation data; where it costs more, the
                      model is trained on with int8's rounding
    checkpoint        file name without suffix that holds what is done; `resume` goes on from there, until
                      `remove_checkpoint` of the result
    on_caution        is told of layers that stay dense before the first step
    others            as for `fine_tune`

    With the same arguments and a CPU, the result is the same, also after an interruption. Raises InputError
    where arguments, data and model do not fit, or the target cannot be reached; Ctrl-C raises
    `Interrupted` with the best model so far.
    """
    wanted = [sparsity, target_latency, target_macs, fit]
    if (method is None) != all(value is None for value in wanted) or sum(v is not None for v in wanted) > 1:
        raise InputError(
            f"method {method} with sparsity {sparsity}, target latency {target_latency}, "
            f"target MACs {target_macs} and fit {None if fit is None else fit.id}",
            "give one of sparsity, target_latency, target_macs and fit with a method, and none without",
        )
    if target_macs is not None and method != "channel":
        raise InputError(
            f"method {method} leaves the number of multiply-accumulates as it is",
            "give a target latency, or prune channels",
        )
    if method is None and teacher is None and max_drop is None:
        raise InputError("there is nothing to do", "give a method, a teacher or max_drop")
    for name, value in (
        ("sparsity", sparsity),
        ("target latency", target_latency),
        ("target MACs", target_macs),
    ):
        if value is not None and not 0 < value < 1:
            raise InputError(f"{name} {value:g} is not between 0 and 1", "give a fraction, e.g. 0.5")
    if rounds < 1 or granularity < 1 or minimum < 1 or (max_drop is not None and not max_drop >= 0):
        raise InputError(
            f"{rounds} rounds, granularity {granularity}, minimum {minimum}, largest drop {max_drop}",
            "give at least 1 round, a granularity and a minimum of 1 or more, and a drop of 0 or more",
        )
    target = PORTABLE if (board or fit) is None else targets.of(board or fit)  # type: ignore[arg-type]
    model = inline(model)
    if teacher is not None and not isinstance(teacher, Teacher):
        teacher = Teacher(teacher)
    if teacher is not None:
        distil.check(model, teacher)
    if isinstance(data, Data):
        if data.samples < quantize.MIN_SAMPLES:
            raise InputError(
                f"{data.samples} samples are too few to train with", f"give {quantize.MIN_SAMPLES} or more"
            )
        if validation is None:
            data, validation = datas.split(data, 0.9, seed=seed)
    loss = finetune.prepared(model, data, validation, loss)
    if max_drop is not None:
        validation = _classified(model, validation, loss)
    job = Job(
        data=data,
        validation=validation,
        target=target,
        loss=loss,
        options={
            "learning_rate": learning_rate,
            "batch_size": batch_size,
            "optimizer": optimizer,
            "callbacks": callbacks,
            "teacher": teacher,
            "keep_zeros": True,
        },
        progress=progress,
    )
    ranking = Ranking(rank_by if fit is None else "bytes", importance, granularity, minimum)
    steps = schedule(job, model, method, Goal(sparsity, target_latency, target_macs, fit), ranking, rounds)
    arguments = {
        "model": load.from_keras(model, model.name).sha256,
        "data": _digest(data),
        "validation": _digest(validation),
        "teacher": "" if teacher is None else distil.digest(teacher),
        "training": finetune.digest(optimizer, loss),
        "options": repr(
            (
                *(method, sparsity, target_latency, target_macs, fit and fit.text, target, ranking, rounds),
                *(epochs, learning_rate, batch_size, max_drop, seed),
            )
        ),
    }
    dense = masks.without_kernels(model, "block", target) if method == "block" else ()
    if dense:
        on_caution(
            Caution(
                "stays-dense",
                f"{', '.join(dense)[:200]}: no kernel for blocks of zeros of a convolution on {target.core}",
                masks.ANOTHER_CORE,
            )
        )
    kept = Checkpoint(checkpoint, arguments)
    done: list[Step] = [job.step("as given", model)]
    current = model
    if resume:
        current, done = kept.restore(current, done)
    try:
        for index, (what, shrink) in enumerate(steps):
            if index + 1 < len(done):
                continue
            last = index == len(steps) - 1
            spent = epochs if last else max(1, epochs // len(steps))
            current = job.train(shrink(current, seed + index), what, spent, seed + index)
            done.append(job.step(what, current))
            kept.save(current, done)
        accuracy = None
        if max_drop is not None:
            current, accuracy, done = job.limit_drop(current, done, max_drop, epochs, seed + len(steps))
    except KeyboardInterrupt as stop:
        best = stop.model if isinstance(stop, Interrupted) else None
        raise Interrupted(best if best is not None else current if len(done) > 1 else None) from None
    return Compressed(current, tuple(done), accuracy, dense, kept)


def _classified(model: Any, validation: Data | Any | None, loss: Any) -> Data:
    """The validation samples, of which a model and its int8 form get a share right. Raises InputError."""
    found = None if validation is None else feed.some(model, validation, 1 << 30)
    if found is None or not losses.classifies(model, found.labels, loss):
        raise InputError(
            "there is no accuracy whose drop could be limited",
            "give validation data with classes as labels, or leave out max_drop",
        )
    return found


def _digest(data: Data | Any | None) -> str:
    """Of the samples; a dataset cannot be told from another."""
    if not isinstance(data, Data):
        return type(data).__name__
    digest = hashlib.sha256()
    for array in (*data.inputs, *(() if data.labels is None else (data.labels,))):
        digest.update(f"{array.dtype} {array.shape} ".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
