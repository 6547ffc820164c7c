"""The part of TensorFlow Lite's schema (version 3) that a graph is read with: names, slots, defaults.

A field's slot is its position in its table of schema.fbs; a union counts twice, for its type first.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

IDENTIFIER = b"TFL3"
VERSION = 3

CUSTOM = 32
# Operators whose bodies are other subgraphs.
CONTROL_FLOW = frozenset(
    {"CALL", "IF", "STABLEHLO_COMPOSITE", "STABLEHLO_WHILE", "WHILE", "STABLEHLO_REDUCE"}
)

TENSOR_TYPES = (
    "float32",
    "float16",
    "int32",
    "uint8",
    "int64",
    "string",
    "bool",
    "int16",
    "complex64",
    "int8",
    "float64",
    "complex128",
    "uint64",
    "resource",
    "variant",
    "uint32",
    "uint16",
    "int4",
    "bfloat16",
    "int2",
    "uint4",
)

# Handles of variables.
RESOURCE = TENSOR_TYPES.index("resource")

ACTIVATIONS = ("NONE", "RELU", "RELU_N1_TO_1", "RELU6", "TANH", "SIGN_BIT")
_PADDING = ("SAME", "VALID")
_WEIGHTS_FORMATS = ("DEFAULT", "SHUFFLED4x16INT8")
_MIRROR_PAD_MODES = ("REFLECT", "SYMMETRIC")


@dataclass(frozen=True)
class Field:
    """A field of an options table. `names` spell the values of an enum.

    "int32s" is a vector of int32, "text" a string.
    """

    slot: int
    kind: Literal["bool", "int8", "int32", "float32", "int32s", "text"]
    default: float = 0
    names: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Options:
    """The options table of an operator; `union_type` is its number in the union BuiltinOptions."""

    union_type: int
    fields: Mapping[str, Field]


def _padding(slot: int) -> Field:
    return Field(slot, "int8", names=_PADDING)


def _activation(slot: int) -> Field:
    return Field(slot, "int8", names=ACTIVATIONS)


_CONV_2D = Options(
    1,
    {
        "padding": _padding(0),
        "stride_w": Field(1, "int32"),
        "stride_h": Field(2, "int32"),
        "fused_activation_function": _activation(3),
        "dilation_w_factor": Field(4, "int32", 1),
        "dilation_h_factor": Field(5, "int32", 1),
        "quantized_bias_type": Field(6, "int8", names=TENSOR_TYPES),
    },
)
_DEPTHWISE_CONV_2D = Options(
    2,
    {
        "padding": _padding(0),
        "stride_w": Field(1, "int32"),
        "stride_h": Field(2, "int32"),
        "depth_multiplier": Field(3, "int32"),
        "fused_activation_function": _activation(4),
        "dilation_w_factor": Field(5, "int32", 1),
        "dilation_h_factor": Field(6, "int32", 1),
    },
)
_POOL_2D = Options(
    5,
    {
        "padding": _padding(0),
        "stride_w": Field(1, "int32"),
        "stride_h": Field(2, "int32"),
        "filter_width": Field(3, "int32"),
        "filter_height": Field(4, "int32"),
        "fused_activation_function": _activation(5),
    },
)
_FULLY_CONNECTED = Options(
    8,
    {
        "fused_activation_function": _activation(0),
        "weights_format": Field(1, "int8", names=_WEIGHTS_FORMATS),
        "keep_num_dims": Field(2, "bool"),
        "asymmetric_quantize_inputs": Field(3, "bool"),
        "quantized_bias_type": Field(4, "int8", names=TENSOR_TYPES),
    },
)
_SOFTMAX = Options(9, {"beta": Field(0, "float32")})
_CONCATENATION = Options(10, {"axis": Field(0, "int32"), "fused_activation_function": _activation(1)})
_ADD = Options(11, {"fused_activation_function": _activation(0), "pot_scale_int16": Field(1, "bool", 1)})
_RESHAPE = Options(17, {"new_shape": Field(0, "int32s")})
_MUL = Options(21, {"fused_activation_function": _activation(0)})
_PAD = Options(22, {})
_TRANSPOSE = Options(26, {})
_REDUCER = Options(27, {"keep_dims": Field(0, "bool")})
_SUB = Options(28, {"fused_activation_function": _activation(0), "pot_scale_int16": Field(1, "bool", 1)})
_GATHER = Options(23, {"axis": Field(0, "int32"), "batch_dims": Field(1, "int32")})
_PACK = Options(59, {"values_count": Field(0, "int32"), "axis": Field(1, "int32")})
_UNPACK = Options(64, {"num": Field(0, "int32"), "axis": Field(1, "int32")})
_RESIZE_NEAREST_NEIGHBOR = Options(
    74, {"align_corners": Field(0, "bool"), "half_pixel_centers": Field(1, "bool")}
)
_RESIZE_BILINEAR = Options(15, {"align_corners": Field(2, "bool"), "half_pixel_centers": Field(3, "bool")})
_TRANSPOSE_CONV = Options(
    49,
    {
        "padding": _padding(0),
        "stride_w": Field(1, "int32"),
        "stride_h": Field(2, "int32"),
        "fused_activation_function": _activation(3),
    },
)
_BATCH_MATMUL = Options(101, {"adj_x": Field(0, "bool"), "adj_y": Field(1, "bool")})
_SVDF = Options(
    6,
    {
        "rank": Field(0, "int32"),
        "fused_activation_function": _activation(1),
        "asymmetric_quantize_inputs": Field(2, "bool"),
    },
)
_UNIDIRECTIONAL_SEQUENCE_LSTM = Options(
    71,
    {
        "fused_activation_function": _activation(0),
        "cell_clip": Field(1, "float32"),
        "proj_clip": Field(2, "float32"),
        "time_major": Field(3, "bool"),
        "asymmetric_quantize_inputs": Field(4, "bool"),
        "diagonal_recurrent_tensors": Field(5, "bool"),
    },
)
_SQUEEZE = Options(30, {"squeeze_dims": Field(0, "int32s")})
_STRIDED_SLICE = Options(
    32,
    {
        "begin_mask": Field(0, "int32"),
        "end_mask": Field(1, "int32"),
        "ellipsis_mask": Field(2, "int32"),
        "new_axis_mask": Field(3, "int32"),
        "shrink_axis_mask": Field(4, "int32"),
        "offset": Field(5, "bool"),
    },
)
_DEQUANTIZE = Options(38, {})
_MAXIMUM_MINIMUM = Options(39, {})
_PADV2 = Options(43, {})
_EXPAND_DIMS = Options(52, {})
_LEAKY_RELU = Options(75, {"alpha": Field(0, "float32")})
_MIRROR_PAD = Options(77, {"mode": Field(0, "int8", names=_MIRROR_PAD_MODES)})
_QUANTIZE = Options(89, {})

# Operators without an entry have no options, or none that is read.
OPTIONS: Mapping[str, Options] = {
    "ADD": _ADD,
    "AVERAGE_POOL_2D": _POOL_2D,
    "BATCH_MATMUL": _BATCH_MATMUL,
    "CALL_ONCE": Options(103, {"init_subgraph_index": Field(0, "int32")}),
    "CONCATENATION": _CONCATENATION,
    "CONV_2D": _CONV_2D,
    "DEPTHWISE_CONV_2D": _DEPTHWISE_CONV_2D,
    "DIV": Options(29, {"fused_activation_function": _activation(0)}),
    "DEPTH_TO_SPACE": Options(94, {"block_size": Field(0, "int32")}),
    "DEQUANTIZE": _DEQUANTIZE,
    "EXPAND_DIMS": _EXPAND_DIMS,
    "GELU": Options(116, {"approximate": Field(0, "bool")}),
    "FULLY_CONNECTED": _FULLY_CONNECTED,
    "GATHER": _GATHER,
    "LEAKY_RELU": _LEAKY_RELU,
    "MAXIMUM": _MAXIMUM_MINIMUM,
    "MAX_POOL_2D": _POOL_2D,
    "MEAN": _REDUCER,
    "MINIMUM": _MAXIMUM_MINIMUM,
    "MIRROR_PAD": _MIRROR_PAD,
    "MUL": _MUL,
    "PACK": _PACK,
    "PAD": _PAD,
    "PADV2": _PADV2,
    "QUANTIZE": _QUANTIZE,
    "REDUCE_ALL": _REDUCER,
    "REDUCE_ANY": _REDUCER,
    "REDUCE_MAX": _REDUCER,
    "REDUCE_MIN": _REDUCER,
    "RESHAPE": _RESHAPE,
    "RESIZE_BILINEAR": _RESIZE_BILINEAR,
    "RESIZE_NEAREST_NEIGHBOR": _RESIZE_NEAREST_NEIGHBOR,
    "SOFTMAX": _SOFTMAX,
    "SPACE_TO_DEPTH": Options(19, {"block_size": Field(0, "int32")}),
    "SQUEEZE": _SQUEEZE,
    "STRIDED_SLICE": _STRIDED_SLICE,
    "SUB": _SUB,
    "SUM": _REDUCER,
    "SVDF": _SVDF,
    "TRANSPOSE": _TRANSPOSE,
    "TRANSPOSE_CONV": _TRANSPOSE_CONV,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": _UNIDIRECTIONAL_SEQUENCE_LSTM,
    "UNPACK": _UNPACK,
    "VAR_HANDLE": Options(111, {"container": Field(0, "text"), "shared_name": Field(1, "text")}),
}


@functools.cache
def operators() -> Mapping[int, str]:
    """Names of the builtin operators by number."""
    # Loading the schema package takes a tenth of a second; only reading a model needs it.
    from tflite.BuiltinOperator import BuiltinOperator

    return {number: name for name, number in vars(BuiltinOperator).items() if isinstance(number, int)}
