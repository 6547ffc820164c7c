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
        ("GELU", "functional_7_1/gelu_2/Gelu", ", which comes from layer 'gelu_2'", "tanh, sigmoid"),
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
