"""Fully connected layers on Helium: four outputs at a time, 16 products by one instruction."""

from __future__ import annotations

import numpy as np

from microwright.kernels import channels_mve, scaling
from microwright.kernels.base import Kernel, Rejected
from microwright.ops import Constant, Step
from microwright.ops.base import Field

_VECTOR = 16


def _repack(step: Step) -> Step:
    in_len, out_len = step.number("in_len"), step.number("out_len")
    weights = step.values("weights")
    assert weights is not None
    rows = weights.astype(np.int64).reshape(out_len, in_len)
    per_channel = step.number("per_channel")
    rows, scaled = _by_channel(step, rows) if per_channel else (rows, _alike(step, rows))
    copied = in_len % _VECTOR != 0
    behind = _VECTOR if copied else 0
    return Step(
        "fully_connected_s8_mve",
        step.inputs,
        step.outputs,
        {
            **{name: step.number(name) for name in ("batches", "in_len", "out_len", "out_zp")},
            **{name: step.number(name) for name in ("act_min", "act_max")},
            **scaled,
            "weights": Constant(np.pad(rows.astype(np.int8).reshape(-1), (0, behind))),
        },
        scratch_bytes=(
            (channels_mve.ram_bytes(out_len) if per_channel else 0)
            + (-(-in_len // _VECTOR) * _VECTOR if copied else 0)
        ),
        # An input that is copied is not read again.
        overlap={0: -in_len} if copied and step.number("batches") == 1 else {},
    )


def _by_channel(step: Step, rows: channels_mve.Ints) -> tuple[channels_mve.Ints, dict[str, Field]]:
    """Weights and fields of channels that are scaled each for itself."""
    channels = channels_mve.of(step, rows)
    kept = np.stack([channel.weights for channel in channels])
    return kept, {"mult": 0, "shift": 0, "bias": None, **channels_mve.fields(channels)}


def _alike(step: Step, rows: channels_mve.Ints) -> dict[str, Field]:
    """The fields of channels that are scaled alike."""
    by = scaling.multiplier(step, 0)
    least = 1 if step.number("act_min") < step.number("out_zp") else 0
    if not least <= -by.shift <= 31:
        raise Rejected(f"it is rescaled by 2^{by.shift}")
    biases = np.array([scaling.bias(step, channel) for channel in range(len(rows))], np.int64)
    # Sums wrap around at 32 bits; what comes out fits.
    folded = (biases - step.number("in_zp") * rows.sum(axis=1)).astype(np.uint32).view(np.int32)
    return {
        "mult": by.mult,
        "shift": by.shift,
        "channel_bytes": 0,
        "bias": Constant(np.pad(folded, (0, -len(rows) % channels_mve.GROUP))),
        "channels": None,
    }


def _cost(step: Step) -> float:
    """Counted in the assembly: 9 a vector of four outputs, 20 around them."""
    groups = -(-step.number("out_len") // 4)
    vectors = -(-step.number("in_len") // _VECTOR)
    return step.number("batches") * (groups * (9.0 * vectors + 6 * (vectors // 8) + 20) + 100)


FULLY_CONNECTED = Kernel("fully_connected_s8_mve", frozenset({"mve"}), _repack, _cost)
