"""LOGICAL_AND, with broadcasting."""

from __future__ import annotations

from microwright.ops import logical

OP = logical.op("minimum_s8")
