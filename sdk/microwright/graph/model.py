"""What a model is: tensors, and nodes in execution order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from microwright.graph import mark

DType: TypeAlias = Literal["bool", "float32", "int8", "int16", "int32", "int64", "uint8"]
Array: TypeAlias = npt.NDArray[np.generic]
Option: TypeAlias = bool | int | float | str | tuple[int, ...]

ITEM_BYTES: Mapping[DType, int] = {
    "bool": 1,
    "float32": 4,
    "int8": 1,
    "int16": 2,
    "int32": 4,
    "int64": 8,
    "uint8": 1,
}


@dataclass(frozen=True)
class Quantization:
    """real = scale * (q - zero_point). One entry per tensor, or one per index along `axis` (per-channel).

    `scales` hold float32 values exactly.
    """

    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    axis: int = 0


@dataclass(frozen=True, eq=False)
class Tensor:
    """A tensor of the graph; `data` holds its values where it is constant, read-only, in `shape`.

    `state` says that the tensor is a variable, which keeps its values from one inference to the next: the
    values that it has before the first one, in `shape`.
    """

    index: int
    name: str
    dtype: DType
    shape: tuple[int, ...]
    quantization: Quantization | None
    data: Array | None
    state: Array | None = None

    @property
    def elements(self) -> int:
        """Number of elements."""
        count = 1
        for size in self.shape:
            count *= size
        return count

    @property
    def size_bytes(self) -> int:
        """Bytes of its values, dense."""
        return self.elements * ITEM_BYTES[self.dtype]


@dataclass(frozen=True)
class Node:
    """One operator. `inputs` and `outputs` are tensor indices, -1 an optional input that is absent.

    `op` is the schema's name (`CONV_2D`); `options` its options table under the schema's names in snake case,
    enums as their names (`{"padding": "SAME", "stride_w": 1, "fused_activation_function": "RELU"}`).
    """

    index: int
    op: str
    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Mapping[str, Option]


@dataclass(frozen=True, eq=False)
class Graph:
    """A model as a list of nodes in execution order. `tensors[i].index == i`.

    `flatbuffer` is the file that the graph was read from, `sha256` its hash. `input_names` and `output_names`
    are those of its signature. `ranges` says where the ranges of an int8 model came from, empty where that is
    not known.
    """

    name: str
    sha256: str
    tensors: tuple[Tensor, ...]
    nodes: tuple[Node, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    flatbuffer: bytes
    input_names: tuple[str, ...] = ()
    output_names: tuple[str, ...] = ()
    ranges: str = ""

    @property
    def calibrated_randomly(self) -> bool:
        """Whether random samples set ranges, so that what it computes is not representative."""
        return self.ranges.endswith(mark.RANDOM)

    @property
    def states(self) -> tuple[int, ...]:
        """The variables that nodes use."""
        used = {i for node in self.nodes for i in (*node.inputs, *node.outputs) if i >= 0}
        return tuple(i for i in sorted(used) if self.tensors[i].state is not None)

    @property
    def streams(self) -> bool:
        """Whether samples are one stream: what one inference keeps is for the next one.

        The state of an LSTM alone begins anew with each sample, as in Keras, where a sample is a sequence.
        """
        users = {node.op for node in self.nodes if set(self.states) & {*node.inputs, *node.outputs}}
        return bool(users - {"UNIDIRECTIONAL_SEQUENCE_LSTM"})

    @property
    def weights_bytes(self) -> int:
        """Bytes of all constant tensors that a node reads."""
        return self.constant_bytes(*self.nodes)

    def constant_bytes(self, *nodes: Node) -> int:
        """Bytes of the constant tensors that nodes read."""
        used = {i for node in nodes for i in node.inputs if i >= 0}
        return sum(self.tensors[i].size_bytes for i in used if self.tensors[i].data is not None)
