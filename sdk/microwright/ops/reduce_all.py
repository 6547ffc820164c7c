"""REDUCE_ALL, bool: whether all of the values over any axes are true, which is their smallest one."""

from microwright.ops import reduction

OP = reduction.extremum_op("bool", flip=-1)
