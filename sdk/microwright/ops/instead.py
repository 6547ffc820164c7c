"""What to write instead of an operator that the engine has no kernel for."""

from __future__ import annotations

import re
from collections.abc import Mapping

from microwright.graph import Node

_FLAT = "use 2D layers, with the third dimension in the channels"
_SEQUENCE = "unroll the recurrent layer (unroll=True), so that it becomes fully connected layers"
_BEFORE = "compute it before the model, and give the model the result"
_AFTER = "end the model in front of it, and compute it from the model's output"
_STEPS = "write it with multiplications by 0 and 1, or with several simpler layers"
_INSTEAD: Mapping[str, str] = {
    "ADD_N": "add two tensors at a time",
    "ATAN2": _BEFORE,
    "BIDIRECTIONAL_SEQUENCE_LSTM": _SEQUENCE,
    "BUCKETIZE": _BEFORE,
    "COMPLEX_ABS": _BEFORE,
    "CONV_3D": _FLAT,
    "CONV_3D_TRANSPOSE": _FLAT,
    "CUMSUM": "multiply by a triangular matrix of ones",
    "DENSIFY": "convert the model without sparse tensor encoding",
    "DYNAMIC_UPDATE_SLICE": "concatenate the parts",
    "HASHTABLE_LOOKUP": _BEFORE,
    "L2_NORMALIZATION": "multiply by the reciprocal square root of the sum of squares (UnitNormalization)",
    "L2_POOL_2D": "take the average pool of the squares, and the square root of that",
    "LOCAL_RESPONSE_NORMALIZATION": "use batch normalization",
    "LSTM": _SEQUENCE,
    "MULTINOMIAL": _AFTER,
    "NON_MAX_SUPPRESSION_V4": _AFTER,
    "NON_MAX_SUPPRESSION_V5": _AFTER,
    "ONE_HOT": "gather rows of an identity matrix",
    "RANDOM_STANDARD_NORMAL": "export the model for inference, without dropout and noise",
    "RANDOM_UNIFORM": "export the model for inference, without dropout and noise",
    "REDUCE_PROD": "multiply slices with each other",
    "RFFT2D": _BEFORE,
    "RNN": _SEQUENCE,
    "SCATTER_ND": _STEPS,
    "SEGMENT_SUM": _STEPS,
    "TOPK_V2": _AFTER,
    "UNIDIRECTIONAL_SEQUENCE_RNN": _SEQUENCE,
    "UNIQUE": _AFTER,
    "WHERE": "choose between two tensors (where with three operands), which keeps shapes fixed",
}
_ANYTHING = "replace the layer by others: docs/operators.md has the operators that they may become"

# Tensors are named after the model, the layer and the operation, with numbers behind names that came before.
_LAYER = re.compile(r"^(?:StatefulPartitionedCall[^/;]*/)*[^/;]+/([^/;]+)/[^/]")


def hint(node: Node) -> str:
    """The nearest way to write what the node computes."""
    return _INSTEAD.get(node.op, _ANYTHING)


def layer(node: Node) -> str | None:
    """Name of the Keras layer that the node comes from, where its name tells."""
    found = _LAYER.search(node.name)
    return found[1] if found else None
