"""Which channels of a Keras model depend on each other: nouns, and the order of its layers.

`follow` fills them in. Channels that have to go together (the two sides of an Add, the filters of a layer
used twice, the same channel of all groups of a grouped convolution) form one class; removing a class removes
its slices from all weights that make or read it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from microwright import _tensorflow
from microwright.errors import InputError

Shape: TypeAlias = tuple[int, ...]
# One id per position along a tensor's last axis: which channel lies there.
Ids: TypeAlias = npt.NDArray[np.int64]


@dataclass
class Slices:
    """How a layer shrinks.

    `inputs` are the ids that its first call read, `output` those that it makes; `weights` has the ids along
    the axes of each weight, `options` the new value of each option of its configuration, given what stays.
    """

    layer: Any
    inputs: list[Ids]
    output: Ids
    weights: Mapping[str, Mapping[int, Ids]] = field(default_factory=dict)
    options: Mapping[str, Callable[[npt.NDArray[np.bool_]], Any]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Call:
    """A call of a layer: ids and shapes of what it reads and makes, shapes without the batch."""

    layer: Any
    read: tuple[Ids, ...]
    made: Ids
    shapes: tuple[Shape, ...]
    shape: Shape


class Trace:
    """Channels of a model as they are followed: a union-find of ids."""

    def __init__(self) -> None:
        self.parent: list[int] = []
        self.pinned: list[Ids] = []
        self.producers: dict[str, Ids] = {}
        # (ids, factor per id) of batch normalisation and depthwise filters.
        self.scales: list[tuple[Ids, npt.NDArray[np.float64]]] = []
        self.slices: dict[str, Slices] = {}
        self.calls: list[Call] = []

    def fresh(self, count: int) -> Ids:
        start = len(self.parent)
        self.parent += range(start, start + count)
        return np.arange(start, start + count)

    def root(self, channel: int) -> int:
        while self.parent[channel] != channel:
            self.parent[channel] = self.parent[self.parent[channel]]
            channel = self.parent[channel]
        return channel

    def roots(self) -> Ids:
        return np.array([self.root(channel) for channel in range(len(self.parent))], np.int64)

    def tie(self, one: Ids, other: Ids) -> None:
        for a, b in zip(one.tolist(), other.tolist(), strict=True):
            self.parent[self.root(b)] = self.root(a)

    def pin(self, ids: Ids) -> None:
        self.pinned.append(ids)

    def groups(self) -> dict[tuple[str, ...], Ids]:
        """Roots of the classes that may go, by the names of the layers that make their channels.

        Classes made by the same layers shrink each of them by the same number of channels.
        """
        roots = self.roots()
        stays = set(roots[np.concatenate(self.pinned)].tolist())
        makers: dict[int, list[str]] = {}
        for name, made in self.producers.items():
            for root in dict.fromkeys(roots[made].tolist()):
                makers.setdefault(root, []).append(name)
        groups: dict[tuple[str, ...], list[int]] = {}
        for root, names in makers.items():
            if root not in stays:
                groups.setdefault(tuple(names), []).append(root)
        return {names: np.array(members, np.int64) for names, members in groups.items()}


def require_model(model: Any) -> None:
    """Raise InputError for what is no Sequential or functional model."""
    if not isinstance(model, _tensorflow.keras().Model) or not getattr(model, "outputs", None):
        raise InputError(
            "only Keras 3 Sequential and functional models with a known input shape can be pruned",
            "build the model with keras.Sequential or keras.Model, starting with keras.Input",
        )


def key(tensor: Any) -> tuple[int, int, int]:
    """Of a symbolic tensor: the layer, its call and its output that make it."""
    history = tensor._keras_history
    return id(history.operation), history.node_index, history.tensor_index


def calls(model: Any) -> Iterator[tuple[Any, int, list[Any], list[Any]]]:
    """(layer, node index, input tensors, output tensors) of every call, inputs before their readers."""
    done: set[tuple[int, int]] = set()
    pending = list(reversed(model.outputs))
    while pending:
        history = pending[-1]._keras_history
        layer, index = history.operation, history.node_index
        node = layer._inbound_nodes[index]
        waiting = [tensor for tensor in node.input_tensors if key(tensor)[:2] not in done]
        if (id(layer), index) in done:
            pending.pop()
        elif waiting:
            pending += reversed(waiting)
        else:
            pending.pop()
            done.add((id(layer), index))
            yield layer, index, list(node.input_tensors), list(node.output_tensors)
