"""SOFTMAX over the last axis. int8 outputs have scale 1/256 and zero point -128, int16 ones 2^-15 and 0."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from microwright.graph import Array, Graph, Node, Tensor
from microwright.ops import typed
from microwright.ops.base import Constant, Field, Op, Step, input_tensor, output_tensor, unsupported
from microwright.ops.quantized import Multiplier, multiplier, per_tensor

# In int8 the argument of exp is in Q5.26: what lies 31 or more below the maximum counts as 0.
_INTEGER_BITS = 5
# 4096 elements of int8 equal to the maximum would overflow the sum in Q12.19, 65536 of int16 that in Q16.15.
_MAX_DEPTH = {"int8": 4095, "int16": 65535, "float32": 2**31 - 1}
# In int16 it goes from -10 to 0 over all of the type, and a table has this many steps.
_RANGE_16 = 10.0
_STEPS_16 = 512
_INT16_MIN, _INT16_MAX = -(2**15), 2**15 - 1


def _beta(node: Node) -> float:
    beta = node.options.get("beta", 1.0)
    return float(beta) if isinstance(beta, (int, float)) else math.nan


def lower(graph: Graph, node: Node) -> tuple[Step, ...]:
    """A single call of the type's kernel."""
    x, y = input_tensor(graph, node, 0), output_tensor(graph, node)
    suffix = typed.suffix(node, x, y)
    fields = rows(node, x, y)
    # An element is written when it, and all that its row's sum needs, has been read.
    if suffix == "f32":
        return (_call("softmax_f32", x, y, {**fields, "beta": _beta(node)}),)
    if suffix == "s16":
        return (_call("softmax_s16", x, y, {**fields, **_sixteen_bits(node, x, y)}),)
    return (_call("softmax_s8", x, y, {**fields, **_eight_bits(node, x, y)}, scratch_bytes=4 * x.shape[-1]),)


def rows(node: Node, x: Tensor, y: Tensor) -> dict[str, Field]:
    """Rows and their length, of input and output. Raises UnsupportedOp."""
    if x.shape != y.shape or not x.shape:
        raise unsupported(node, f"input has shape {x.shape}, output {y.shape}", "export the model again")
    depth = x.shape[-1]
    if not 1 <= depth <= _MAX_DEPTH[x.dtype]:
        raise unsupported(
            node,
            f"{depth} classes, the kernel takes 1 to {_MAX_DEPTH[x.dtype]}",
            "use a smaller last axis",
        )
    return {"rows": x.elements // depth, "depth": depth}


def _call(
    kernel: str, x: Tensor, y: Tensor, fields: dict[str, Field], scratch_bytes: int | None = None
) -> Step:
    return Step(kernel, (x.index,), (y.index,), fields, scratch_bytes, overlap={0: 0})


def _out_of_range(node: Node, x: Tensor) -> Exception:
    scale, _ = per_tensor(node, x)
    return unsupported(
        node,
        f"beta {_beta(node):.3g} times the input's scale {scale:.3g} is out of range",
        "check the calibration data and the layer's beta",
    )


def _eight_bits(node: Node, x: Tensor, y: Tensor) -> dict[str, Field]:
    """exp is computed on the device, since a table of it takes more flash than that code."""
    if per_tensor(node, y) != (1 / 256, -128):
        raise unsupported(
            node, "the output's scale is not 1/256 with zero point -128", "quantise the model again"
        )
    rescaling, entries = exponents(node, x)
    return {"mult": rescaling.mult, "shift": rescaling.shift, "entries": entries}


def exponents(node: Node, x: Tensor) -> tuple[Multiplier, int]:
    """From differences of int8 to the argument of exp in Q5.26, and from which one on exp counts as 0."""
    factor = _beta(node) * per_tensor(node, x)[0] * 2.0 ** (31 - _INTEGER_BITS)
    if not factor > 1.0:
        raise _out_of_range(node, x)
    # Capped where a difference of 1 is already too much.
    rescaling = multiplier(min(factor, 2.0**31 - 1.0))
    radius = math.floor(31 * 2.0 ** (31 - _INTEGER_BITS) / 2.0**rescaling.shift)
    return rescaling, min(radius, 255) + 1


def _sixteen_bits(node: Node, x: Tensor, y: Tensor) -> dict[str, Field]:
    if abs(per_tensor(node, y)[0] * 2.0**15 - 1) > 1e-3:
        raise unsupported(node, "the output's scale is not 2^-15", "quantise the model again")
    factor = per_tensor(node, x)[0] * _beta(node) / (_RANGE_16 / 65535.0)
    # Differences of 16 bits have 15 more in 32.
    if not 0.0 < factor < 2.0**15:
        raise _out_of_range(node, x)
    rescaling = multiplier(factor)
    return {
        "mult": rescaling.mult,
        "shift": rescaling.shift,
        "exps": Constant(_table(_exp, _RANGE_16, _INT16_MAX)),
        "reciprocals": Constant(_table(lambda v: np.float32(1) / (np.float32(1) + v), 1.0, _INT16_MIN)),
    }


def _table(
    function: Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]], length: float, zero_point: int
) -> Array:
    """int16 [_STEPS_16 + 1]: the function in units of 2^-15 over a range of this length, 0 at `zero_point`.

    Half the error of interpolation in the middle of a step is taken from its beginning. In float32, step by
    step as the reference computes it (LUTPopulateInt16 of TensorFlow Lite).
    """
    f32 = np.float32
    in_scale, out_scale = f32(length) / f32(65535), f32(2) / f32(65535)
    low, high = (in_scale * f32(end - zero_point) for end in (_INT16_MIN, _INT16_MAX))
    step = (high - low) / f32(_STEPS_16)
    inverse = f32(65536) / (out_scale * f32(_INT16_MAX) - out_scale * f32(_INT16_MIN))
    places = low + np.arange(_STEPS_16 + 1, dtype=f32) * step
    values = function(places) * inverse
    first, middle = _rounded(values[:-1]), _rounded(function(places[:-1] + step / f32(2)) * inverse)
    bias = _rounded((_rounded((values[1:] + first) / f32(2)) - middle) / f32(2))
    last = _rounded(function(np.array([high], f32)) * inverse)
    return np.concatenate([first - bias, last]).clip(_INT16_MIN, _INT16_MAX).astype(np.int16)


def _rounded(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """To nearest, ties away from zero."""
    return np.asarray(np.copysign(np.floor(np.abs(values) + np.float32(0.5)), values), np.float32)


def _exp(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The nearest float32, which NumPy's own of float32 need not be."""
    return np.exp(values.astype(np.float64)).astype(np.float32)


OP = Op.lowered(
    lower,
    types=typed.TYPES,
    kernels=typed.kernels("softmax"),
    limits="up to 4095 classes, of int16 65535; an int8 output of scale 1/256 and zero point -128, "
    "an int16 one of 2^-15",
    inexact=("float32",),
)
