"""What a faster kernel provides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from microwright.ops import Step
from microwright.target import Feature


class Rejected(Exception):
    """A kernel's precondition does not hold for a step; the text says which. Another kernel takes it."""


@dataclass(frozen=True)
class Kernel:
    """A faster way to compute a plain kernel's call, to the same bytes.

    name    stem of its runtime source
    needs   what the core has to have
    repack  this kernel's call for the plain kernel's; raises Rejected where a precondition cannot be proved
    cost    estimated instructions of the call
    """

    name: str
    needs: frozenset[Feature]
    repack: Callable[[Step], Step]
    cost: Callable[[Step], float]
