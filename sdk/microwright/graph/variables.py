"""Variables: tensors that keep their values from one inference to the next.

A file has them as tensors that only one operator may change, or as resources: handles, operators that read
and assign, and a subgraph that CALL_ONCE runs in the first inference. A graph has a tensor with a `state`
instead, which READ_VARIABLE copies and ASSIGN_VARIABLE writes; handles and CALL_ONCE are gone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from microwright._flatbuffer import File
from microwright.errors import UnsupportedOp
from microwright.graph.model import Array, DType, Node, Quantization, Tensor

# Operators that keep a state, and which of their inputs it is.
STATES: Mapping[str, tuple[int, ...]] = {"SVDF": (4,), "UNIDIRECTIONAL_SEQUENCE_LSTM": (18, 19)}
WITHOUT_OUTPUTS = frozenset({"ASSIGN_VARIABLE", "CALL_ONCE"})
# Operators that take a handle, and how many inputs they have.
_TAKES_HANDLE: Mapping[str, int] = {"ASSIGN_VARIABLE": 2, "READ_VARIABLE": 1}


@dataclass(frozen=True, eq=False)
class Section:
    """A subgraph of a file. `resources` are handles among the tensors, whose type and shape say nothing."""

    tensors: tuple[Tensor, ...]
    nodes: tuple[Node, ...]
    resources: frozenset[int]


def initial(dtype: DType, shape: Sequence[int], quantization: Quantization | None) -> Array:
    """What a variable begins with, as TensorFlow Lite resets it: 0 as int8 has it, bytes of 0 otherwise.

    One element for all, broadcast: a file of a few bytes may ask for gigabytes.
    """
    zero = quantization.zero_points[0] if quantization is not None and dtype == "int8" else 0
    return np.broadcast_to(np.array(zero, dtype), shape)


def initialisers(file: File, main: Section, subgraphs: int) -> tuple[int, ...]:
    """Subgraphs that the main one runs once. Raises InputError where a file has no such one."""
    called: list[int] = []
    for node in main.nodes:
        if node.op == "CALL_ONCE":
            index = node.options["init_subgraph_index"]
            assert isinstance(index, int)
            if not 0 < index < subgraphs:
                file.fail(f"node {node.index} CALL_ONCE runs subgraph {index}, of 1 to {subgraphs - 1}")
            if index not in called:
                called.append(index)
    return tuple(called)


def resolve(
    file: File, main: Section, sections: Mapping[int, Section]
) -> tuple[tuple[Tensor, ...], tuple[Node, ...]]:
    """The main subgraph's tensors and nodes, with variables for handles; `sections` initialise them.

    Raises InputError for a file that contradicts itself, UnsupportedOp for values that are computed.
    """
    handles = _handles(file, main)
    values: dict[str, Tensor] = {}
    for node in main.nodes:
        if node.op == "CALL_ONCE":
            values |= _initial_values(file, sections[_subgraph(node)])
    first = {name: min(i for i, other in handles.items() if other == name) for name in handles.values()}
    known = dict(values)
    tensors = list(main.tensors)
    nodes: list[Node] = []
    for node in main.nodes:
        if node.op == "CALL_ONCE" and any(other.op in _TAKES_HANDLE for other in nodes):
            file.fail(f"node {node.index} CALL_ONCE comes after a variable is used")
        if node.op in ("CALL_ONCE", "VAR_HANDLE"):
            continue
        if node.op in _TAKES_HANDLE:
            name = _name(file, node, handles)
            where = f"node {node.index} {node.op}: variable {name[:80]!r}"
            if node.op == "READ_VARIABLE" and name not in known:
                file.fail(f"{where} is read, and nothing sets it before")
            value = main.tensors[node.outputs[0] if node.op == "READ_VARIABLE" else node.inputs[1]]
            like = known.setdefault(name, value)
            if (value.dtype, value.shape) != (like.dtype, like.shape):
                before = f"{like.dtype} {list(like.shape)}"
                file.fail(f"{where} is {value.dtype} {list(value.shape)} here, {before} before")
            variable = first[name]
            tensors[variable] = _variable(variable, name, like, values.get(name))
            if node.op == "READ_VARIABLE":
                node = replace(node, inputs=(variable,))
            else:
                node = replace(node, name=name, inputs=node.inputs[1:], outputs=(variable,))
        nodes.append(replace(node, index=len(nodes)))
    return tuple(tensors), tuple(nodes)


def _subgraph(node: Node) -> int:
    index = node.options["init_subgraph_index"]
    assert isinstance(index, int)
    return index


def _variable(index: int, name: str, like: Tensor, value: Tensor | None) -> Tensor:
    state = initial(like.dtype, like.shape, like.quantization) if value is None else value.data
    return Tensor(index, name, like.dtype, like.shape, like.quantization, None, state)


def _handles(file: File, section: Section) -> dict[int, str]:
    """The variable that each handle is of; handles are made, then taken, by operators that know them."""
    handles: dict[int, str] = {}
    for node in section.nodes:
        if node.op == "VAR_HANDLE":
            (output,) = node.outputs if len(node.outputs) == 1 else (-1,)
            if output not in section.resources or output in handles or node.inputs:
                file.fail(f"node {node.index} VAR_HANDLE makes no handle")
            handles[output] = f"{node.options['container']}/{node.options['shared_name']}".lstrip("/")
            continue
        others = node.inputs
        if node.op in _TAKES_HANDLE:
            if not set(node.inputs[:1]) & handles.keys():
                file.fail(f"node {node.index} {node.op} has no handle of a variable")
            others = node.inputs[1:]
        for index in (*others, *node.outputs):
            if index in section.resources:
                file.fail(f"node {node.index} {node.op} has tensor {index}, a handle, among its operands")
    return handles


def _name(file: File, node: Node, handles: Mapping[int, str]) -> str:
    """The variable that a node reads or assigns."""
    outputs = 1 if node.op == "READ_VARIABLE" else 0
    if len(node.inputs) != _TAKES_HANDLE[node.op] or len(node.outputs) != outputs or -1 in node.inputs:
        file.fail(
            f"node {node.index} {node.op} has {len(node.inputs)} inputs and {len(node.outputs)} outputs"
        )
    return handles[node.inputs[0]]


def _initial_values(file: File, section: Section) -> dict[str, Tensor]:
    """The constants that a subgraph assigns."""
    handles = _handles(file, section)
    values: dict[str, Tensor] = {}
    for node in section.nodes:
        if node.op == "ASSIGN_VARIABLE":
            name = _name(file, node, handles)
            values[name] = section.tensors[node.inputs[1]]
        if node.op not in ("ASSIGN_VARIABLE", "VAR_HANDLE") or any(v.data is None for v in values.values()):
            raise UnsupportedOp(
                f"{file.name}: node {node.index} {node.op} computes the first values of variables",
                "initialise the variables with constants",
            )
    return values


def check(file: File, nodes: Sequence[Node], outputs: Sequence[int], tensors: Sequence[Tensor]) -> None:
    """Each variable is read and assigned, or the state of one operator, and nothing else."""
    seen: set[int] = set()
    for node in nodes:
        for position, index in enumerate(node.inputs if node.op != "READ_VARIABLE" else ()):
            if index < 0 or tensors[index].state is None:
                continue
            where = f"input {position} of node {node.index} {node.op}"
            name = f"variable {tensors[index].name[:80]!r}"
            if position not in STATES.get(node.op, ()):
                file.fail(f"{where} is {name}, where no state can be")
            if index in seen:
                file.fail(f"{where} is {name}, which is the state of another node")
            seen.add(index)
    for position, index in enumerate(outputs):
        if tensors[index].state is not None:
            file.fail(f"output {position} is variable {tensors[index].name[:80]!r}")
