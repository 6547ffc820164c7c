"""Functions of float32, element by element, as the reference computes them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from microwright.graph import Array, Node
from microwright.ops import typed


def of(node: Node, operands: tuple[Array, ...]) -> Array | None:
    """What the node makes of operands in float32, or of truth values and those; None if unknown."""
    function = _FUNCTIONS.get(node.op)
    types = (np.float32, np.bool_) if node.op in _OF_TRUTH else (np.float32,)
    if function is None or not all(x.dtype in types for x in operands):
        return None
    if len(operands) != (3 if node.op in _SELECTIONS else 2 if node.op in _OF_TWO else 1):
        return None
    activation = node.options.get("fused_activation_function")
    if activation is not None and activation not in typed.FLOAT_RANGES:
        return None
    with np.errstate(all="ignore"):
        made = np.asarray(function(node, *operands))
    if made.dtype == np.bool_:
        return made
    made = made.astype(np.float32)
    return made if activation is None else np.clip(made, *typed.FLOAT_RANGES[str(activation)])


def _plain(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function that is exact in float32, whatever the node's options."""
    return lambda node, *operands: function(*operands)


def _rounded(function: Callable[..., float]) -> Callable[..., Any]:
    """The float32 nearest to a function of real numbers: any good library gives it, or the one next to it."""

    def at(*values: float) -> float:
        try:
            return function(*values)
        except OverflowError:
            return math.inf
        except ValueError:
            return math.nan

    def of_arrays(node: Node, *operands: Array) -> Array:
        arrays = np.broadcast_arrays(*(x.astype(np.float64) for x in operands))
        return np.array([at(*values) for values in zip(*(x.tolist() for x in arrays), strict=True)])

    return of_arrays


def _log(x: float) -> float:
    return -math.inf if x == 0 else math.log(x)


def _pow(x: float, y: float) -> float:
    """As C has it: `math.pow` raises where that gives an infinity."""
    return float(np.float64(x) ** np.float64(y))


def _leaky_relu(node: Node, x: Any) -> Any:
    alpha = node.options["alpha"]
    assert isinstance(alpha, float)
    return np.where(x > 0, x, x * np.float32(alpha))


def _floor_mod(x: Any, y: Any) -> Any:
    rest = np.fmod(x, y)
    return np.where((rest != 0) & ((y < 0) != (rest < 0)), rest + y, rest)


_FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "ABS": _plain(np.abs),
    "ADD": _plain(np.add),
    "CEIL": _plain(np.ceil),
    "COS": _rounded(math.cos),
    "DIV": _plain(np.divide),
    "ELU": _rounded(lambda x: x if x >= 0 else math.expm1(x)),
    "EQUAL": _plain(np.equal),
    "EXP": _rounded(math.exp),
    "FLOOR": _plain(np.floor),
    "FLOOR_DIV": _plain(lambda x, y: np.floor(x / y)),
    "FLOOR_MOD": _plain(_floor_mod),
    "GREATER": _plain(np.greater),
    "GREATER_EQUAL": _plain(np.greater_equal),
    "LEAKY_RELU": _leaky_relu,
    "LESS": _plain(np.less),
    "LESS_EQUAL": _plain(np.less_equal),
    "LOG": _rounded(_log),
    "MAXIMUM": _plain(np.maximum),
    "MINIMUM": _plain(np.minimum),
    "MUL": _plain(np.multiply),
    "NEG": _plain(np.negative),
    "NOT_EQUAL": _plain(np.not_equal),
    "POW": _rounded(_pow),
    "RELU": _plain(lambda x: np.maximum(x, np.float32(0))),
    "RELU6": _plain(lambda x: np.clip(x, np.float32(0), np.float32(6))),
    "RELU_N1_TO_1": _plain(lambda x: np.clip(x, np.float32(-1), np.float32(1))),
    "ROUND": _plain(np.rint),
    "RSQRT": _plain(lambda x: np.float32(1) / np.sqrt(x)),
    "SELECT": _plain(np.where),
    "SELECT_V2": _plain(np.where),
    "SIGN": _plain(np.sign),
    "SIN": _rounded(math.sin),
    "SQRT": _plain(np.sqrt),
    "SQUARE": _plain(np.square),
    "SQUARED_DIFFERENCE": _plain(lambda x, y: np.square(x - y)),
    "SUB": _plain(np.subtract),
    "TANH": _rounded(math.tanh),
}
_SELECTIONS = frozenset({"SELECT", "SELECT_V2"})
# Arithmetic of truth values is none that a model has.
_OF_TRUTH = _SELECTIONS | {"EQUAL", "NOT_EQUAL"}
_OF_TWO = frozenset(
    {"ADD", "DIV", "EQUAL", "FLOOR_DIV", "FLOOR_MOD", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL"}
    | {"MAXIMUM", "MINIMUM", "MUL", "NOT_EQUAL", "POW", "SQUARED_DIFFERENCE", "SUB"}
)
NAMES = frozenset(_FUNCTIONS)
