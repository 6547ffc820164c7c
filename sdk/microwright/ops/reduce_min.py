"""REDUCE_MIN, int8: the smallest value over any axes."""

from microwright.ops import reduction

OP = reduction.extremum_op("int8", flip=-1)
