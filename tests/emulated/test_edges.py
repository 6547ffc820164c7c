"""No kernel accesses a byte outside its buffers: on emulated cores, with buffers at the edges of pages."""

from __future__ import annotations

from pathlib import Path

import pytest

from microwright import board, kernels, ops, target
from microwright.graph import DType
from microwright.ops import typed
from tests.emulated import test_kernels_sparse_mve
from tests.emulated.test_kernels_elementwise import add_any_pool, add_dense, add_product, add_sum
from tests.emulated.test_kernels_sparse import add_sparse
from tests.ops import test_rearrange, test_softmax
from tests.ops.test_conv_2d import add_batch, add_conv, add_grouped
from tests.ops.test_depthwise_conv_2d import add_depthwise
from tests.support import edges, seeds, types
from tests.support.edges import Buffer, Case, assert_random_layers_stay_inside, at_beginning, at_end
from tests.support.firmware import dense
from tests.support.layers import Layers, Rng, pick

# No unaligned accesses; the DSP extension; Helium.
USUAL = ("mps2-an385-m0plus", "mps2-an386", "mps3-an547")
OTHERS = ("mps2-an385", "mps2-an500", "mps2-an505")
# Layers in an image.
COUNT = 80
CORES = (*USUAL, *(pytest.param(board_id, marks=pytest.mark.thorough) for board_id in OTHERS))

_TAPS = ((1, 1), (3, 3), (5, 5), (1, 5), (4, 1), None)
# Below, at and above whole words and vectors.
_CHANNELS = (1, 2, 3, 4, 5, 6, 7, 8, 15, 17, 33)


def add_convolution(made: Layers, rng: Rng) -> None:
    """Of each number of channels in turn, now and then of many, grouped, sparse or of several images."""
    in_ch, out_ch = (
        _CHANNELS[len(made.outputs) % len(_CHANNELS)],
        pick(rng, (1, 2, 3, 5, 8, 12, 13, 16, 17, 31)),
    )
    usual = pick(rng, _TAPS)
    if rng.random() < 0.2:
        in_ch, out_ch, usual = (
            pick(rng, (64, 150)),
            pick(rng, (1, 2, 5, 9)),
            pick(rng, ((1, 1), (3, 3), (1, 5))),
        )
    if rng.random() < 0.2:
        pick(rng, (add_grouped, add_batch))(made, rng)
    else:
        zeros = ((2, 16), 0.5) if rng.random() < 0.4 else None
        add_conv(made, rng, in_ch=in_ch, out_ch=out_ch, usual=usual, zeros=zeros)


def add_depthwise_convolution(made: Layers, rng: Rng) -> None:
    """Of each number of channels in turn."""
    in_ch = _CHANNELS[len(made.outputs) % len(_CHANNELS)]
    add_depthwise(made, rng, in_ch=in_ch, usual=(3, 3) if rng.random() < 0.7 else pick(rng, _TAPS))


def add_pad(made: Layers, rng: Rng) -> None:
    shape, paddings = rng.integers(1, 6, 4), rng.integers(0, 3, (4, 2))
    x = made.input(shape.tolist(), scale=0.05, zero_point=3)
    padded = (shape + paddings.sum(axis=1)).tolist()
    y = made.output(padded, scale=0.05, zero_point=3, name=f"pad {shape} {paddings.tolist()}")
    made.maker.node("PAD", [x, made.maker.const(paddings, dtype="int32")], [y])


def add_table(made: Layers, rng: Rng) -> None:
    shape = (1, int(rng.integers(1, 40)))
    x = made.input(shape, scale=0.05, zero_point=3)
    y = made.output(shape, scale=1 / 256, zero_point=-128, name=f"logistic {shape}")
    made.maker.node("LOGISTIC", [x], [y])


def add_any_sparse(made: Layers, rng: Rng) -> None:
    add = add_sparse if rng.random() < 0.5 else test_kernels_sparse_mve.add_sparse
    add(made, rng)


FAMILIES = (
    add_convolution,
    add_depthwise_convolution,
    add_any_pool,
    add_dense,
    add_convolution,
    add_depthwise_convolution,
    add_sum,
    add_product,
    add_convolution,
    add_depthwise_convolution,
    add_any_pool,
    add_any_sparse,
    test_softmax.add_softmax,
    add_pad,
    add_table,
)


# They call a kernel that others call, too; the reference of a whole model does not have them.
_NOT_IN_MICRO = {"BROADCAST_TO", "TILE", "SPACE_TO_BATCH_ND"}
# Plain kernels of these that no faster one replaces.
_CONVERSIONS = {
    kernel
    for kernel in (*ops.OPS["QUANTIZE"].kernels, *ops.OPS["DEQUANTIZE"].kernels)
    if kernel not in ("lookup_8", "rescale_s16")
}
# What they keep between inferences is a variable, which has no place of its own here.
_WITH_STATE = {"lstm_s8", "svdf_s8"}
_OF_OTHER_TYPES = {
    kernel
    for op in (*types.EXACT, *types.EXPONENTIAL)
    for kernel in ops.OPS[op].kernels
    if kernel.endswith(("_s16", "_f32"))
}
_USUAL_PLAIN = {"softmax_s8", "pad_s8", "lookup_8"}


def add_layer(made: Layers, rng: Rng) -> None:
    """A layer of each family in turn."""
    FAMILIES[len(made.outputs) % len(FAMILIES)](made, rng)


@pytest.mark.parametrize("board_id", CORES)
def test_random_layers(tmp_path: Path, board_id: str) -> None:
    found = assert_random_layers_stay_inside(board_id, tmp_path / "p", add_layer, seed=7, count=COUNT)
    features = target.of(board.load(board_id)).features
    fast = {kernel.name for made in kernels.KERNELS.values() for kernel in made if kernel.needs <= features}
    missing = (fast | kernels.KERNELS.keys()) - found.keys()
    assert not missing, f"no layer of the sample was for {missing}"


def add_other_operator(made: Layers, rng: Rng) -> None:
    """A layer of an operator whose kernel is the same on all cores."""
    others = (
        *seeds.PAIRS,
        *seeds.FAMILIES,
        *(add for op, add in test_rearrange.OPERATORS.items() if op not in _NOT_IN_MICRO),
    )
    pick(rng, others)(made, rng)


USUAL_FIRST = [pytest.param(i, marks=() if i == USUAL[0] else pytest.mark.thorough) for i in USUAL]


@pytest.mark.parametrize("board_id", USUAL_FIRST)
def test_other_operators(tmp_path: Path, board_id: str) -> None:
    found = assert_random_layers_stay_inside(board_id, tmp_path / "p", add_other_operator, seed=3, count=100)
    kernels_of_all = {kernel for op in ops.OPS.values() for kernel in op.kernels}
    elsewhere = {
        *kernels.KERNELS,
        "concatenation",
        *_CONVERSIONS,
        *_USUAL_PLAIN,
        *_OF_OTHER_TYPES,
        *_WITH_STATE,
    }
    missing = kernels_of_all - elsewhere - found.keys()
    assert not missing, f"no layer of the sample was for {missing}"


@pytest.mark.parametrize("board_id", USUAL_FIRST)
@pytest.mark.parametrize("dtype", ("int16", "float32"))
def test_other_types(tmp_path: Path, board_id: str, dtype: DType) -> None:
    adds = [*types.EXACT.values(), *types.EXPONENTIAL.values()]

    def add(made: Layers, rng: Rng) -> None:
        adds[len(made.outputs) % len(adds)](made, rng, dtype)

    found = assert_random_layers_stay_inside(board_id, tmp_path / "p", add, seed=3, count=2 * len(adds))
    missing = {k for k in _OF_OTHER_TYPES if k.endswith(typed.SUFFIXES[dtype])} - found.keys()
    assert not missing, f"no layer of the sample was for {missing}"


@pytest.mark.thorough
@pytest.mark.parametrize("board_id", (*USUAL, *OTHERS))
@pytest.mark.parametrize("seed", range(100, 112))
def test_many_random_layers(tmp_path: Path, board_id: str, seed: int) -> None:
    assert_random_layers_stay_inside(board_id, tmp_path / "p", add_layer, seed=seed, count=COUNT)


FAULT = "@0 fault exception=4"
UNALIGNED_FAULT = "@0 fault exception=6"
_BYTE, _WORD = "(void)*(volatile uint8_t *)", "(void)*(volatile uint32_t *)"
_VECTOR = '__asm volatile("vldrb.8 q0, [%0]" : : "r"({}) : "memory");'
# Statements with 6 bytes of input at at[0] and 8 of scratch at at[1]; what becomes of them with both at the
# beginning and at the end of a page.
ACCESSES = {
    f"{_BYTE}at[0]; {_BYTE}(at[0] + 5); at[1][0] = at[1][7] = 1;": ("right", "right"),
    f"{_BYTE}(at[0] - 1);": (FAULT, "right"),
    f"{_BYTE}(at[0] + 6);": ("right", FAULT),
    "at[1][-1] = 1;": (FAULT, "wrote outside"),
    "at[1][8] = 1;": ("wrote outside", FAULT),
    "at[1][600] = 1;": ("wrote outside", FAULT),
    "at[0][1] = 1;": ("wrote outside", "wrote outside"),
}
UNALIGNED = {
    f"{_WORD}(at[1] + 1);": ("right", "right"),
    f"{_WORD}(at[1] + 5);": ("right", FAULT),
    f"{_WORD}(at[1] - 3);": (FAULT, "right"),
}
VECTORS = {
    _VECTOR.format("at[1] - 8"): (FAULT, "right"),
    _VECTOR.format("at[1] - 7"): (FAULT, FAULT),
}
ACCESSES_OF = {
    "mps2-an385-m0plus": dict.fromkeys(UNALIGNED, (UNALIGNED_FAULT, UNALIGNED_FAULT)),
    "mps3-an547": ACCESSES | VECTORS,
}


@pytest.mark.parametrize("board_id", CORES)
def test_what_is_outside_is_found(tmp_path: Path, board_id: str) -> None:
    buffers = [Buffer("INPUT", 6), Buffer("SCRATCH", 8)]
    placements = {"beginning": at_beginning(buffers), "end": at_end(buffers)}
    accesses = ACCESSES_OF.get(board_id, ACCESSES | UNALIGNED)
    cases = [Case(statement, [statement], buffers, placements) for statement in accesses]
    results = edges.run(tmp_path / "p", dense(), board.load(board_id), cases)
    expected = [(statement, outcome) for statement, outcomes in accesses.items() for outcome in outcomes]
    assert [(r.case, r.outcome[: len(FAULT)]) for r in results] == expected
