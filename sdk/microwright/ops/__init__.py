"""The operators: one file each, listed in OPS under the schema's name."""

from __future__ import annotations

import builtins
from collections.abc import Mapping

from microwright.graph import Graph, Node
from microwright.ops import (
    abs,
    add,
    arg_max,
    arg_min,
    assign_variable,
    average_pool_2d,
    batch_matmul,
    batch_to_space_nd,
    broadcast_to,
    cast,
    ceil,
    concatenation,
    conv_2d,
    cos,
    depth_to_space,
    depthwise_conv_2d,
    dequantize,
    div,
    elu,
    embedding_lookup,
    equal,
    exp,
    floor,
    floor_div,
    floor_mod,
    fully_connected,
    gather,
    gather_nd,
    gelu,
    greater,
    greater_equal,
    hard_swish,
    instead,
    leaky_relu,
    less,
    less_equal,
    log,
    log_softmax,
    logical_and,
    logical_not,
    logical_or,
    logistic,
    lookup,
    max_pool_2d,
    maximum,
    mean,
    minimum,
    mirror_pad,
    mul,
    neg,
    not_equal,
    pack,
    pad,
    pow,
    prelu,
    quantize,
    read_variable,
    reduce_all,
    reduce_any,
    reduce_max,
    reduce_min,
    relu,
    relu6,
    relu_0_to_1,
    relu_n1_to_1,
    reshape,
    resize_bilinear,
    resize_nearest_neighbor,
    reverse_v2,
    round,
    rsqrt,
    select_v2,
    sign,
    sin,
    slice,
    softmax,
    space_to_batch_nd,
    space_to_depth,
    split,
    split_v,
    sqrt,
    square,
    squared_difference,
    strided_slice,
    sub,
    sum,
    svdf,
    tanh,
    tile,
    transpose,
    transpose_conv,
    unidirectional_sequence_lstm,
    unpack,
)
from microwright.ops.base import Constant, Op, Step, unsupported

# What a graph pass makes; no file has it.
LOOKUP = "LOOKUP"

__all__ = ["LOOKUP", "OPS", "Constant", "Op", "Step", "check", "get", "in_micro", "is_exact", "macs"]

OPS: Mapping[str, Op] = {
    "ABS": abs.OP,
    "ADD": add.OP,
    "ARG_MAX": arg_max.OP,
    "ARG_MIN": arg_min.OP,
    "ASSIGN_VARIABLE": assign_variable.OP,
    "AVERAGE_POOL_2D": average_pool_2d.OP,
    "BATCH_MATMUL": batch_matmul.OP,
    "BATCH_TO_SPACE_ND": batch_to_space_nd.OP,
    "BROADCAST_TO": broadcast_to.OP,
    "CAST": cast.OP,
    "CEIL": ceil.OP,
    "CONCATENATION": concatenation.OP,
    "CONV_2D": conv_2d.OP,
    "COS": cos.OP,
    "DEPTHWISE_CONV_2D": depthwise_conv_2d.OP,
    "DEPTH_TO_SPACE": depth_to_space.OP,
    "DEQUANTIZE": dequantize.OP,
    "DIV": div.OP,
    "ELU": elu.OP,
    "EMBEDDING_LOOKUP": embedding_lookup.OP,
    "EQUAL": equal.OP,
    "EXP": exp.OP,
    "EXPAND_DIMS": reshape.OP,
    "FLOOR": floor.OP,
    "FLOOR_DIV": floor_div.OP,
    "FLOOR_MOD": floor_mod.OP,
    "FULLY_CONNECTED": fully_connected.OP,
    "GATHER": gather.OP,
    "GATHER_ND": gather_nd.OP,
    "GELU": gelu.OP,
    "GREATER": greater.OP,
    "GREATER_EQUAL": greater_equal.OP,
    "HARD_SWISH": hard_swish.OP,
    "LEAKY_RELU": leaky_relu.OP,
    "LESS": less.OP,
    "LESS_EQUAL": less_equal.OP,
    "LOG": log.OP,
    "LOGICAL_AND": logical_and.OP,
    "LOGICAL_NOT": logical_not.OP,
    "LOGICAL_OR": logical_or.OP,
    "LOGISTIC": logistic.OP,
    "LOG_SOFTMAX": log_softmax.OP,
    "MAXIMUM": maximum.OP,
    "MAX_POOL_2D": max_pool_2d.OP,
    "MEAN": mean.OP,
    "MINIMUM": minimum.OP,
    "MIRROR_PAD": mirror_pad.OP,
    "MUL": mul.OP,
    "NEG": neg.OP,
    "NOT_EQUAL": not_equal.OP,
    "PACK": pack.OP,
    "PAD": pad.OP,
    "PADV2": pad.OP,
    "POW": pow.OP,
    "PRELU": prelu.OP,
    "QUANTIZE": quantize.OP,
    "READ_VARIABLE": read_variable.OP,
    "REDUCE_ALL": reduce_all.OP,
    "REDUCE_ANY": reduce_any.OP,
    "REDUCE_MAX": reduce_max.OP,
    "REDUCE_MIN": reduce_min.OP,
    "RELU": relu.OP,
    "RELU6": relu6.OP,
    "RELU_0_TO_1": relu_0_to_1.OP,
    "RELU_N1_TO_1": relu_n1_to_1.OP,
    "RESHAPE": reshape.OP,
    "RESIZE_BILINEAR": resize_bilinear.OP,
    "RESIZE_NEAREST_NEIGHBOR": resize_nearest_neighbor.OP,
    "REVERSE_V2": reverse_v2.OP,
    "ROUND": round.OP,
    "RSQRT": rsqrt.OP,
    "SELECT": select_v2.OP,
    "SELECT_V2": select_v2.OP,
    "SIGN": sign.OP,
    "SIN": sin.OP,
    "SLICE": slice.OP,
    "SOFTMAX": softmax.OP,
    "SPACE_TO_BATCH_ND": space_to_batch_nd.OP,
    "SPACE_TO_DEPTH": space_to_depth.OP,
    "SPLIT": split.OP,
    "SPLIT_V": split_v.OP,
    "SQRT": sqrt.OP,
    "SQUARE": square.OP,
    "SQUARED_DIFFERENCE": squared_difference.OP,
    "SQUEEZE": reshape.OP,
    "STRIDED_SLICE": strided_slice.OP,
    "SUB": sub.OP,
    "SUM": sum.OP,
    "SVDF": svdf.OP,
    "TANH": tanh.OP,
    "TILE": tile.OP,
    "TRANSPOSE": transpose.OP,
    "TRANSPOSE_CONV": transpose_conv.OP,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": unidirectional_sequence_lstm.OP,
    "UNPACK": unpack.OP,
    LOOKUP: lookup.OP,
}


def get(node: Node) -> Op:
    """The operator of a node. Raises UnsupportedOp where the engine has none."""
    op = OPS.get(node.op)
    if op is None:
        layer = instead.layer(node)
        origin = "" if layer is None else f", which comes from layer {layer[:80]!r}"
        raise unsupported(node, f"the aot engine has no kernel for this operator{origin}", instead.hint(node))
    return op


def check(graph: Graph) -> None:
    """Raise UnsupportedOp for the first node that the engine cannot compute exactly."""
    for node in graph.nodes:
        get(node).check(graph, node)


def in_micro(graph: Graph) -> bool:
    """Whether TensorFlow Lite Micro computes every node whose operator is known."""
    return all(OPS[node.op].in_micro(graph, node) for node in graph.nodes if node.op in OPS)


def is_exact(graph: Graph) -> bool:
    """Whether every bit of the outputs has to be the reference's: no node has exponentials of C's library."""
    return not any(
        graph.tensors[node.outputs[0]].dtype in OPS[node.op].inexact for node in graph.nodes if node.op in OPS
    )


def macs(graph: Graph) -> int:
    """Multiply-accumulates of one inference, of the operators that are known."""
    # The operator hides the function.
    return builtins.sum(OPS[node.op].macs(graph, node) for node in graph.nodes if node.op in OPS)
