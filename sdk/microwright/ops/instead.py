"""What to write instead of an operator that the engine has no kernel for."""

from __future__ import annotations

import re
from collections.abc import Mapping

from microwright.graph import Node

_FUNCTION = "use a function that is a table of int8 values: tanh, sigmoid, hard_swish, leaky ReLU, ELU"
_CONDITION = "write it with maximum, minimum and ReLU, which need no condition"
_SEQUENCE = "unroll the recurrent layer (unroll=True), so that it becomes fully connected layers"
_BEFORE = "compute it before the model, and give the model the result"
_AFTER = "end the model in front of it, and compute it from the model's output"
_INSTEAD: Mapping[str, str] = {
    "BIDIRECTIONAL_SEQUENCE_LSTM": _SEQUENCE,
    "CAST": _AFTER,
    "CONV_3D": "use 2D convolutions, with the third dimension in the channels",
    "CONV_3D_TRANSPOSE": "use 2D convolutions, with the third dimension in the channels",
    "COS": _BEFORE,
    "DIV": "multiply by the reciprocal where the divisor is constant",
    "EMBEDDING_LOOKUP": _BEFORE,
    "EQUAL": _CONDITION,
    "GELU": _FUNCTION,
    "GREATER": _CONDITION,
    "GREATER_EQUAL": _CONDITION,
    "L2_NORMALIZATION": _AFTER,
    "LESS": _CONDITION,
    "LESS_EQUAL": _CONDITION,
    "LOG_SOFTMAX": "use softmax, whose classes have the same order",
    "LSTM": _SEQUENCE,
    "NOT_EQUAL": _CONDITION,
    "POW": "multiply the tensor with itself",
    "REDUCE_MIN": "take the maximum of the negated tensor, and negate it",
    "RFFT2D": _BEFORE,
    "RNN": _SEQUENCE,
    "SELECT": _CONDITION,
    "SELECT_V2": _CONDITION,
    "SIN": _BEFORE,
    "TOPK_V2": _AFTER,
    "UNIDIRECTIONAL_SEQUENCE_RNN": _SEQUENCE,
}
_ANYTHING = "replace the layer by others: docs/operators.md has the operators that they may become"

# Tensors are named after the model, the layer and the operation, with numbers behind names that came before.
_LAYER = re.compile(r"(?:^|[/;])(?:functional|sequential|model)(?:_\d+)*/([^/;]+)/")


def hint(node: Node) -> str:
    """The nearest way to write what the node computes."""
    return _INSTEAD.get(node.op, _ANYTHING)


def layer(node: Node) -> str | None:
    """Name of the Keras layer that the node comes from, where its name tells."""
    found = _LAYER.search(node.name)
    return found[1] if found else None
