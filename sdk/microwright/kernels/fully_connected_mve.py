"""Fully connected layers on Helium: four outputs at a time, 16 products by one instruction."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from microwright.kernels import channels_mve, scaling
from microwright.kernels.base import Kernel, Rejected
from microwright.ops import Constant, Step
from microwright.ops.base import Field
from microwright.ops.quantized import Multiplier

_VECTOR = 16
# Outputs at a time.
GROUP = 4


def _repack(step: Step) -> Step:
    in_len, out_len = step.number("in_len"), step.number("out_len")
    weights = step.values("weights")
    assert weights is not None
    rows = weights.astype(np.int64).reshape(out_len, in_len)
    per_channel = step.number("per_channel")
    scaled: dict[str, Field]
    if per_channel:
        channels = channels_mve.of(step, rows)
        rows = np.stack([channel.weights for channel in channels])
        scaled = {"mult": 0, "shift": 0, "bias": None, **channels_mve.fields(channels)}
    else:
        by, biases = alike(step, rows)
        filled = Constant(np.pad(biases, (0, -out_len % channels_mve.GROUP)))
        scaled = {"mult": by.mult, "shift": by.shift, "channel_bytes": 0, "bias": filled, "channels": None}
    line = line_bytes(step)
    return Step(
        "fully_connected_s8_mve",
        step.inputs,
        step.outputs,
        {
            **{name: step.number(name) for name in ("batches", "in_len", "out_len", "out_zp")},
            **{name: step.number(name) for name in ("act_min", "act_max")},
            **scaled,
            "weights": Constant(np.pad(rows.astype(np.int8).reshape(-1), (0, _VECTOR if line else 0))),
        },
        scratch_bytes=line + (channels_mve.ram_bytes(out_len) if per_channel else 0),
        overlap=overlap(step),
    )


def line_bytes(step: Step) -> int:
    """Scratch of the copy of an input that is not whole vectors."""
    in_len = step.number("in_len")
    return -(-in_len // _VECTOR) * _VECTOR if in_len % _VECTOR else 0


def overlap(step: Step) -> dict[int, int]:
    """`Step.overlap`: an input that is copied is not read again."""
    return {0: -step.number("in_len")} if line_bytes(step) and step.number("batches") == 1 else {}


def alike(step: Step, rows: channels_mve.Ints) -> tuple[Multiplier, npt.NDArray[np.int32]]:
    """The multiplier of channels that are scaled alike, and their biases. Raises Rejected."""
    by = scaling.multiplier(step, 0)
    least = 1 if step.number("act_min") < step.number("out_zp") else 0
    if not least <= -by.shift <= 31:
        raise Rejected(f"it is rescaled by 2^{by.shift}")
    biases = np.array([scaling.bias(step, channel) for channel in range(len(rows))], np.int64)
    # Sums wrap around at 32 bits; what comes out fits.
    return by, (biases - step.number("in_zp") * rows.sum(axis=1)).astype(np.uint32).view(np.int32)


def _cost(step: Step) -> float:
    """Counted in the assembly: 9 a vector of four outputs, 20 around them; 40 to unpack four channels."""
    vectors = -(-step.number("in_len") // _VECTOR)
    groups = -(-step.number("out_len") // GROUP)
    products = groups * (9.0 * vectors + 6 * (vectors // 8) + 20) + 100
    return step.number("batches") * products + (40 * groups if step.number("per_channel") else 0)


FULLY_CONNECTED = Kernel("fully_connected_s8_mve", frozenset({"mve"}), _repack, _cost)
