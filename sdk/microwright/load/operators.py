"""Operators of a SavedModel that run code or touch files: a model that has them is not loaded."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from microwright.errors import InputError

# Whole families, by their names: what loads, feeds, logs or debugs has no place in an inference.
_UNSAFE = re.compile(
    r"PyFunc|Files?$|FileSystem|FromTextFile|Reader|Dataset|Iterator|Snapshot|Summary|Rpc|TPU"
    r"|LoadAndRemap|DistributedSave|ImmutableConst|^Debug|^Print|^(Save|Restore)(Slices?)?$"
)
# These are in every SavedModel, in functions that save and restore its variables. Whoever else calls them
# reads and writes files of its choice.
_SAVERS = frozenset(("MergeV2Checkpoints", "RestoreV2", "SaveV2"))


def check(path: Path, meta: Any) -> None:
    """Raise InputError for an operator of a MetaGraphDef that could run code or touch files."""
    graph = meta.graph_def
    everything = {node.op for node in (*graph.node, *(n for f in graph.library.function for n in f.node_def))}
    unsafe = sorted(op for op in everything if _UNSAFE.search(op))
    unsafe += sorted(_reached(meta) & _SAVERS)
    if unsafe:
        raise InputError(
            f"{path}: the operator {unsafe[0][:80]} of the SavedModel could run code or touch files",
            "export the model without Python functions and file access",
        )


def _reached(meta: Any) -> set[str]:
    """Operators that run when the model is loaded or called: all but those that save and restore."""
    nodes = {node.name: node for node in meta.graph_def.node}
    functions = {function.signature.name: function for function in meta.graph_def.library.function}
    pending = [
        tensor.name for signature in meta.signature_def.values() for tensor in signature.outputs.values()
    ]
    called = list(meta.object_graph_def.concrete_functions)
    seen: set[str] = set()
    operators: set[str] = set()
    # First the main graph, from the outputs back; a function is called as a whole.
    while pending:
        name = _node_name(pending.pop())
        if name in nodes and name not in seen:
            seen.add(name)
            pending += nodes[name].input
            operators.add(nodes[name].op)
            called += _functions(nodes[name].attr.values())
    called += operators
    done: set[str] = set()
    while called:
        name = called.pop()
        if name in functions and name not in done:
            done.add(name)
            for node in functions[name].node_def:
                operators.add(node.op)
                called += [node.op, *_functions(node.attr.values())]
    return operators


def _node_name(tensor: str) -> str:
    """Of the node that makes a tensor, or that is waited for (^)."""
    return tensor.removeprefix("^").partition(":")[0]


def _functions(attributes: Iterable[Any]) -> Iterator[str]:
    for value in attributes:
        for function in (value.func, *value.list.func):
            if function.name:
                yield function.name
                yield from _functions(function.attr.values())
