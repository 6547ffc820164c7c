"""MINIMUM with broadcasting."""

from microwright.ops import extremum

OP = extremum.op("minimum")
