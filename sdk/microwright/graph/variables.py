"""Variables: tensors that keep their values from one inference to the next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from microwright._flatbuffer import File
from microwright.graph.model import Array, DType, Node, Quantization, Tensor

# Operators that keep a state, and which of their inputs it is.
STATES: Mapping[str, tuple[int, ...]] = {"SVDF": (4,), "UNIDIRECTIONAL_SEQUENCE_LSTM": (18, 19)}


def initial(dtype: DType, shape: Sequence[int], quantization: Quantization | None) -> Array:
    """What a variable begins with, as TensorFlow Lite resets it: 0 as int8 has it, bytes of 0 otherwise.

    One element for all, broadcast: a file of a few bytes may ask for gigabytes.
    """
    zero = quantization.zero_points[0] if quantization is not None and dtype == "int8" else 0
    return np.broadcast_to(np.array(zero, dtype), shape)


def check(file: File, nodes: Sequence[Node], outputs: Sequence[int], tensors: Sequence[Tensor]) -> None:
    """Each variable is the state of one operator, or of none, and nothing else."""
    seen: set[int] = set()
    for node in nodes:
        for position, index in enumerate(node.inputs):
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
