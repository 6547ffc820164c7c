"""Loops of recurrent layers: unrolled, or refused. Steps of a loop cannot be calibrated one by one."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

from microwright.errors import InputError

# Attributes that make a layer of Keras 3 or 2 compute its steps one after the other, and their values.
_UNROLLED: Mapping[str, bool] = {"unroll": True, "_could_use_gpu_kernel": False}
_LOOPS = ("While", "StatelessWhile")


@contextlib.contextmanager
def unrolled(network: Any) -> Iterator[None]:
    """The recurrent layers of a Keras model are unrolled where they are traced until the context ends.

    They compute the same. Models without layers, as a SavedModel, stay as they are.
    """
    with contextlib.ExitStack() as restore:
        for layer in getattr(network, "_flatten_layers", list)():
            for name, value in _UNROLLED.items():
                if hasattr(layer, name):
                    restore.callback(setattr, layer, name, getattr(layer, name))
                    setattr(layer, name, value)
        yield


def refuse(concrete: Any, name: str) -> None:
    """Raise InputError where a traced function has a loop: the converter would crash while calibrating it."""
    loop = next((node for node in nodes(concrete) if node.op in _LOOPS), None)
    if loop is not None:
        raise InputError(
            f"{name}: {loop.name[:80]!r} is a loop, which has no int8 form",
            "unroll the recurrent layer (unroll=True), so that it becomes fully connected layers",
        )


def nodes(concrete: Any) -> Iterator[Any]:
    """The operators of a traced function and of all that it calls."""
    definition = concrete.graph.as_graph_def()
    yield from definition.node
    for function in definition.library.function:
        yield from function.node_def
