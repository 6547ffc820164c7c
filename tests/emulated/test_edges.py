"""No kernel accesses a byte outside its buffers: on emulated cores, with buffers at the edges of pages."""

from __future__ import annotations

from pathlib import Path

import pytest

from microwright import board
from tests.emulated.test_kernels_elementwise import add_any_pool, add_dense, add_product, add_sum
from tests.ops.test_conv_2d import add_conv
from tests.ops.test_depthwise_conv_2d import add_depthwise
from tests.ops.test_softmax import add_softmax
from tests.support import edges
from tests.support.edges import Buffer, Case, assert_random_layers_stay_inside, at_beginning, at_end
from tests.support.firmware import dense
from tests.support.layers import Layers, Rng, pick

# The usual ones of them without --thorough: no unaligned access, the DSP extension, Helium.
CORES = ("mps2-an385-m0plus", "mps2-an385", "mps2-an386", "mps2-an500", "mps2-an505", "mps3-an547")
USUAL = ("mps2-an385-m0plus", "mps2-an386", "mps3-an547")

_TAPS = ((1, 1), (3, 3), (5, 5), (1, 5), (4, 1), None)


def add_convolution(made: Layers, rng: Rng) -> None:
    """Channels below, at and above whole words and vectors."""
    add_conv(
        made,
        rng,
        in_ch=pick(rng, (1, 2, 3, 4, 5, 8, 13, 16, 17, 24, 33)),
        out_ch=pick(rng, (1, 2, 3, 5, 8, 12, 13, 16, 17, 31)),
        usual=pick(rng, _TAPS),
    )


def add_depthwise_convolution(made: Layers, rng: Rng) -> None:
    add_depthwise(made, rng, usual=pick(rng, ((3, 3), (3, 3), *_TAPS)))


FAMILIES = (
    add_convolution,
    add_convolution,
    add_depthwise_convolution,
    add_depthwise_convolution,
    add_dense,
    add_sum,
    add_product,
    add_any_pool,
    add_softmax,
)


def add_layer(made: Layers, rng: Rng) -> None:
    pick(rng, FAMILIES)(made, rng)


@pytest.mark.parametrize("board_id", CORES)
def test_random_layers(tmp_path: Path, board_id: str) -> None:
    found = assert_random_layers_stay_inside(board_id, tmp_path / "p", add_layer, seed=3, count=60)
    print(found)


@pytest.mark.parametrize("board_id", CORES)
def test_what_is_outside_is_found(tmp_path: Path, board_id: str) -> None:
    buffers = [Buffer("INPUT", 6), Buffer("SCRATCH", 8)]
    byte, word = "(void)*(volatile uint8_t *)", "(void)*(volatile uint32_t *)"
    fault = "fault: exception 00000004"
    unaligned = "fault: exception 00000006" if board_id == "mps2-an385-m0plus" else "right"
    cases = [
        # statement, and what becomes of it at the beginning and at the end of a page
        (f"{byte}at[0]; {byte}(at[0] + 5);", "right", "right"),
        ("at[1][0] = 1; at[1][7] = 1;", "right", "right"),
        (f"{byte}(at[0] - 1);", fault, "right"),
        (f"{byte}(at[0] + 6);", "right", fault),
        (f"{byte}(at[1] - 1);", fault, "right"),
        (f"{byte}(at[1] + 8);", "right", fault),
        ("at[1][-1] = 1;", fault, "wrote outside"),
        ("at[1][8] = 1;", "wrote outside", fault),
        ("at[1][600] = 1;", "wrote outside", fault),
        ("at[0][1] = 1;", "wrote outside", "wrote outside"),
        (f"{word}(at[0] + 2);", unaligned, "right"),
        (f"{word}(at[1] + 1);", unaligned, unaligned),
        (f"{word}(at[1] + 5);", unaligned, fault if unaligned == "right" else unaligned),
        (f"{word}(at[1] - 3);", fault if unaligned == "right" else unaligned, unaligned),
    ]
    made = [
        Case(statement, [statement], buffers, {"beginning": at_beginning(buffers), "end": at_end(buffers)})
        for statement, *_ in cases
    ]
    results = edges.run(tmp_path / "p", dense(), board.load(board_id), made)
    expected = [(statement, outcome) for statement, *outcomes in cases for outcome in outcomes]
    assert [(r.case, r.outcome[: len(fault)]) for r in results] == expected
