"""What an operator file provides: checks, MACs, and the kernel calls that compute the node."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from microwright.errors import UnsupportedOp
from microwright.graph import Array, DType, Graph, Node, Tensor


@dataclass(frozen=True, eq=False)
class Constant:
    """A constant array in flash that a kernel's parameters point to; flat, int8/int16/int32/uint8/float32."""

    values: Array

    @property
    def content(self) -> tuple[str, bytes]:
        """What constants that can be one have in common."""
        return self.values.dtype.name, self.values.tobytes()


@dataclass(frozen=True)
class Symbol:
    """A constant object or function of the runtime that a kernel's parameters point to."""

    name: str


Field: TypeAlias = int | float | tuple[int, ...] | Constant | Symbol | None


@dataclass(frozen=True, eq=False)
class Step:
    """One call of a runtime kernel.

    It becomes

        static const struct mw_KERNEL node_I = { .field = value, ... };
        mw_KERNEL(&node_I, inputs..., states..., outputs..., scratch);

    `kernel` is the stem of `sdk/runtime/src/KERNEL.c` and of `include/mw/KERNEL.h`. `inputs` and `outputs`
    are tensor indices, passed in this order, and `states` variables between them, which the kernel reads and
    changes. `fields` are the members of the parameter struct in its order:
    numbers, small arrays (tuple), pointers to constants (Constant, or None for NULL). `scratch_bytes` None:
    the kernel has no scratch parameter; a number: it has one, of so many bytes, 16-byte aligned (NULL
    where 0).

    `overlap` allows the output to share bytes with an input that nobody needs afterwards: position of the
    input -> distance in bytes. The kernel writes its output from the front and is done with what lies there,
    so the output may start at the input's address less the distance, or anywhere below; 0 includes in place,
    and a negative distance is for a kernel that has read that much before it writes. None: only exactly at
    the input's address.

    `calls` above 1: the kernel computes so many equal parts of the inputs and outputs, one call each.
    """

    kernel: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    fields: Mapping[str, Field] = field(default_factory=dict)
    scratch_bytes: int | None = None
    overlap: Mapping[int, int | None] = field(default_factory=dict)
    calls: int = 1
    states: tuple[int, ...] = ()

    def number(self, name: str) -> int:
        """The value of an integer field."""
        value = self.fields[name]
        assert isinstance(value, int)
        return value

    def values(self, name: str) -> Array | None:
        """The values of an array field, None where it is NULL."""
        value = self.fields[name]
        assert value is None or isinstance(value, Constant)
        return None if value is None else value.values

    @property
    def constants(self) -> tuple[Constant, ...]:
        """The fields that are constants in flash."""
        return tuple(value for value in self.fields.values() if isinstance(value, Constant))

    @property
    def constant_bytes(self) -> int:
        """Bytes of its constants in flash."""
        return sum(constant.values.nbytes for constant in self.constants)


def no_macs(graph: Graph, node: Node) -> int:
    """An operator that multiplies no weights."""
    return 0


def always(graph: Graph, node: Node) -> bool:
    """An operator that TensorFlow Lite Micro has."""
    return True


def never(graph: Graph, node: Node) -> bool:
    """An operator that TensorFlow Lite Micro has not."""
    return False


@dataclass(frozen=True)
class Op:
    """An operator.

    check      raises UnsupportedOp or InputError when the engine cannot compute the node exactly
    lower      the plain kernels' calls, in order; only called after `check`
    macs       multiply-accumulates of one inference
    alias      the output is the first input's bytes (a reshape): no kernel, one buffer
    in_micro   whether TensorFlow Lite Micro computes the node; else LiteRT's reference kernels say how
    types      of the tensors, in words
    kernels    the plain kernels that `lower` may call
    limits     what `check` asks for beyond the types, in words
    inexact    types in which the last places may be others than the reference's: those of C's exponentials
    """

    check: Callable[[Graph, Node], None]
    lower: Callable[[Graph, Node], tuple[Step, ...]]
    macs: Callable[[Graph, Node], int] = no_macs
    alias: bool = False
    in_micro: Callable[[Graph, Node], bool] = always
    types: str = ""
    kernels: tuple[str, ...] = ()
    limits: str = ""
    inexact: tuple[DType, ...] = ()

    @staticmethod
    def lowered(lower: Callable[[Graph, Node], tuple[Step, ...]], **rest: Any) -> Op:
        """An operator of which whatever is wrong shows while lowering it."""

        def check(graph: Graph, node: Node) -> None:
            lower(graph, node)

        return Op(check, lower, **rest)


def where(node: Node) -> str:
    """How a message names a node: `node 7 CONV_3D 'b1/conv'`."""
    return f"node {node.index} {node.op} {node.name[:80]!r}"


def unsupported(node: Node, what: str, hint: str) -> UnsupportedOp:
    """The error for a node without a kernel: `node 7 CONV_2D 'b1/conv': <what>`."""
    return UnsupportedOp(f"{where(node)}: {what}", hint)


def input_tensor(graph: Graph, node: Node, position: int) -> Tensor:
    """The tensor at an input position. Raises UnsupportedOp where it is absent."""
    if position >= len(node.inputs) or node.inputs[position] < 0:
        raise unsupported(node, f"input {position} is missing", "export the model again")
    return graph.tensors[node.inputs[position]]


def optional_input(graph: Graph, node: Node, position: int) -> Tensor | None:
    """The tensor at an optional input position, or None."""
    if position >= len(node.inputs) or node.inputs[position] < 0:
        return None
    return graph.tensors[node.inputs[position]]


def output_tensor(graph: Graph, node: Node) -> Tensor:
    """The node's output. Raises UnsupportedOp unless it has exactly one."""
    if len(node.outputs) != 1:
        raise unsupported(node, f"it has {len(node.outputs)} outputs, expected 1", "export the model again")
    return graph.tensors[node.outputs[0]]


def integers(graph: Graph, node: Node, position: int, what: str) -> list[int]:
    """Values of a constant operand of integers, flat. Raises UnsupportedOp where it is none."""
    tensor = input_tensor(graph, node, position)
    if tensor.data is None or tensor.dtype not in ("int32", "int64"):
        raise unsupported(
            node,
            f"its {what} is not constant",
            f"give the {what} as numbers, not as a tensor that the model computes",
        )
    return [int(value) for value in tensor.data.reshape(-1).tolist()]


def axis_of(node: Node, axis: int, rank: int) -> int:
    """An axis from 0 on; a negative one counts from the end. Raises UnsupportedOp where there is none."""
    if not -rank <= axis < rank:
        raise unsupported(node, f"axis {axis} of {rank} dimensions", "export the model again")
    return axis % rank
