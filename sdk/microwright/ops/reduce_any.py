"""REDUCE_ANY, bool: whether any of the values over any axes is true, which is their largest one."""

from microwright.ops import reduction

OP = reduction.extremum_op("bool", flip=0)
