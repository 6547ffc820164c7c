"""Fully connected layers on any core without blocks of zeros: four outputs by four inputs."""

from __future__ import annotations

import math

import numpy as np

from microwright.kernels import convolution, gemm_portable, sparse
from microwright.kernels.base import Kernel, Rejected
from microwright.ops import Constant, Step

# Outputs and inputs of a block; blocks from one that is stored to the next: what a byte can say.
_OUTPUTS, _INPUTS = 4, 4
_MOST_STEP = 255


def _repack(step: Step) -> Step:
    in_len, out_len = step.number("in_len"), step.number("out_len")
    if in_len % _INPUTS:
        raise Rejected(f"its in_len is {in_len}, no multiple of {_INPUTS}")
    weights = step.values("weights")
    assert weights is not None
    channels = gemm_portable.channels_of(step, weights.astype(np.int64).reshape(out_len, in_len))
    kept = np.zeros((-(-out_len // _OUTPUTS) * _OUTPUTS, in_len), np.int8)
    kept[:out_len] = [channel.weights for channel in channels]
    # [fours, block, input, output]
    blocks = kept.reshape(-1, _OUTPUTS, in_len // _INPUTS, _INPUTS).transpose(0, 2, 3, 1)
    stored = sparse.reachable((blocks != 0).max(axis=(2, 3)), _MOST_STEP)
    taken = b"".join(bytes(row.tolist()) + b"\0" for row in map(sparse.steps, stored))
    return Step(
        "fully_connected_s8_sparse_portable",
        step.inputs,
        step.outputs,
        {
            **convolution.numbers(step, "batches", "in_len", "out_len", "out_zp", "act_min", "act_max"),
            # No array may be empty.
            "weights": Constant(np.append(blocks[stored].reshape(-1), np.zeros(1, np.int8))),
            "steps": Constant(np.frombuffer(taken, np.uint8)),
            "channels": Constant(sparse.channel_words(channels, _OUTPUTS)),
        },
    )


def _cost(step: Step) -> float:
    """As compiled for a core with a multiply-add instruction: 59 a block, 122 around four outputs.

    Where nothing is zero, the layer is the dense kernel's.
    """
    in_len, out_len = step.number("in_len"), step.number("out_len")
    weights = step.values("weights")
    assert weights is not None
    if in_len % _INPUTS:
        return math.inf
    kept = np.pad(weights.reshape(out_len, in_len) != 0, ((0, -out_len % _OUTPUTS), (0, 0)))
    blocks = kept.reshape(-1, _OUTPUTS, in_len // _INPUTS, _INPUTS)
    stored = sparse.reachable(blocks.max(axis=(1, 3)), _MOST_STEP)
    if stored.all():
        return math.inf
    return float(step.number("batches") * (59 * int(stored.sum()) + 122 * len(stored)))


FULLY_CONNECTED = Kernel("fully_connected_s8_sparse_portable", frozenset(), _repack, _cost)
