"""The whole of compression: prune in steps, train after each, learn from a teacher, train for int8."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np

from microwright import comparison, library, load, passes, quantize
from microwright import data as datas
from microwright import plan as plans
from microwright import target as targets
from microwright.board import Board
from microwright.compress import cost, distil, finetune, masks, trace
from microwright.compress.channels import prune_to
from microwright.compress.checkpoint import Checkpoint, Step
from microwright.compress.cost import Cost
from microwright.compress.distil import Teacher
from microwright.compress.finetune import Interrupted, fine_tune
from microwright.compress.importance import Importance, Scores, norms, taylor
from microwright.compress.inline import inline
from microwright.data import Data
from microwright.errors import InputError, TooLarge
from microwright.graph import Graph
from microwright.kernels import code
from microwright.load import Model
from microwright.progress import Progress, silent
from microwright.target import PORTABLE, Target

Method: TypeAlias = Literal["channel", "block", "unstructured"]
RankBy: TypeAlias = Literal["latency", "bytes"]

# Of the samples, for what does not need all of them.
_CALIBRATION_SAMPLES = 500
_SHAPE_SAMPLES = 20
_IMPORTANCE_SAMPLES = 512
_IMPORTANCE_BATCH = 16
# About what a firmware has in flash beside its kernels and the model.
_FIRMWARE_BYTES = 6_000


@dataclass(frozen=True, eq=False)
class Compressed:
    """The compressed Keras model and how it came about, the model as given first.

    `int8_accuracy` is the share of the validation samples that its int8 form gets right, None where that was
    not asked for.
    """

    model: Any
    steps: tuple[Step, ...]
    int8_accuracy: float | None


def compress_model(
    model: Any,
    data: Data | Any,
    *,
    validation: Data | Any | None = None,
    method: Method | None = "channel",
    sparsity: float | None = None,
    target_latency: float | None = None,
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
) -> Compressed:
    """A smaller Keras 3 model that does the same task: pruned in rounds and fine-tuned after each.

    data, validation  Data, or tf.data.Datasets of batches (x, y). Without `validation`, a tenth of Data is
                      set aside for it
    method            "channel" removes channels; "block" makes blocks of weights zero that the board's
                      kernels skip; "unstructured" any weights; None trains only, e.g. from a teacher
    sparsity          how much is to go: this fraction of the weights of convolutions and dense layers,
    target_latency    or instructions down to this fraction of the model's, as estimated for the board,
    fit               or as much as it takes until the int8 model fits the memory of this board
    board             whose cost model ranks channels and estimates (default: `fit`, else portable code)
    rank_by           channels go that matter least for the "latency" or the "bytes" that they cost
    importance        of a channel: "l1", "l2" or "gamma" (see `prune_channels`), or "taylor", the change of
                      the loss on the data
    granularity, minimum   of the channels that stay in a layer, as for `prune_channels`
    rounds            steps of pruning, each by about the same factor
    epochs            of the training after the last step; after each before it, epochs / rounds
    teacher           a trained Keras model, or a Teacher with its options
    max_drop          percentage points that int8 may cost on the validation data; where it costs more, the
                      model is trained on with int8's rounding
    checkpoint        file name without suffix that holds what is done; `resume` goes on from there. It is
                      removed at the end
    others            as for `fine_tune`

    With the same arguments and a CPU, the result is the same, also after an interruption. Raises InputError
    where arguments, data and model do not fit, or the target cannot be reached; Ctrl-C raises
    `Interrupted` with the best model so far.
    """
    wanted = [sparsity, target_latency, fit]
    if (method is None) != all(value is None for value in wanted) or sum(v is not None for v in wanted) > 1:
        raise InputError(
            f"method {method} with sparsity {sparsity}, target latency {target_latency} and fit "
            f"{None if fit is None else fit.id}",
            "give one of sparsity, target_latency and fit with a method, and none without",
        )
    if method is None and teacher is None and max_drop is None:
        raise InputError("there is nothing to do", "give a method, a teacher or max_drop")
    for name, value in (("sparsity", sparsity), ("target latency", target_latency)):
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
    if max_drop is not None and not isinstance(validation, Data):
        validation = None if validation is None else finetune.some(validation, 1 << 30)
        if validation is None or validation.labels is None or validation.labels.dtype.kind != "i":
            raise InputError(
                "there is no accuracy whose drop could be limited",
                "give validation data with classes as labels, or leave out max_drop",
            )
    if loss is None:
        finetune.check_labels(model, validation)
    job = _Job(
        data=data,
        validation=validation,
        target=target,
        loss=finetune.loss_for(model, data, loss),
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
    ranking = _Ranking(rank_by if fit is None else "bytes", importance, granularity, minimum)
    steps = _plan(job, model, method, _Goal(sparsity, target_latency, fit), ranking, rounds)
    arguments = {
        "model": load.from_keras(model, model.name).sha256,
        "data": _digest(data),
        "validation": _digest(validation),
        "teacher": "" if teacher is None else load.from_keras(teacher.model, "").sha256,
        "options": repr(
            (
                *(method, sparsity, target_latency, fit and fit.text, target, ranking, rounds),
                *(epochs, learning_rate, batch_size, max_drop, seed),
            )
        ),
    }
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
    kept.remove()
    return Compressed(current, tuple(done), accuracy)


_Shrink: TypeAlias = Callable[[Any, int], Any]


@dataclass(frozen=True, eq=False)
class _Job:
    """What all steps of a compression share. `options` go to `fine_tune`."""

    data: Data | Any
    validation: Data | Any | None
    target: Target
    loss: Any
    options: Mapping[str, Any]
    progress: Progress

    def train(self, model: Any, what: str, epochs: int, seed: int, **options: Any) -> Any:
        """The model, trained; progress names the step."""

        step = what

        def named(what: str, done: int, total: int) -> None:
            self.progress(step, done, total)

        return fine_tune(
            model,
            self.data,
            validation=self.validation,
            validation_split=0,
            epochs=epochs,
            loss=self.loss,
            seed=seed,
            progress=named,
            **{**self.options, **options},
        )

    def step(self, what: str, model: Any) -> Step:
        """How the model does."""
        result = None if self.validation is None else finetune.score(model, self.validation, self.loss)
        return Step(
            what,
            model.count_params(),
            cost.total(model, self.target),
            None if result is None else result.loss,
            None if result is None else result.accuracy,
        )

    def scores(self, model: Any, traced: trace.Trace, how: Importance, seed: int) -> Scores:
        """Importance of the model's channels."""
        if how != "taylor":
            return norms(traced, how)
        some = finetune.some(self.data, _IMPORTANCE_SAMPLES, seed)
        return taylor(
            model,
            traced,
            finetune.batches(model, some, _IMPORTANCE_BATCH),
            finetune.loss_function(self.loss),
        )

    def int8(self, model: Any, count: int = _CALIBRATION_SAMPLES) -> Graph:
        """The model's int8 form, calibrated with `count` training samples."""
        calibration = finetune.some(self.data, count)
        return quantize.quantize(load.from_keras(model, model.name), calibration)

    def limit_drop(
        self, model: Any, done: list[Step], max_drop: float, epochs: int, seed: int
    ) -> tuple[Any, float, list[Step]]:
        """The model, trained with int8's rounding where int8 costs too much; the better of the two."""
        float_accuracy, int8_accuracy = self._accuracies(model)
        if 100 * (float_accuracy - int8_accuracy) <= max_drop + 1e-9:
            return model, int8_accuracy, done
        what = "train for int8"
        tuned = self.train(model, what, epochs, seed, quantization_aware=True)
        _, tuned_accuracy = self._accuracies(tuned)
        if tuned_accuracy <= int8_accuracy:
            return model, int8_accuracy, done
        return tuned, tuned_accuracy, [*done, self.step(what, tuned)]

    def _accuracies(self, model: Any) -> tuple[float, float]:
        """Of the model and of its int8 form."""
        graph = self.int8(model)
        int8 = Model(Path(model.name), model.name, graph.sha256, "tflite", None, graph.flatbuffer)
        result = comparison.compare(
            load.from_keras(model, model.name), int8, self.validation, progress=self.progress
        )
        assert result.accuracy is not None  # the validation data has classes
        assert result.other_accuracy is not None
        return result.accuracy, result.other_accuracy


@dataclass(frozen=True)
class _Ranking:
    """How channels are chosen: see `compress_model`."""

    by: RankBy
    importance: Importance
    granularity: int
    minimum: int

    def gain(self, found: Cost) -> float:
        """What of a cost counts."""
        return found.instructions if self.by == "latency" else float(found.flash_bytes)


@dataclass(frozen=True)
class _Goal:
    """How far: one of them is given, or none."""

    sparsity: float | None
    target_latency: float | None
    fit: Board | None


def _plan(
    job: _Job, model: Any, method: Method | None, goal: _Goal, ranking: _Ranking, rounds: int
) -> list[tuple[str, _Shrink]]:
    """What each step is called, and how it shrinks the model before it is trained."""
    if method is None:
        return [] if job.options["teacher"] is None else [("distil", lambda current, _: current)]
    shrinks = (
        _channels(job, model, goal, ranking, rounds)
        if method == "channel"
        else _zeros(job, model, goal, method, rounds)
    )
    return [(f"prune {index + 1}/{rounds}", shrink) for index, shrink in enumerate(shrinks)]


def _channels(job: _Job, model: Any, goal: _Goal, ranking: _Ranking, rounds: int) -> list[_Shrink]:
    """Each step removes the same share of what the goal counts."""
    full = cost.total(model, job.target)

    def shrink(current: Any, seed: int, measure: Callable[[Cost], float], share: float) -> Any:
        traced = trace.follow(current)
        limit = share * measure(full) * (1 + 1e-9)
        return prune_to(
            current,
            traced,
            job.scores(current, traced, ranking.importance, seed),
            lambda found: measure(found) <= limit,
            ranking.gain,
            job.target,
            granularity=ranking.granularity,
            minimum=ranking.minimum,
            progress=job.progress,
        )

    if goal.sparsity is not None:
        measure, share = _weights, 1 - goal.sparsity
    elif goal.target_latency is not None:
        measure, share = _instructions, goal.target_latency
    else:
        assert goal.fit is not None
        measure, share = ranking.gain, 1.0
        if goal.fit.flash is not None:
            # With more, the constants alone fill the flash.
            share = min(1.0, max(goal.fit.flash.bytes - _FIRMWARE_BYTES, 1) / full.flash_bytes)
        while not _fits(job, model if share == 1 else shrink(model, 0, measure, share), goal.fit):
            share *= 7 / 8
    return [
        partial(shrink, measure=measure, share=share ** ((index + 1) / rounds)) for index in range(rounds)
    ]


def _zeros(job: _Job, model: Any, goal: _Goal, pattern: masks.Pattern, rounds: int) -> list[_Shrink]:
    """The cubic schedule of M. Zhu and S. Gupta, "To prune, or not to prune", 2017."""
    board, latency = goal.fit, goal.target_latency
    if goal.sparsity is not None:
        final = goal.sparsity
    elif latency is not None:
        limit = latency * cost.total(model, job.target).instructions
        final = masks.to_limit(
            model, lambda m: cost.total(m, job.target).instructions <= limit, pattern, job.target
        )
    else:
        assert board is not None
        final = masks.to_limit(model, lambda m: _fits(job, m, board), pattern, job.target)
    start = masks.sparsity(model)

    def shrink(current: Any, seed: int, level: float) -> Any:
        return masks.prune(current, level, pattern, job.target)

    return [
        partial(shrink, level=final + (start - final) * (1 - (index + 1) / rounds) ** 3)
        for index in range(rounds)
    ]


def _weights(found: Cost) -> float:
    return float(found.weights)


def _instructions(found: Cost) -> float:
    return found.instructions


def _fits(job: _Job, model: Any, board: Board) -> bool:
    planned = plans.plan(passes.run(job.int8(model, _SHAPE_SAMPLES)), targets.of(board))
    try:
        library.check_fits(planned, board)
    except TooLarge:
        return False
    firmware_bytes = planned.constant_bytes + _FIRMWARE_BYTES
    firmware_bytes += code.code_bytes(call.step.kernel for call in planned.calls)
    return board.flash is None or firmware_bytes <= board.flash.bytes


def _digest(data: Data | Any | None) -> str:
    """Of the samples; a dataset cannot be told from another."""
    if not isinstance(data, Data):
        return type(data).__name__
    digest = hashlib.sha256()
    for array in (*data.inputs, *(() if data.labels is None else (data.labels,))):
        digest.update(f"{array.dtype} {array.shape} ".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
