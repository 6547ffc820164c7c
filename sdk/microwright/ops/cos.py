"""COS, of float32 between int8: the cosine."""

from __future__ import annotations

from microwright.ops import functions

OP = functions.floats()
