"""Layers whose weights are zero in blocks, or one by one."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from tests.support.layers import Layers, Rng

Weights = npt.NDArray[np.int8]


def pruned(rng: Rng, shape: tuple[int, ...], block: tuple[int, int], sparsity: float) -> Weights:
    """Weights [channels, ...] without a zero, but for that share of the blocks of channels and k."""
    rows, columns = -(-shape[0] // block[0]), -(-int(np.prod(shape[1:])) // block[1])
    mask = np.ones(rows * columns, np.int8)
    mask[rng.permutation(mask.size)[: round(mask.size * sparsity)]] = 0
    grown = mask.reshape(rows, columns).repeat(block[0], 0).repeat(block[1], 1)
    values = rng.integers(1, 128, shape, np.int8) * rng.choice(np.array((-1, 1), np.int8), shape)
    return np.asarray(values * grown[: shape[0], : int(np.prod(shape[1:]))].reshape(shape), np.int8)


def add_layer(
    made: Layers,
    rng: Rng,
    image: tuple[int, ...],
    weights: Weights,
    *,
    zero_point: int = -3,
    stride: int = 1,
    activation: str = "NONE",
    per_tensor: bool = False,
) -> None:
    """A convolution of an image [height, width, channels], or a dense layer of [inputs], scales as usual."""
    out_ch, k = len(weights), weights[0].size
    scales = (0.01 * rng.uniform(0.5, 1, out_ch)).astype(np.float32)
    scales = scales[:1] if per_tensor else scales
    x = made.input((1, *image), scale=0.05, zero_point=zero_point)
    w = made.maker.const(weights, scales=scales, axis=0)
    b = made.maker.const(rng.integers(-1000, 1000, out_ch, np.int32), scales=scales * np.float32(0.05))
    options: dict[str, Any] = {"fused_activation_function": activation}
    out: tuple[int, ...] = (out_ch,)
    if weights.ndim == 4:
        options |= {"padding": "SAME", "stride_h": stride, "stride_w": stride}
        out = (-(-image[0] // stride), -(-image[1] // stride), out_ch)
    kept = float((weights != 0).mean())
    name = f"{image} {weights.shape} {kept=} {zero_point=} {stride=} {activation}"
    y = made.output((1, *out), scale=0.03 * np.sqrt(k * kept + 1), zero_point=4, name=name)
    made.maker.node("CONV_2D" if weights.ndim == 4 else "FULLY_CONNECTED", [x, w, b], [y], **options)
