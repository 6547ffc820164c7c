"""LOGICAL_OR, with broadcasting."""

from __future__ import annotations

from microwright.ops import logical

OP = logical.op("maximum_s8")
