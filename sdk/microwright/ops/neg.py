"""NEG, of float32 between int8: the number with the other sign."""

from __future__ import annotations

from microwright.ops import functions

OP = functions.floats()
