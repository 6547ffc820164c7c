"""Blocks of zeros that the sparse kernels of a core skip."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

from microwright.target import Feature, Target

Kind: TypeAlias = Literal["conv", "dense"]
# Output channels and inputs of a block. Inputs are counted along runs of bytes that lie one after the other:
# a row of a convolution's window, a tap where the window is dilated.
Block: TypeAlias = tuple[int, int]

BLOCKS: Mapping[Feature, Mapping[Kind, Block]] = {
    "mve": {"conv": (2, 16), "dense": (4, 16)},
    "dsp": {"conv": (2, 4), "dense": (4, 4)},
}
# Of any other core.
PORTABLE: Mapping[Kind, Block] = {"dense": (4, 4)}


def of(target: Target) -> Mapping[Kind, Block]:
    """The blocks for a core, without the kinds of layers whose kernels skip none."""
    return next((shapes for feature, shapes in BLOCKS.items() if feature in target.features), PORTABLE)
