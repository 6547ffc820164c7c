"""What kernels give for operands that are known, where `ranges` does not tell."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from microwright.graph import Array, DType
from microwright.ops import Step, cast, fixed_point
from microwright.ops.quantized import Multiplier
from microwright.passes import ranges


def of(step: Step, operands: tuple[Array, ...], dtype: DType) -> Array | None:
    """The call's output, flat and of type `dtype`; None for a kernel that is not among these."""
    rule = _RULES.get(step.kernel)
    return None if rule is None else np.asarray(rule(step, *operands)).reshape(-1).astype(dtype)


def _compare_s8(step: Step, first: Array, second: Array) -> Any:
    a, b = (
        ranges.requantize(
            (operand(step, x, which).astype(np.int64) - step.number(f"in{which}_zp")) * 256,
            np.int64(step.number(f"in{which}_mult")),
            np.int64(step.number(f"in{which}_shift")),
        )
        for x, which in ((first, "1"), (second, "2"))
    )
    return _accepted(step, a, b)


def _compare_s32(step: Step, first: Array, second: Array) -> Any:
    return _accepted(step, operand(step, first, "1"), operand(step, second, "2"))


def _accepted(step: Step, a: Any, b: Any) -> Any:
    relation = 1 + (a > b).astype(np.int64) - (a < b)
    return step.number("accepts") >> relation & 1


_OPERATIONS: tuple[Callable[[Any, Any], Any], ...] = (
    np.add,
    np.subtract,
    np.multiply,
    np.maximum,
    np.minimum,
)


def _arithmetic(step: Step, first: Array, second: Array) -> Any:
    with np.errstate(over="ignore"):
        return _OPERATIONS[step.number("operation")](operand(step, first, "1"), operand(step, second, "2"))


def _div(step: Step, first: Array, second: Array) -> Any:
    pairs = np.broadcast(operand(step, first, "1"), operand(step, second, "2"))
    return np.array([_quotient(step, int(a), int(b)) for a, b in pairs])


def _quotient(step: Step, in1: int, in2: int) -> int:
    a, b = in1 - step.number("in1_zp"), in2 - step.number("in2_zp")
    result = fixed_point.quotient(a, b, Multiplier(step.number("mult"), step.number("shift")))
    return min(max(result + step.number("out_zp"), step.number("act_min")), step.number("act_max"))


def _larger(step: Step, first: Array, second: Array) -> Any:
    return np.maximum(operand(step, first, "1"), operand(step, second, "2"))


def _smaller(step: Step, first: Array, second: Array) -> Any:
    return np.minimum(operand(step, first, "1"), operand(step, second, "2"))


def _select(step: Step, condition: Array, first: Array, second: Array) -> Any:
    return np.where(operand(step, condition, "") != 0, operand(step, first, "1"), operand(step, second, "2"))


def operand(step: Step, values: Any, which: str) -> Any:
    """An operand's values along the loops of the kernel."""
    return ranges.nest(values, ranges.sizes(step, "extents"), ranges.sizes(step, f"strides{which}"))


def _cast(step: Step, x: Array) -> Any:
    dtype = cast.TYPES[step.number("to")]
    if dtype in ("bool", "float32"):
        return x.astype(dtype)
    limits = np.iinfo(dtype)
    return np.clip(np.trunc(np.nan_to_num(x.astype(np.float64))), limits.min, limits.max)


def _dequantize(step: Step, x: Array) -> Any:
    with np.errstate(over="ignore"):
        return _scale(step) * (x.astype(np.int64) - step.number("zp")).astype(np.float32)


def _quantize(step: Step, x: Array) -> Any:
    with np.errstate(all="ignore"):
        scaled = np.clip(np.nan_to_num(x / _scale(step)), -256, 256).astype(np.float64)
    rounded = np.sign(scaled) * np.floor(np.abs(scaled) + 0.5)
    return np.clip(rounded + step.number("zp"), -128, 127)


def _scale(step: Step) -> Any:
    scale = step.fields["scale"]
    assert isinstance(scale, float)
    return np.float32(scale)


def _lookup(step: Step, x: Array) -> Any:
    table = step.values("table")
    assert table is not None
    found = table[x.view(np.uint8)]
    return found.view(np.int8) if x.dtype == np.int8 else found


_RULES: Mapping[str, Callable[..., Any]] = {
    "arithmetic_s32": _arithmetic,
    "cast": _cast,
    "compare_s32": _compare_s32,
    "compare_s8": _compare_s8,
    "dequantize_s8_f32": _dequantize,
    "div_s8": _div,
    "lookup_8": _lookup,
    "maximum_s8": _larger,
    "minimum_s8": _smaller,
    "quantize_f32_s8": _quantize,
    "select": _select,
}
