"""Operators of one 8-bit value: all 256 of them at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from microwright.graph import Graph
from tests.support.layers import Layers
from tests.support.native import assert_equal_to_reference


class Case(NamedTuple):
    """Scales, zero points and types of an operator's input and output."""

    in_scale: float
    in_zero_point: int
    out_scale: float
    out_zero_point: int
    in_type: str = "int8"
    out_type: str = "int8"


def assert_equal_for_every_value(op: str, cases: Sequence[Case], **options: Any) -> None:
    """The operator gives the reference's bytes for all inputs, in every case."""
    made = Layers()
    for case in cases:
        made.maker.node(op, [_input(made, case)], [_output(made, case, str(case))], **options)
    graph = made.graph()
    values = np.arange(256, dtype=np.uint8)
    data = tuple(values.view(graph.tensors[i].dtype) for i in graph.inputs)
    assert_equal_to_reference(graph, [data])


def one(op: str, case: Case, out_shape: Sequence[int] = (256,), **options: Any) -> Graph:
    """A graph of one such operator, whose output is named `layer`."""
    made = Layers()
    x = _input(made, case)
    made.maker.node(op, [x], [_output(made, case, "layer", out_shape)], **options)
    return made.graph()


def _input(made: Layers, case: Case) -> int:
    return made.input((256,), case.in_type, scale=case.in_scale, zero_point=case.in_zero_point)


def _output(made: Layers, case: Case, name: str, shape: Sequence[int] = (256,)) -> int:
    return made.output(shape, case.out_type, scale=case.out_scale, zero_point=case.out_zero_point, name=name)
