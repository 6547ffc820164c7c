"""Channel pruning: a Keras model with smaller layers, not with masks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from microwright import _tensorflow
from microwright.compress import copies, cost
from microwright.compress.cost import Cost
from microwright.compress.follow import follow
from microwright.compress.importance import Scores, norms
from microwright.compress.inline import inline
from microwright.compress.trace import Call, Ids, Trace
from microwright.errors import InputError
from microwright.progress import Progress, silent
from microwright.target import Target

# A group loses at most so much of its channels before the gains of all groups are taken anew.
_SHARE_AT_ONCE = 1 / 16


def prune_channels(
    model: Any,
    *,
    sparsity: float,
    importance: Literal["l1", "l2", "gamma"] = "l2",
    granularity: int = 1,
    minimum: int = 1,
    progress: Progress = silent,
) -> Any:
    """A copy of a Keras 3 model (Sequential or functional) without its least important channels.

    sparsity     fraction of channels to remove from each group of layers that depend on each other, rounded
                 down
    importance   a channel's rank in its group: the "l1" or "l2" norm of its filter and bias, times the scale
                 of the batch normalisation and depthwise filter that follow; "gamma", that scale alone where
                 there is one
    granularity  the number of channels that stay is a multiple of it (SIMD lanes), where there are enough
    minimum      channels that stay at least

    Removing channels whose weights, biases and batch normalisation are all zero leaves the outputs as they
    are. The copy is not compiled. Raises InputError for layers whose channels cannot be followed, and where
    nothing can go.
    """
    if not 0 <= sparsity < 1:
        raise InputError(
            f"sparsity {sparsity:g} is not in [0, 1)", "give the fraction of channels to remove, e.g. 0.5"
        )
    if granularity < 1 or minimum < 1:
        raise InputError(
            f"granularity {granularity} and minimum {minimum} have to be at least 1",
            "give 1 for no constraint",
        )
    model = inline(model)
    trace = follow(model)
    groups = require_groups(model, trace)
    score = norms(trace, importance)
    keep = np.ones(len(trace.parent), bool)
    for roots in groups.values():
        count = len(roots)
        stay = max(minimum, count - int(sparsity * count + 1e-9))
        stay = min(count, -(-stay // granularity) * granularity)
        order = np.argsort(score[roots], kind="stable")
        keep[roots[order[: count - stay]]] = False
    return _rebuild(model, trace, keep[trace.roots()], progress)


def channels(model: Any) -> dict[str, int]:
    """Number of channels of each layer, by name, that has some that could be removed."""
    trace = follow(inline(model))
    names = {name for group in trace.groups() for name in group}
    return {name: len(made) for name, made in trace.producers.items() if name in names}


def prune_to(
    model: Any,
    trace: Trace,
    score: Scores,
    measure: Callable[[Cost], float],
    limit: float,
    gain: Callable[[Cost], float],
    target: Target,
    *,
    granularity: int = 1,
    minimum: int = 1,
    progress: Progress = silent,
) -> Any:
    """A copy without the channels that matter least for what they cost on the target, down to a limit.

    model    as `inline` gives it, with its `trace`
    score    importance of each class at its root, comparable over the whole model
    measure  what of a cost has to come down to `limit`; the copy is the first that has
    gain     what of a cost counts: a class goes the sooner, the less it matters for each unit of it. Of what
             takes the measure below the limit, only the part down to the limit counts

    Raises InputError where nothing can go, or nothing more above the limit.
    """
    groups = require_groups(model, trace)
    left = _Left(trace, groups, score, target)
    start = {names: left.count(names) for names in groups}
    before = gain(left.cost)
    while (excess := measure(left.cost) - limit) > 0:
        best: tuple[float, tuple[str, ...], int] | None = None
        for names in groups:
            count = left.count(names)
            wanted = max(1, int(start[names] * _SHARE_AT_ONCE))
            stay = max(minimum, -(-(count - wanted) // granularity) * granularity)
            if stay == count:
                stay = max(minimum, count - granularity)
            if stay >= count:
                continue
            without = left.without(names, count - stay)
            saved = gain(left.cost) - gain(without)
            saved *= min(1.0, excess / max(measure(left.cost) - measure(without), 1e-9 * excess))
            price = left.price(names, count - stay) / max(saved, 1e-9 * before)
            if best is None or price < best[0]:
                best = price, names, count - stay
        if best is None:
            raise InputError(
                f"{model.name}: with {minimum} channels left in each layer that can lose some, it is still "
                f"{measure(left.cost) / max(limit, 1e-9):.2f} times as large as it should be",
                "ask for less compression, or use a smaller architecture",
            )
        left.remove(best[1], best[2])
        total = sum(start.values())
        progress("rank channels", total - sum(left.count(names) for names in groups), total)
    progress("rank channels", 1, 1)
    return _rebuild(model, trace, left.keep[left.roots], progress)


def require_groups(model: Any, trace: Trace) -> dict[tuple[str, ...], Ids]:
    """The trace's groups. Raises InputError where there are none."""
    groups = trace.groups()
    if not groups:
        raise InputError(
            f"{model.name}: no channel can be removed, all reach an output or a layer that mixes channels",
            "prune a model with at least one hidden convolution or dense layer",
        )
    return groups


class _Left:
    """What is left of a model while channels go, and what that costs."""

    def __init__(
        self, trace: Trace, groups: dict[tuple[str, ...], Ids], score: Scores, target: Target
    ) -> None:
        self.roots = trace.roots()
        self.keep = np.ones(len(self.roots), bool)
        self._calls = trace.calls
        self._target = target
        self._score = score
        # Those that are left, the least important first.
        self._order = {
            names: members[np.argsort(score[members], kind="stable")] for names, members in groups.items()
        }
        self._start = {names: len(members) for names, members in groups.items()}
        touches = {names: set(members.tolist()) for names, members in groups.items()}
        reached = [
            set(np.concatenate([self.roots[ids] for ids in (*call.read, call.made)]).tolist())
            for call in trace.calls
        ]
        self._affected = {
            names: [i for i, roots in enumerate(reached) if roots & members]
            for names, members in touches.items()
        }
        first: dict[str, int] = {}
        # A layer called again has no weights of its own.
        self._again = {i for i, call in enumerate(trace.calls) if first.setdefault(call.layer.name, i) != i}
        self._costs = [self._cost(i, self.keep) for i in range(len(trace.calls))]
        self._without: dict[tuple[tuple[str, ...], int], Cost] = {}

    @property
    def cost(self) -> Cost:
        """Of the whole model."""
        return sum(self._costs, Cost())

    def count(self, names: tuple[str, ...]) -> int:
        """Classes of a group that are left."""
        return len(self._order[names])

    def price(self, names: tuple[str, ...], count: int) -> float:
        """Importance of the next classes of a group to go; what is left carries what went, too."""
        left = self._order[names]
        return float(self._score[left[:count]].sum()) * self._start[names] / len(left)

    def without(self, names: tuple[str, ...], count: int) -> Cost:
        """Cost of the whole model without the next classes of a group."""
        key = names, count
        if key not in self._without:
            keep = self.keep.copy()
            keep[self._order[names][:count]] = False
            changed = {i: self._cost(i, keep) for i in self._affected[names]}
            self._without[key] = sum((changed.get(i, known) for i, known in enumerate(self._costs)), Cost())
        return self._without[key]

    def remove(self, names: tuple[str, ...], count: int) -> None:
        """Let the next classes of a group go."""
        self.keep[self._order[names][:count]] = False
        self._order[names] = self._order[names][count:]
        for i in self._affected[names]:
            self._costs[i] = self._cost(i, self.keep)
        self._without.clear()

    def _cost(self, index: int, keep: npt.NDArray[np.bool_]) -> Cost:
        call: Call = self._calls[index]

        def left(shape: tuple[int, ...], ids: Ids) -> tuple[int, ...]:
            return (*shape[:-1], int(keep[self.roots[ids]].sum()))

        shapes = [left(shape, ids) for shape, ids in zip(call.shapes, call.read, strict=True)]
        found = cost.of_shapes(call.layer, shapes, left(call.shape, call.made), self._target)
        return Cost(found.instructions, 0, found.macs, 0) if index in self._again else found


def _rebuild(model: Any, trace: Trace, keep: npt.NDArray[np.bool_], progress: Progress) -> Any:
    keras = _tensorflow.keras()

    def shrink(layer: Any) -> Any:
        slices = trace.slices.get(layer.name)
        options = {} if slices is None else slices.options
        return copies.layer(layer, {option: count(keep) for option, count in options.items()})

    pruned = keras.models.clone_model(model, clone_function=shrink)
    for done, (name, slices) in enumerate(trace.slices.items()):
        progress("prune", done, len(trace.slices))
        if not isinstance(slices.layer, keras.layers.Layer):
            continue
        target = pruned.get_layer(name)
        if not slices.weights:
            copies.weights(slices.layer, target)
        for weight, axes in slices.weights.items():
            values = np.asarray(getattr(slices.layer, weight))
            for axis, ids in axes.items():
                values = np.compress(keep[ids], values, axis=axis)
            getattr(target, weight).assign(values)
    progress("prune", len(trace.slices), len(trace.slices))
    return pruned
