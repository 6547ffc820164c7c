"""What each step of a compression removes: the way from a model to its goal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, TypeAlias

from microwright import fit, passes
from microwright import plan as plans
from microwright import target as targets
from microwright.board import Board
from microwright.compress import cost, masks
from microwright.compress.channels import prune_to
from microwright.compress.cost import Cost
from microwright.compress.follow import follow
from microwright.compress.importance import Importance
from microwright.compress.job import Job

Method: TypeAlias = Literal["channel", "block", "unstructured"]
RankBy: TypeAlias = Literal["latency", "macs", "bytes"]
# A model and a seed, to the model with less in it.
Shrink: TypeAlias = Callable[[Any, int], Any]

_SHAPE_SAMPLES = 20
# About what a firmware has in flash beside its kernels and the model.
_FIRMWARE_BYTES = 6_000


@dataclass(frozen=True)
class Ranking:
    """How channels are chosen: see `compress_model`."""

    by: RankBy
    importance: Importance
    granularity: int
    minimum: int

    def gain(self, found: Cost) -> float:
        """What of a cost counts."""
        return float({"latency": found.instructions, "macs": found.macs, "bytes": found.flash_bytes}[self.by])


@dataclass(frozen=True)
class Goal:
    """How far: one of them is given, or none."""

    sparsity: float | None
    target_latency: float | None
    target_macs: float | None
    fit: Board | None


def schedule(
    job: Job, model: Any, method: Method | None, goal: Goal, ranking: Ranking, rounds: int
) -> list[tuple[str, Shrink]]:
    """What each step is called, and how it shrinks the model before it is trained."""
    if method is None:
        return [] if job.options["teacher"] is None else [("distil", lambda current, _: current)]
    shrinks = (
        _channels(job, model, goal, ranking, rounds)
        if method == "channel"
        else _zeros(job, model, goal, method, rounds)
    )
    return [(f"prune {index + 1}/{rounds}", shrink) for index, shrink in enumerate(shrinks)]


def _channels(job: Job, model: Any, goal: Goal, ranking: Ranking, rounds: int) -> list[Shrink]:
    """Each step removes the same share of what the goal counts."""
    full = cost.total(model, job.target)

    def shrink(current: Any, seed: int, measure: Callable[[Cost], float], share: float) -> Any:
        traced = follow(current)
        return prune_to(
            current,
            traced,
            job.scores(current, traced, ranking.importance, seed),
            measure,
            share * measure(full) * (1 + 1e-9),
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
    elif goal.target_macs is not None:
        measure, share = _macs, goal.target_macs
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


def _zeros(job: Job, model: Any, goal: Goal, pattern: masks.Pattern, rounds: int) -> list[Shrink]:
    """The cubic schedule of M. Zhu and S. Gupta, "To prune, or not to prune", 2017."""
    board, latency = goal.fit, goal.target_latency
    if goal.sparsity is not None:
        final = goal.sparsity
        masks.check_reached(model, final, pattern, job.target)
    elif latency is not None:
        limit = latency * cost.total(model, job.target).instructions
        final = masks.to_limit(
            model, lambda m: cost.total(m, job.target).instructions <= limit, pattern, job.target
        )
    else:
        assert board is not None
        final = masks.to_limit(model, lambda m: _fits(job, m, board), pattern, job.target)
    start = masks.sparsity(model, pattern, job.target)

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


def _macs(found: Cost) -> float:
    return float(found.macs)


def _fits(job: Job, model: Any, board: Board) -> bool:
    planned = plans.plan(passes.run(job.int8(model, _SHAPE_SAMPLES)), targets.of(board))
    return fit.fits(planned, board, surely=False)
