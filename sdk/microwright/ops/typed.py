"""Operators that take tensors of several types: a kernel for each, whose name ends in the type's suffix.

int8 has zero points, int16 has them at 0, float32 is not quantised; an operator asks here for what differs.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from microwright.graph import DType, Node, Tensor
from microwright.ops.base import Field, unsupported
from microwright.ops.quantized import activation_range, per_tensor

SUFFIXES: Mapping[DType, str] = {"int8": "s8", "int16": "s16", "float32": "f32"}
TYPES = ", ".join(SUFFIXES)
# The bounds of a float32 output without an activation. They cut infinities, in the reference too.
_FLOATS = (float(np.finfo(np.float32).min), float(np.finfo(np.float32).max))
FLOAT_RANGES: Mapping[str, tuple[float, float]] = {
    "NONE": _FLOATS,
    "RELU": (0.0, _FLOATS[1]),
    "RELU6": (0.0, 6.0),
    "RELU_N1_TO_1": (-1.0, 1.0),
}


def kernels(*stems: str) -> tuple[str, ...]:
    """Names of the kernels of all types."""
    return tuple(f"{stem}_{suffix}" for stem in stems for suffix in SUFFIXES.values())


def suffix(node: Node, *tensors: Tensor) -> str:
    """The suffix of the kernels for tensors of one type. Raises UnsupportedOp for others, and for several."""
    first = tensors[0]
    for tensor in tensors:
        if tensor.dtype not in SUFFIXES:
            raise unsupported(
                node,
                f"tensor {tensor.name[:80]!r} is {tensor.dtype}, the kernels take {TYPES}",
                "quantise the model (microwright quantize)",
            )
        if tensor.dtype != first.dtype:
            raise unsupported(
                node,
                f"tensor {first.name[:80]!r} is {first.dtype}, tensor {tensor.name[:80]!r} {tensor.dtype}",
                "quantise the whole model by one scheme (microwright quantize --scheme)",
            )
        if first.dtype != "float32":
            per_tensor(node, tensor)
    return SUFFIXES[first.dtype]


def zero_points(node: Node, tensors: Mapping[str, Tensor]) -> dict[str, Field]:
    """Fields `NAME_zp` of kernels that have them: those for int8."""
    return {f"{name}_zp": per_tensor(node, t)[1] for name, t in tensors.items() if t.dtype == "int8"}


def activation(node: Node, output: Tensor) -> dict[str, Field]:
    """Fields act_min and act_max: the output's type, or what is left of it by a fused activation."""
    if output.dtype != "float32":
        low, high = activation_range(node, output)
        return {"act_min": low, "act_max": high}
    name = node.options.get("fused_activation_function", "NONE")
    if name not in FLOAT_RANGES:
        raise unsupported(node, f"fused activation {name}", "use ReLU, ReLU6 or a separate activation layer")
    least, most = FLOAT_RANGES[str(name)]
    return {"act_min": least, "act_max": most}
