"""Convolutions that skip blocks of zeros on an emulated DSP core: the same bytes in fewer instructions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from microwright import board, build, passes, project, runners, target, verify
from microwright.graph import Array
from microwright.measure import measure
from microwright.ops import Constant, Step
from microwright.plan import plan
from tests.ops.test_conv_2d import add_conv
from tests.support import layers
from tests.support.device import assert_random_layers_equal_on
from tests.support.layers import Layers, Rng, pick

BOARD = "mps2-an386"
SPARSITIES = (0.0, 0.75, 0.9)
# The layer's image [height, width, channels] and its output channels.
POINTWISE = (((12, 12, 64), 64), ((6, 6, 128), 128))

Weights = npt.NDArray[np.int8]


def pruned(rng: Rng, rows: int, columns: int, sparsity: float) -> Weights:
    """Weights [rows, columns] of which that share of the blocks of 2 x 4 is zero, and no other weight."""
    mask = np.ones(rows // 2 * columns // 4, np.int8)
    mask[rng.permutation(mask.size)[: round(mask.size * sparsity)]] = 0
    values = rng.integers(1, 128, (rows, columns), np.int8) * rng.choice(
        np.array((-1, 1), np.int8), (rows, columns)
    )
    return np.asarray(values * mask.reshape(rows // 2, columns // 4).repeat(2, 0).repeat(4, 1), np.int8)


def add_pointwise(made: Layers, rng: Rng, image: tuple[int, int, int], out_ch: int, sparsity: float) -> None:
    in_ch = image[-1]
    scales = np.full(out_ch, 0.01, np.float32)
    x = made.input((1, *image), scale=0.05, zero_point=-3)
    y = made.output((1, *image[:-1], out_ch), scale=0.001 * np.sqrt(in_ch), zero_point=4)
    weights = pruned(rng, out_ch, in_ch, sparsity).reshape(out_ch, 1, 1, in_ch)
    bias = rng.integers(-1000, 1000, out_ch, np.int32)
    operands = [
        x,
        made.maker.const(weights, scales=scales, axis=0),
        made.maker.const(bias, scales=scales * np.float32(0.05)),
    ]
    made.maker.node("CONV_2D", operands, [y], padding="VALID", stride_h=1, stride_w=1)


def weights_bytes(step: Step) -> int:
    """Of the weights and, for a sparse kernel, where they go."""
    return sum(
        value.values.nbytes
        for name, value in step.fields.items()
        if isinstance(value, Constant) and not name.endswith("channels")
    )


def test_pruned_blocks_pay(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    made = Layers()
    for image, out_ch in POINTWISE:
        for sparsity in SPARSITIES:
            add_pointwise(made, rng, image, out_ch, sparsity)
    model = made.graph()
    sample: tuple[Array, ...] = tuple(
        rng.integers(-128, 128, model.tensors[i].shape, np.int8) for i in model.inputs
    )
    on = board.load(BOARD)
    image_file = build.build(project.create(tmp_path / "p", model, on))
    with runners.start(image_file) as device:
        measured = measure(image_file, device.url, [sample], emulation=device.emulation)
    reference = verify.reference(model)
    assert reference is not None, "the reference interpreter is part of the development installation"
    for expected, actual in zip(reference.run(sample), measured.outputs[0], strict=True):
        np.testing.assert_array_equal(actual, expected)
    calls = plan(passes.run(model), target.of(on)).calls
    instructions = [int(layer.latency) for layer in measured.layers]
    for first in range(0, len(calls), len(SPARSITIES)):
        steps = [call.step for call in calls[first : first + len(SPARSITIES)]]
        assert [step.kernel for step in steps] == ["conv_1x1_s8_dsp"] + 2 * ["conv_1x1_s8_sparse_dsp"]
        dense, at_75, at_90 = instructions[first : first + len(SPARSITIES)]
        assert dense >= 2.2 * at_75
        assert dense >= 3.4 * at_90
        assert weights_bytes(steps[1]) <= 0.35 * weights_bytes(steps[0])
        assert weights_bytes(steps[2]) <= weights_bytes(steps[0]) / 5


def add_sparse_conv(made: Layers, rng: Rng, monkeypatch: pytest.MonkeyPatch) -> None:
    """A convolution of any kind of which some blocks, weights or channels are zero."""
    sparsity = float(pick(rng, (0.3, 0.6, 0.9, 0.97, 1.0)))
    rows, columns = pick(rng, ((2, 4), (2, 4), (1, 1), (2, 400)))
    draw: Callable[..., Weights] = layers.weights

    def weights(rng: Rng, shape: tuple[int, ...]) -> Weights:
        values = draw(rng, shape)
        taps = values[0].size
        mask = rng.random((-(-shape[0] // rows), -(-taps // columns))) >= sparsity
        kept = mask.repeat(rows, 0).repeat(columns, 1)[: shape[0], :taps]
        return np.asarray(values * kept.reshape(shape), np.int8)

    with monkeypatch.context() as patch:
        patch.setattr(layers, "weights", weights)
        in_ch = int(pick(rng, (1, 2, 3, 4, 5, 7, 8, 16, 17, 33, 64)))
        add_conv(made, rng, usual=pick(rng, ((1, 1), (3, 3), (5, 5), (1, 4), None)), in_ch=in_ch)


def test_random_layers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kernels = assert_random_layers_equal_on(
        BOARD, tmp_path / "p", lambda made, rng: add_sparse_conv(made, rng, monkeypatch), seed=5, count=60
    )
    assert kernels["conv_2d_s8_sparse_dsp"] > 0
    assert kernels["conv_1x1_s8_sparse_dsp"] > 0


@pytest.mark.thorough
@pytest.mark.parametrize("board_id", (BOARD, "mps2-an500", "mps2-an505"))
@pytest.mark.parametrize("seed", range(100, 104))
def test_many_random_layers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, board_id: str, seed: int
) -> None:
    assert_random_layers_equal_on(
        board_id,
        tmp_path / "p",
        lambda made, rng: add_sparse_conv(made, rng, monkeypatch),
        seed=seed,
        count=60,
    )
