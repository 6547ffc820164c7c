"""Fixed-point parameters of integer operators, as TensorFlow Lite's schemes define them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from microwright.graph import Node, Quantization, Tensor
from microwright.ops.base import unsupported


@dataclass(frozen=True)
class Multiplier:
    """real ~ mult * 2**(shift - 31), mult in [2**30, 2**31), or mult = shift = 0 for 0."""

    mult: int
    shift: int


# With a mantissa of 31 bits.
_LARGEST = (2.0 - 2.0**-30) * 2.0**29


def multiplier(real: float) -> Multiplier:
    """Fixed-point form of a positive factor, as QuantizeMultiplier of TensorFlow Lite rounds it.

    The mantissa is rounded half away from zero to 31 bits. Factors below 2**-32 become 0 there, and so here;
    those from 2**30 on, infinity too, the largest that there is.
    """
    if real == 0.0:
        return Multiplier(0, 0)
    if real >= _LARGEST:
        return Multiplier((1 << 31) - 1, 30)
    mantissa, shift = math.frexp(real)
    scaled = mantissa * 2.0**31
    mult = math.floor(scaled + 0.5)
    if mult == 1 << 31:
        mult >>= 1
        shift += 1
    return Multiplier(mult, shift) if shift >= -31 else Multiplier(0, 0)


def float32_ratio(a: float, b: float) -> float:
    """a / b of positive float32 values, as float32 has it; inf above its range."""
    with np.errstate(over="ignore", under="ignore", divide="ignore"):
        return float(np.float32(a) / np.float32(b))


def rescale(node: Node, factor: float) -> Multiplier:
    """Fixed-point form of a node's rescaling factor. Raises UnsupportedOp where it overflows 32 bits."""
    if not factor < 2.0**29:
        raise unsupported(
            node,
            f"its scales give a factor of {factor:g}, which fixed-point arithmetic cannot express",
            "quantise the model again with representative calibration data",
        )
    return multiplier(factor)


def require_int8(node: Node, tensor: Tensor) -> None:
    """Raise UnsupportedOp for a tensor of another type."""
    if tensor.dtype != "int8":
        raise unsupported(
            node,
            f"tensor {tensor.name[:80]!r} is {tensor.dtype}, expected int8",
            "quantise the model to int8 (microwright quantize)",
        )


def per_tensor(node: Node, tensor: Tensor) -> tuple[float, int]:
    """(scale, zero point) of a per-tensor quantised tensor; an int16 one's is 0. Raises UnsupportedOp."""
    q = tensor.quantization
    if q is None or len(q.scales) != 1:
        raise unsupported(
            node,
            f"tensor {tensor.name[:80]!r} is not quantised per tensor",
            "quantise the model to int8 (microwright quantize)",
        )
    if tensor.dtype == "int16" and q.zero_points[0] != 0:
        raise unsupported(
            node,
            f"tensor {tensor.name[:80]!r} is int16 with zero point {q.zero_points[0]}, expected 0",
            "quantise the model again (microwright quantize --scheme int16x8)",
        )
    return q.scales[0], q.zero_points[0]


def limits(tensor: Tensor) -> tuple[int, int]:
    """The smallest and the largest value of an integer tensor's type."""
    info = np.iinfo(tensor.dtype)
    return int(info.min), int(info.max)


def per_channel(node: Node, tensor: Tensor, channels: int, axis: int) -> tuple[float, ...]:
    """One scale a channel; a per-tensor scale is repeated. Zero points have to be 0."""
    q: Quantization | None = tensor.quantization
    if q is None:
        raise unsupported(
            node,
            f"weights {tensor.name[:80]!r} are not quantised",
            "quantise the model to int8 (microwright quantize)",
        )
    if any(q.zero_points):
        raise unsupported(
            node,
            f"weights {tensor.name[:80]!r} have a zero point other than 0",
            "quantise to int8 with symmetric weights (microwright quantize)",
        )
    if len(q.scales) == 1:
        return q.scales * channels
    if len(q.scales) != channels or q.axis != axis:
        raise unsupported(
            node,
            f"weights {tensor.name[:80]!r} have {len(q.scales)} scales along axis {q.axis}, "
            f"expected {channels} along axis {axis}",
            "export the model again",
        )
    return q.scales


def activation_range(node: Node, tensor: Tensor) -> tuple[int, int]:
    """Clamp of a fused activation in the output's integers.

    Rounded in float32, as CalculateActivationRangeQuantized of TensorFlow Lite does.
    """
    scale, zero_point = per_tensor(node, tensor)
    low, high = limits(tensor)

    def quantize(real: float) -> int:
        with np.errstate(over="ignore"):
            scaled = float(np.float32(real) / np.float32(scale))
        if abs(scaled) >= 2.0**31:
            raise unsupported(
                node,
                f"output scale {scale:g} is too small for the fused activation",
                "quantise the model again with representative calibration data",
            )
        return zero_point + int(math.copysign(math.floor(abs(scaled) + 0.5), scaled))

    activation = node.options.get("fused_activation_function", "NONE")
    if activation == "NONE":
        return low, high
    if activation == "RELU":
        return max(low, quantize(0.0)), high
    if activation == "RELU6":
        return max(low, quantize(0.0)), min(high, quantize(6.0))
    if activation == "RELU_N1_TO_1":
        return max(low, quantize(-1.0)), min(high, quantize(1.0))
    raise unsupported(
        node, f"fused activation {activation}", "use ReLU, ReLU6 or a separate activation layer"
    )
