"""The verdict on zeros: what is told of them, and that its costs are those of the code that is generated."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from microwright import board, cli, graph, ops, passes, target, verdict
from microwright.emit import aot
from microwright.graph import Graph
from microwright.plan import Call, Plan, plan
from microwright.target import Room
from microwright.verdict import Layer, Verdict
from tests.support.layers import Layers
from tests.support.pruned import add_layer, pruned
from tests.support.small_model import small_model
from tests.support.stateful import counter
from tests.support.tflite_maker import Maker

M4, M3, M55 = board.load("mps2-an386"), board.load("mps2-an385"), board.load("mps3-an547")
Weights = npt.NDArray[np.int8]
IMAGE, POINTWISE = (8, 8, 64), (64, 1, 1, 64)


def planned(model: Graph, on: board.Board = M4) -> Plan:
    return plan(passes.run(model), target.of(on))


def judged(model: Graph, on: board.Board = M4) -> Verdict:
    return verdict.judge(model, planned(model, on), on)


def layer_of(*weights: Weights, image: tuple[int, ...] = IMAGE) -> Graph:
    """Layers that do not depend on each other."""
    made = Layers()
    for values in weights:
        add_layer(made, np.random.default_rng(0), image, values)
    return made.graph()


def zeros(shape: tuple[int, ...], block: tuple[int, int], share: float) -> Weights:
    return pruned(np.random.default_rng(2), shape, block, share)


def chain(*weights: Weights, image: tuple[int, int, int] = IMAGE) -> Graph:
    """1x1 convolutions one after the other, or depthwise ones where the first axis is 1."""
    m = Maker()
    x = first = m.tensor((1, *image), scale=0.05)
    for values in weights:
        depthwise = values.shape[0] == 1
        channels = values.shape[3 if depthwise else 0]
        scales = [0.01] * channels
        w = m.const(values, scales=scales, axis=3 if depthwise else 0)
        b = m.const(np.full(channels, 9, np.int32), scales=[0.0005] * channels)
        y = m.tensor((1, *image[:2], channels), scale=0.08)
        options = {"depth_multiplier": 1} if depthwise else {}
        op = "DEPTHWISE_CONV_2D" if depthwise else "CONV_2D"
        m.node(op, [x, w, b], [y], padding="SAME", stride_h=1, stride_w=1, **options)
        x = y
    return graph.read(m.build([first], [x]), "chain")


def only(told: Verdict) -> Layer:
    (layer,) = told.layers
    return layer


def whole_blocks(weights: Weights, block: tuple[int, int]) -> int:
    """Zeros in blocks that are zero, counted one by one."""
    rows = weights.reshape(len(weights), -1)
    return sum(
        part.size
        for i in range(0, len(rows), block[0])
        for j in range(0, rows.shape[1], block[1])
        if not (part := rows[i : i + block[0], j : j + block[1]]).any()
    )


def test_zeros_are_told_by_kind() -> None:
    in_blocks, single = zeros(POINTWISE, (2, 4), 0.75), zeros(POINTWISE, (1, 1), 0.6)
    channels = zeros(POINTWISE, (2, 4), 0)
    channels[:16] = 0
    channels[..., 5] = 0
    told = [layer.zeros for layer in judged(layer_of(in_blocks, single, channels)).layers]
    assert (told[0].channels, told[0].blocks, told[0].scattered) == (0, 0.75, 0)
    assert told[1].blocks == whole_blocks(single, (2, 4)) / single.size
    assert told[1].total == pytest.approx(0.6, abs=1e-3)
    assert told[2].channels == 1 - 48 * 63 / 64**2
    assert told[2].total == told[2].channels


def test_blocks_are_those_of_what_channels_leave() -> None:
    """A block whose channels or inputs lie apart, but for those that go."""
    weights = zeros(POINTWISE, (2, 4), 0)
    weights[1] = 0
    weights[..., 2] = 0
    weights[0, ..., :5] = weights[2, ..., :5] = 0
    told = only(judged(layer_of(weights))).zeros
    assert told.blocks == 8 / weights.size
    assert told.scattered == 0


def test_blocks_of_rows_of_a_window_and_of_dense_layers() -> None:
    rows = zeros((4, 3, 3, 6), (1, 1), 0)
    rows[:2, 1, :, :] = 0  # 18 inputs of a row: four blocks and half of one
    assert only(judged(layer_of(rows, image=(8, 8, 6)))).zeros.blocks == 36 / rows.size
    dense = zeros((128, 64), (4, 4), 0.5)
    assert only(judged(layer_of(dense, image=(64,)))).zeros.blocks == 0.5


@pytest.mark.parametrize(
    ("weights", "image", "kernel"),
    [
        (zeros(POINTWISE, (2, 4), 0.75), IMAGE, "conv_1x1_s8_sparse_dsp"),
        (zeros(POINTWISE, (1, 1), 0.9), IMAGE, "conv_1x1_s8_scattered_dsp"),
        (zeros((32, 3, 3, 64), (2, 4), 0.75), IMAGE, "conv_2d_s8_sparse_dsp"),
        (zeros((128, 640), (4, 4), 0.9), (640,), "fully_connected_s8_sparse_dsp"),
        (zeros((128, 640), (1, 1), 0.9), (640,), "fully_connected_s8_scattered_dsp"),
        (zeros(POINTWISE, (1, 1), 0.3), IMAGE, "conv_1x1_s8_dsp"),
    ],
)
def test_costs_are_those_of_the_generated_code(weights: Weights, image: tuple[int, ...], kernel: str) -> None:
    model, full = layer_of(weights, image=image), weights.copy()
    full[full == 0] = 3
    told = judged(model)
    layer = only(told)
    (call,) = planned(model).calls
    (dense,) = planned(layer_of(full, image=image)).calls
    assert layer.now.kernels == (call.step.kernel,) == (kernel,)
    assert f"mw_{kernel}(" in aot.emit(planned(model))["mw_model.c"]
    assert (layer.now.instructions, layer.now.constant_bytes) == (call.instructions, constants(call))
    assert layer.dense.kernels == (dense.step.kernel,)
    assert (layer.dense.instructions, layer.dense.constant_bytes) == (dense.instructions, constants(dense))
    assert layer.gain == dense.instructions / call.instructions
    assert layer.skips == (call.step.kernel != dense.step.kernel)
    assert (told.after.constant_bytes, told.after.instructions) == (constants(call), call.instructions)
    assert (told.before.constant_bytes, told.before.instructions) == (constants(dense), dense.instructions)


def constants(call: Call) -> int:
    return sum(
        values.nbytes
        for name in call.step.fields
        if not isinstance(call.step.fields[name], (int, float, tuple))
        if (values := getattr(call.step.fields[name], "values", None)) is not None
    )


def test_channels_that_go_gain_in_all_layers_that_know_them() -> None:
    first, between, last = (zeros(s, (1, 1), 0) for s in ((32, 1, 1, 16), (1, 3, 3, 32), (16, 1, 1, 32)))
    first[8:] = 0
    model = chain(first, between, last, image=(8, 8, 16))
    small = passes.run(model)
    told = judged(model)
    assert [layer.channels for layer in told.layers] == [(32, 8), (32, 8), (16, 16)]
    assert [layer.zeros.channels for layer in told.layers] == [0.75, 0, 0]
    assert all(layer.gain is not None and layer.gain > 2 for layer in told.layers)
    assert (told.before.macs, told.after.macs) == (ops.macs(model), ops.macs(small))
    assert told.after.constant_bytes == planned(model).constant_bytes < told.before.constant_bytes / 2
    assert told.before.time is not None and told.after.time is not None
    ratio = told.before.instructions / told.after.instructions
    assert told.before.time.ms / told.after.time.ms == pytest.approx(ratio, rel=0.01)


def test_a_layer_of_zeros_alone() -> None:
    idle, _ = judged(chain(np.zeros((8, 1, 1, 64), np.int8), zeros((16, 1, 1, 8), (1, 1), 0))).layers
    assert (idle.channels, idle.zeros.channels, idle.zeros.scattered) == ((8, 1), 1, 0)
    assert idle.dense.instructions > 2 * idle.now.instructions


def test_other_zeros_gain_what_models_that_have_them_gain() -> None:
    head = zeros((10, 1, 1, 64), (1, 1), 0)
    layer = judged(chain(zeros(POINTWISE, (1, 1), 0.5), head)).layers[0]
    others = {other.pattern: other for other in layer.alternatives}
    assert others.keys() == {"blocks", "channels"}
    blocks = planned(chain(zeros(POINTWISE, (2, 4), 0.5), head)).calls[0]
    assert others["blocks"].instructions == pytest.approx(blocks.instructions, rel=0.02)
    fewer = planned(chain(zeros((32, 1, 1, 64), (1, 1), 0), head[..., :32])).calls[0]
    assert others["channels"].instructions == fewer.instructions
    for other in layer.alternatives:
        assert other.gain == layer.dense.instructions / other.instructions


def test_a_models_last_layer_keeps_its_outputs() -> None:
    layer = judged(chain(zeros((32, 1, 1, 64), (1, 1), 0), zeros((64, 1, 1, 32), (1, 1), 0.5))).layers[1]
    (channels,) = (other for other in layer.alternatives if other.pattern == "channels")
    fewer = planned(chain(zeros((16, 1, 1, 64), (1, 1), 0), zeros((64, 1, 1, 16), (1, 1), 0))).calls[1]
    assert channels.instructions == fewer.instructions


def test_a_board_with_little_memory_slows_the_model_without_zeros_too() -> None:
    """A model without zeros is what it is compared with, on any board."""
    weights = np.random.default_rng(0).integers(1, 100, (64, 3, 3, 64)).astype(np.int8)
    model = chain(weights, weights)
    roomy = planned(model)
    small = replace(target.of(M4), rooms=(Room("ram", roomy.arena_bytes - 1),))
    tight = plan(passes.run(model), small)
    assert sum(call.instructions for call in tight.calls) > sum(call.instructions for call in roomy.calls)
    for each in (roomy, tight):
        told = verdict.judge(model, each, M4)
        assert told.before.instructions == told.after.instructions == sum(c.instructions for c in each.calls)
        assert [layer.gain for layer in told.layers] == [1.0, 1.0]


@pytest.mark.parametrize(("pattern", "block"), [("blocks", (2, 4)), ("scattered", (1, 1))])
def test_zeros_pay_from_where_kernels_begin_to_skip_them(
    pattern: verdict.Pattern, block: tuple[int, int]
) -> None:
    least = only(judged(layer_of(zeros(POINTWISE, (1, 1), 0.5)))).pays_from[pattern]
    assert 0.05 < least < 0.95
    assert only(judged(layer_of(zeros(POINTWISE, block, least + 0.03)))).skips
    assert not only(judged(layer_of(zeros(POINTWISE, block, least - 0.08)))).skips


@pytest.mark.parametrize(
    ("shape", "block", "image", "kernel"),
    [
        (POINTWISE, (2, 16), IMAGE, "conv_1x1_s8_sparse_mve"),
        ((32, 3, 3, 32), (2, 16), (8, 8, 32), "conv_2d_s8_sparse_mve"),
        ((128, 640), (4, 16), (640,), "fully_connected_s8_sparse_mve"),
    ],
)
def test_blocks_on_helium(
    shape: tuple[int, ...], block: tuple[int, int], image: tuple[int, ...], kernel: str
) -> None:
    in_blocks = only(judged(layer_of(zeros(shape, block, 0.75), image=image), M55))
    # Some channels have no weight left.
    assert in_blocks.zeros.channels + in_blocks.zeros.blocks == 0.75 and in_blocks.zeros.scattered == 0
    assert (in_blocks.block, in_blocks.skips) == (block, True)
    assert in_blocks.now.kernels == (kernel,) and in_blocks.dense.kernels == (kernel.replace("_sparse", ""),)
    assert in_blocks.gain is not None and in_blocks.gain > 2
    assert in_blocks.now.constant_bytes < 0.35 * in_blocks.dense.constant_bytes + 9 * shape[0]
    scattered = only(judged(layer_of(zeros(shape, (1, 1), 0.75), image=image), M55))
    assert (scattered.skips, scattered.gain) == (False, 1)
    blocks = next(other for other in scattered.alternatives if other.pattern == "blocks")
    assert blocks.instructions == pytest.approx(in_blocks.now.instructions, rel=0.05)
    least = scattered.pays_from["blocks"]
    assert only(judged(layer_of(zeros(shape, block, least + 0.03), image=image), M55)).skips
    assert not only(judged(layer_of(zeros(shape, block, least - 0.08), image=image), M55)).skips


def test_where_only_whole_channels_pay() -> None:
    shape = (1, 3, 3, 64)
    depthwise = judged(chain(zeros(shape, (1, 1), 0.5).reshape(shape))).layers[0]
    assert (depthwise.hindrance, depthwise.block, depthwise.alternatives) == ("depthwise", None, ())
    core = only(judged(layer_of(zeros(POINTWISE, (2, 4), 0.75)), M3))
    assert (core.hindrance, core.skips, core.gain) == ("core", False, 1)
    assert [other.pattern for other in core.alternatives] == ["channels"]
    grouped = only(judged(layer_of(zeros((64, 3, 3, 16), (1, 1), 0.5))))
    assert (grouped.hindrance, grouped.block) == ("grouped", None)


@pytest.fixture
def pruned_file(tmp_path: Path) -> str:
    layers = Layers()
    for shape, block, share in ((POINTWISE, (2, 4), 0.75), (POINTWISE, (1, 1), 0.5)):
        add_layer(layers, np.random.default_rng(0), IMAGE, zeros(shape, block, share))
    path = tmp_path / "pruned.tflite"
    path.write_bytes(layers.maker.build(layers.inputs, layers.outputs))
    return str(path)


def test_inspect_prints_the_verdict(pruned_file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.execute(["inspect", pruned_file, "--board", M4.id]) == 0
    printed = capsys.readouterr().out
    table = printed[printed.index("arena ") :].splitlines()
    (row,) = (line.split() for line in table if line.split()[:1] == ["0"])
    assert row[:3] == ["0", "64", "75%"] and row[-1] == "conv_1x1_s8_sparse_dsp"
    (more,) = (line for line in table if line.startswith("layer 1:"))
    assert "in 2x4 blocks 1." in more and "--method block" in more and "zeros pay in 2x4 blocks from" in more
    assert all(len(line.rstrip()) <= 100 for line in table[1:] if "layer 1:" not in line)
    assert "without zeros" in printed and "as it is" in printed


def test_inspect_says_little_of_a_model_without_zeros(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "small.tflite"
    path.write_bytes(small_model())
    assert cli.execute(["inspect", str(path), "--board", M4.id]) == 0
    printed = capsys.readouterr().out
    assert len([line for line in printed.splitlines() if "zeros" in line]) == 1
    assert "without zeros" not in printed


def test_inspect_prints_json(pruned_file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.execute(["inspect", pruned_file, "--board", M4.id, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    calls = planned(graph.read(Path(pruned_file).read_bytes(), "pruned")).calls
    assert [kernel["kernel"] for kernel in told["kernels"]] == [call.step.kernel for call in calls]
    zeros_told = told["zeros"]
    assert (zeros_told["kind"], zeros_told["unit"]) == ("estimated", "instructions")
    first, second = zeros_told["layers"]
    assert first["zeros"] == {"channels": 0, "blocks": 0.75, "scattered": 0}
    assert first["now"]["kernels"] == [calls[0].step.kernel]
    assert first["now"]["constant_bytes"] == constants(calls[0])
    assert second["pays_from"].keys() == {"blocks", "scattered"}
    assert zeros_told["after"]["instructions"] == round(sum(call.instructions for call in calls))
    assert cli.execute(["inspect", pruned_file, "--json"]) == 0
    assert "zeros" not in json.loads(capsys.readouterr().out)


def test_a_model_with_a_variable_is_judged() -> None:
    m, x, y = counter()
    model = graph.read(m.build([x], [y]), "counter")
    on = board.load("mps2-an386")
    assert verdict.judge(model, plan(passes.run(model), target.of(on)), on).layers == ()


def test_branches_that_meet_again_are_followed_once() -> None:
    m = Maker()
    x = y = m.tensor((1, 4), scale=1.0)
    for _ in range(30):
        y, before = m.tensor((1, 4), scale=1.0), y
        m.node("ADD", [before, before], [y])
    model = graph.read(m.build([x], [y]), "doubled")
    on = board.load("mps2-an386")
    assert verdict.judge(model, plan(model, target.of(on)), on).layers == ()
