"""Pieces of C text that are safe whatever the model says."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np

from microwright.errors import InputError
from microwright.graph import Array

C_TYPES: Mapping[str, str] = {
    "bool": "uint8_t",
    "float32": "float",
    "int8": "int8_t",
    "int16": "int16_t",
    "int32": "int32_t",
    "int64": "int64_t",
    "uint8": "uint8_t",
    "uint16": "uint16_t",
    "uint32": "uint32_t",
}

# `-2147483648` is minus applied to a number that does not fit.
_LEAST: Mapping[int, str] = {-(2**31): "INT32_MIN", -(2**63): "INT64_MIN"}

_LINE_CHARS = 100


def comment(text: str) -> str:
    """Text that cannot begin or end a comment, continue a line or leave ASCII; cut at 80 characters."""
    return re.sub(r"[^A-Za-z0-9_/.:;+-]+", " ", text[:80])


def string(text: str) -> str:
    """A C string literal of printable ASCII, other characters as `_`; cut at 80 characters."""
    return '"' + re.sub(r"[^A-Za-z0-9_/.:;+ -]", "_", text[:80]) + '"'


def real(value: float) -> str:
    """A float literal that reads back to the same float32. Raises InputError for what has none."""
    with np.errstate(over="ignore"):
        finite = bool(np.isfinite(np.float32(value)))
    if not finite:
        raise InputError(
            f"the model has {value} among its constants, which is no finite float32",
            "export a model whose weights and scales are finite",
        )
    text = np.format_float_scientific(np.float32(value), unique=True, trim="0", exp_digits=2)
    return f"{text}f"


def number(value: int) -> str:
    """An integer literal; the least values have none of their own."""
    return _LEAST.get(value, str(value))


def array(values: Array) -> str:
    """Braced initialiser of a flat array, wrapped into lines."""
    flat = values.reshape(-1)
    if flat.dtype == np.float32:
        items = [real(float(v)) for v in flat]
    else:
        items = [number(int(v)) for v in flat.tolist()]
    lines: list[str] = []
    line = "   "
    for item in items:
        if len(line) + len(item) + 2 > _LINE_CHARS:
            lines.append(line)
            line = "   "
        line += f" {item},"
    lines.append(line)
    return "{\n" + "\n".join(lines) + "\n}"
