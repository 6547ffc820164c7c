"""What is said of operators that the engine has no kernel for."""

from __future__ import annotations

import pytest

from microwright import ops
from microwright.errors import UnsupportedOp
from microwright.graph import read
from tests.support.tflite_maker import Maker


@pytest.mark.parametrize(
    ("op", "name", "says", "hint"),
    [
        ("CUMSUM", "functional_7_1/sum_2/Cumsum", ", which comes from layer 'sum_2'", "triangular matrix"),
        ("TOPK_V2", "net_1/act/TopKV2;net_1/act/TopKV21", ", which comes from layer 'act'", "end the model"),
        ("WHERE", "net_1/Where", "no kernel for this operator", "three operands"),
        (
            "ADD_N",
            "StatefulPartitionedCall/net/add_3/AddN",
            ", which comes from layer 'add_3'",
            "two tensors",
        ),
        ("RNN", "Identity", "no kernel for this operator", "unroll the recurrent layer"),
        ("RFFT2D", "sequential/audio/rfft;x", ", which comes from layer 'audio'", "before the model"),
        ("HASHTABLE", "x", "no kernel for this operator", "docs/operators.md"),
    ],
)
def test_an_operator_without_a_kernel_names_its_layer_and_another_way(
    op: str, name: str, says: str, hint: str
) -> None:
    m = Maker()
    x, y = m.tensor((1, 4), scale=1.0), m.tensor((1, 4), scale=1.0, name=name)
    m.node(op, [x], [y])
    with pytest.raises(UnsupportedOp) as caught:
        ops.check(read(m.build([x], [y]), "g"))
    assert caught.value.message.startswith(f"node 0 {op} {name!r}: ")
    assert caught.value.message.endswith(says)
    assert hint in caught.value.hint
