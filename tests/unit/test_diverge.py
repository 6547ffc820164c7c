"""What is broken on a device is found, and nothing else; on this computer, where it is quick."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from microwright import board, cli, diverge, project
from microwright.build import Image, build
from microwright.diverge import Divergence, locate
from microwright.errors import InputError
from microwright.graph import Graph, read
from microwright.samples import random
from tests.support import firmware
from tests.support.broken import SWITCH, broken, by_environment, plan_of
from tests.support.random_graph import RandomGraph
from tests.support.stateful import counter


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where all projects are built in turn: only what changes is compiled."""
    return tmp_path_factory.mktemp("diverge") / "p"


@pytest.fixture(autouse=True)
def native(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is compiled to compare with stays, too."""

    @contextlib.contextmanager
    def kept(**_: Any) -> Iterator[str]:
        (folder.parent / "project" / "model" / "mw_model.c").unlink(missing_ok=True)  # a test may edit it
        yield str(folder.parent)

    monkeypatch.setattr(diverge.tempfile, "TemporaryDirectory", kept)
    monkeypatch.setenv(SWITCH, "-1")


def made(folder: Path, model: Graph) -> project.Project:
    return project.create(folder, model, board.load("host"), force=True)


def compare(image: Image, inputs: int = 3, *, every: bool = False) -> Divergence:
    return locate(image, random(image.project.graph, inputs).inputs, every=every)


def test_nothing_differs(folder: Path) -> None:
    model = firmware.convolutional()
    found = compare(build(made(folder, model)))
    assert (found.fault, found.first, found.outputs_equal) == ("none", None, True)
    assert (found.inputs, found.input) == (3, 0)
    assert found.agreement is not None and found.agreement.mismatched_bytes == 0
    assert [layer.index for layer in found.layers] == [0, 1, 2, 3, 5, 6]  # a pass removed the reshape
    # The first layer leaves its output and the second input, which a later layer reads.
    assert [(layer.tensors, layer.size_bytes) for layer in found.layers][:2] == [(2, 630), (2, 630)]


def test_a_wrong_byte_is_named_with_what_both_have(folder: Path) -> None:
    model = firmware.convolutional()
    plain = made(folder, model)
    plan = plan_of(plain)
    depth = plan.graph.nodes[1].outputs[0]
    # The element (0, 1, 0, 2) of 9 x 7 x 5.
    image = broken(plain, {1: f"base[{plan.offsets[depth]} + 37] ^= 0x80;"})
    found = compare(image)
    assert (found.fault, found.outputs_equal, found.input) == ("device", False, 0)
    first = found.first
    assert first is not None and first is found.layers[-1] and len(found.layers) == 2
    assert (first.index, first.op, first.shape, first.inputs_equal) == (
        1,
        "DEPTHWISE_CONV_2D",
        (1, 9, 7, 5),
        True,
    )
    (difference,) = first.differences
    assert (difference.role, difference.differing_bytes, difference.size_bytes) == ("output", 1, 315)
    (element,) = difference.first
    assert element.index == (0, 1, 0, 2)
    assert isinstance(element.device, int) and isinstance(element.host, int)
    assert abs(element.device - element.host) == 128
    assert element.device_real == pytest.approx(0.5 * (element.device + 20))
    assert element.host_real == pytest.approx(0.5 * (element.host + 20))
    assert "model/mw_model.c: not as generated" in found.advice
    # Further layers differ by inheritance, and say so.
    layers = compare(image, every=True).layers
    assert [bool(layer.differences) for layer in layers[:3]] == [False, True, True]
    assert [layer.inputs_equal for layer in layers[:3]] == [True, True, False]


def test_a_layer_that_writes_over_another_ones_output_is_named(folder: Path) -> None:
    plain = made(folder, firmware.convolutional())
    plan = plan_of(plain)
    other = plan.graph.inputs[1]
    image = broken(plain, {0: f"base[{plan.offsets[other]}] ^= 1;"})
    first = compare(image).first
    assert first is not None and first.index == 0
    assert [(each.role, each.tensor) for each in first.differences] == [
        ("overwritten", plan.graph.tensors[other].name)
    ]


def test_any_layer_of_a_random_graph_is_found(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert_found(folder, monkeypatch, 3, only=2)


@pytest.mark.thorough
@pytest.mark.parametrize("seed", range(100, 120))
def test_any_layer_of_many_random_graphs_is_found(
    folder: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    assert_found(folder, monkeypatch, seed)


def assert_found(folder: Path, monkeypatch: pytest.MonkeyPatch, seed: int, only: int | None = None) -> None:
    plain = made(folder, RandomGraph(seed).build(nodes=8))
    plan = plan_of(plain)
    rng = np.random.default_rng(seed)
    statements = {}
    for call in plan.calls:
        output = plan.roots[call.step.outputs[0]]
        at = plan.offsets[output] + int(rng.integers(plan.graph.tensors[output].size_bytes))
        statements[call.node] = f"base[{at}] ^= {1 << rng.integers(8)};"
    image = broken(plain, statements, by_environment())
    assert compare(image, 1).fault == "none"
    for position in rng.permutation(list(statements))[:only]:
        monkeypatch.setenv(SWITCH, str(position))
        found = compare(image, 1)
        assert found.fault == "device"
        assert found.first is not None and found.first.index == plan.graph.nodes[position].index


def test_a_state_that_goes_wrong_is_found_in_the_inference_where_it_does(folder: Path) -> None:
    m, x, y = counter()
    plain = made(folder, read(m.build([x], [y]), "counter"))
    plan = plan_of(plain)
    (state,) = plan.graph.states
    last = len(plan.graph.nodes) - 1
    place = plan.offsets[state]
    inputs = ((np.array([[1, 0, 0, 0]], np.int8),),) * 9
    for wrong in (0, 4):
        # The first element counts from 1 on. What goes wrong shows in the outputs of the inference after.
        image = broken(plain, {last: f"if (base[{place}] == {wrong + 2}) base[{place + 1}] ^= 1;"})
        found = locate(image, inputs)
        assert found.inputs == wrong + 2
        assert (found.input, found.outputs_equal, found.fault) == (wrong, False, "device")
        assert found.first is not None and found.first.op == "ASSIGN_VARIABLE" and found.first.inputs_equal
        assert [(each.role, each.tensor) for each in found.first.differences] == [("state", "total")]


def test_what_happens_only_once_is_called_unsteady(folder: Path) -> None:
    plain = made(folder, firmware.dense())
    plan = plan_of(plain)
    at = plan.offsets[plan.roots[plan.graph.outputs[0]]]
    found = compare(broken(plain, {0: f"static int runs; if (++runs == 2) base[{at}] ^= 1;"}))
    assert (found.fault, found.outputs_equal, found.first, found.input) == ("unsteady", False, None, 1)
    assert "not where the same inference runs layer by layer" in diverge.summary(found)


def test_a_wrong_engine_is_told_from_a_wrong_device(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = made(folder, firmware.convolutional())
    create = project.create

    def wrong(*arguments: Any, **options: Any) -> project.Project:
        """The same error in what this computer runs."""
        other = create(*arguments, **options, force=True)
        path = other.directory / "model" / "mw_model.c"
        path.write_text(edited(path.read_text()))
        return other

    path = plain.directory / "model" / "mw_model.c"
    right = path.read_text()
    path.write_text(edited(right))
    image = build(plain)
    with monkeypatch.context() as patched:
        patched.setattr(diverge.project, "create", wrong)
        found = compare(image)
        assert (found.fault, found.first, found.outputs_equal) == ("engine", None, True)
        assert found.engine_layer is not None and found.engine_layer.startswith("1 DEPTHWISE_CONV_2D")
        # Now only this computer is wrong.
        path.write_text(right)
        image = build(plain)
        found = compare(image)
        assert found.fault == "host" and found.first is not None and found.first.index == 1


def edited(source: str) -> str:
    """Another zero point of the depthwise convolution's output."""
    start = source.index("_depthwise_")
    return source[: source.index("call_1 MW", start)] + re.sub(
        r"\.out_zp = -20", ".out_zp = -19", source[source.index("call_1 MW", start) :], count=1
    )


def test_floats_may_differ_as_far_as_their_exponentials_do(folder: Path) -> None:
    from tests.support.tflite_maker import Maker

    m = Maker()
    x, y = m.tensor((1, 6), "float32"), m.tensor((1, 6), "float32")
    m.node("SOFTMAX", [x], [y], beta=1.0)
    plain = made(folder, read(m.build([x], [y]), "softmax"))
    plan = plan_of(plain)
    at = plan.offsets[plan.roots[plan.graph.outputs[0]]]
    assert compare(broken(plain, {0: f"base[{at}] ^= 1;"})).fault == "none"
    found = compare(broken(plain, {0: f"base[{at} + 3] ^= 0x80;"}))
    assert found.fault == "device" and found.first is not None
    element = found.first.differences[0].first[0]
    assert element.device_real is None and element.device == -element.host  # type: ignore[operator]


def test_the_command_prints_it_and_writes_json(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = made(folder, firmware.convolutional())
    build(plain)
    written = tmp_path / "d.json"
    arguments = ["diverge", str(folder), "--random-inputs", "2", "--json", str(written)]
    assert cli.execute(arguments) == 0
    assert "all equal" in capsys.readouterr().out
    content = json.loads(written.read_text())
    assert (content["schema"], content["fault"], content["first"]) == (1, "none", None)

    plan = plan_of(plain)
    image = broken(plain, {2: f"base[{plan.offsets[plan.graph.nodes[2].outputs[0]]} + 1] ^= 4;"})
    assert cli.execute(["measure", str(folder)]) == 8
    assert "microwright diverge" in capsys.readouterr().err
    assert cli.execute([*arguments, "--all"]) == 8
    shown = capsys.readouterr()
    assert "[0, 0, 0, 1]" in shown.out and "1 of 315 bytes of its output" in shown.out
    assert re.search(r"error: input 0, layer 2 ADD .*1 of 315 bytes", shown.err)
    content = json.loads(written.read_text())
    assert content["layers"][content["first"]]["op"] == "ADD"
    assert content["build_id"] == image.build_id


def test_a_project_of_another_version_is_refused(folder: Path) -> None:
    plain = made(folder, firmware.dense())
    image = build(plain)
    path = plain.directory / "microwright.json"
    content = json.loads(path.read_text())
    content["files"]["model/mw_model.c"] = "0" * 64
    path.write_text(json.dumps(content))
    other = Image(**{**vars(image), "project": project.open_project(plain.directory)})
    with pytest.raises(InputError, match="another version"):
        locate(other, random(plain.graph, 1).inputs, url="no port is opened")


def test_firmware_made_small_is_refused_with_the_way_out(tmp_path: Path) -> None:
    small = project.create(tmp_path / "p", firmware.dense(), board.load("host"), optimize="size")
    with pytest.raises(InputError, match="generated with --optimize size") as caught:
        compare(build(small))
    assert caught.value.hint == "generate it with --optimize balanced"
