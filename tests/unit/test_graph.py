"""Reading `.tflite` files, sound and hostile."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import pytest
import tflite
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from microwright import _schema
from microwright.errors import InputError, MicrowrightError, UnsupportedOp
from microwright.graph import Graph, Quantization, mark, read
from tests.support.tflite_maker import Maker

_FUZZ = settings(
    max_examples=300,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
_FUZZ_LONG = settings(_FUZZ, max_examples=20_000)


def _conv() -> Maker:
    """x (tensor 0) * weights (1) + bias (2) -> y (3), reshaped by (4) -> z (5)."""
    rng = np.random.default_rng(0)
    m = Maker()
    m.tensor((1, 8, 8, 3), "int8", scale=0.1, zero_point=-3, name="x")
    m.const(rng.integers(-127, 128, (2, 3, 3, 3), np.int8), scales=[0.01, 0.02], name="weights")
    m.const(np.array([5, -9], np.int32), scales=[0.001, 0.002], name="bias")
    m.tensor((1, 8, 8, 2), "int8", scale=0.2, zero_point=127, name="block/conv")
    m.const(np.array([1, 128], np.int32), name="new_shape")
    m.tensor((1, 128), "int8", scale=0.2, zero_point=127, name="z")
    m.node("CONV_2D", [0, 1, 2], [3], padding="SAME", stride_w=2, stride_h=1)
    m.node("RESHAPE", [3, 4], [5], new_shape=(1, 128))
    m.signatures = [("serving_default", {"image": 0}, {"scores": 5})]
    return m


def _read(m: Maker, inputs: tuple[int, ...] = (0,), outputs: tuple[int, ...] = (5,)) -> Graph:
    return read(m.build(inputs, outputs), "made")


def _assert_readable(error: MicrowrightError) -> None:
    assert "\n" not in error.message
    assert "\n" not in error.hint
    assert error.message.isprintable()
    assert error.hint


@pytest.mark.parametrize(
    ("name", "ops", "input_shape", "output_shape", "weights_bytes"),
    [
        ("kws", {"CONV_2D": 5, "DEPTHWISE_CONV_2D": 4}, (1, 49, 10, 1), (1, 12), 24376),
        ("vww", {"CONV_2D": 14, "DEPTHWISE_CONV_2D": 13}, (1, 96, 96, 3), (1, 2), 219072),
        ("ic", {"CONV_2D": 9, "ADD": 3}, (1, 32, 32, 3), (1, 10), 78752),
        ("ad", {"FULLY_CONNECTED": 10}, (1, 640), (1, 640), 270880),
    ],
)
def test_reads_the_reference_models(
    shared_models: Path,
    name: str,
    ops: dict[str, int],
    input_shape: tuple[int, ...],
    output_shape: tuple[int, ...],
    weights_bytes: int,
) -> None:
    tail = {} if name == "ad" else {"AVERAGE_POOL_2D": 1, "RESHAPE": 1, "FULLY_CONNECTED": 1, "SOFTMAX": 1}
    graph = read((shared_models / f"{name}.tflite").read_bytes(), name)
    counts: dict[str, int] = {}
    for node in graph.nodes:
        counts[node.op] = counts.get(node.op, 0) + 1
    assert counts == {**ops, **tail}
    assert [graph.tensors[i].shape for i in graph.inputs] == [input_shape]
    assert [graph.tensors[i].shape for i in graph.outputs] == [output_shape]
    assert {graph.tensors[i].dtype for i in (*graph.inputs, *graph.outputs)} == {"int8"}
    assert graph.weights_bytes == weights_bytes
    assert all(tensor.index == position for position, tensor in enumerate(graph.tensors))


def test_reads_every_value_as_the_schema_package_does(shared_models: Path) -> None:
    flatbuffer = (shared_models / "vww.tflite").read_bytes()
    graph = read(flatbuffer, "vww")
    model = tflite.Model.GetRootAs(flatbuffer, 0)
    subgraph = model.Subgraphs(0)
    assert len(graph.tensors) == subgraph.TensorsLength()
    for tensor in graph.tensors:
        theirs = subgraph.Tensors(tensor.index)
        assert tensor.name == theirs.Name().decode()
        assert tensor.shape == tuple(theirs.ShapeAsNumpy() if theirs.ShapeLength() else ())
        contents = model.Buffers(theirs.Buffer())
        if contents.DataLength():
            assert tensor.data is not None
            assert tensor.data.tobytes() == contents.DataAsNumpy().tobytes()
            assert not tensor.data.flags.writeable
        else:
            assert tensor.data is None
        q = theirs.Quantization()
        if q is None or not q.ScaleLength():
            assert tensor.quantization is None
        else:
            assert tensor.quantization is not None
            assert tensor.quantization.scales == tuple(q.ScaleAsNumpy().tolist())
            assert tensor.quantization.zero_points == tuple(q.ZeroPointAsNumpy().tolist())
    first, last = graph.nodes[0], graph.nodes[-1]
    assert first.options == {
        "padding": "SAME",
        "quantized_bias_type": "float32",
        "stride_w": 2,
        "stride_h": 2,
        "fused_activation_function": "RELU",
        "dilation_w_factor": 1,
        "dilation_h_factor": 1,
    }
    assert (last.op, last.options) == ("SOFTMAX", {"beta": 1.0})


def test_reads_what_was_made() -> None:
    m = _conv()
    flatbuffer = m.build([0], [5])
    graph = read(flatbuffer, "made")
    conv, reshape = graph.nodes
    assert (conv.op, conv.name, conv.inputs, conv.outputs) == ("CONV_2D", "block/conv", (0, 1, 2), (3,))
    assert conv.options["stride_w"] == 2
    assert reshape.options == {"new_shape": (1, 128)}
    assert graph.tensors[0].quantization == Quantization((float(np.float32(0.1)),), (-3,))
    weights = graph.tensors[1]
    assert weights.quantization == Quantization((float(np.float32(0.01)), float(np.float32(0.02))), (0, 0), 0)
    assert weights.data is not None and weights.data.tobytes() == m.tensors[1].data
    assert graph.tensors[2].data is not None and graph.tensors[2].data.tolist() == [5, -9]
    assert graph.flatbuffer == flatbuffer
    assert (graph.inputs, graph.outputs) == ((0,), (5,))


# These two are resolved while reading (test_state.py).
@pytest.mark.parametrize("op", sorted(_schema.OPTIONS.keys() - {"CALL_ONCE", "VAR_HANDLE"}))
def test_reads_every_option(op: str) -> None:
    fields = _schema.OPTIONS[op].fields
    values: dict[str, Any] = {}
    for name, field in fields.items():
        if field.names is not None:
            values[name] = field.names[-1]
        elif field.kind == "int32s":
            values[name] = (3, -1)
        elif field.kind == "bool":
            values[name] = not field.default
        else:
            values[name] = 2.5 if field.kind == "float32" else 7 + len(values)
    m = Maker()
    x, y = m.tensor((4,), scale=1.0), m.tensor((4,), scale=1.0)
    m.node(op, [x], [y], **values)
    m.node(op, [x], [m.tensor((4,), scale=1.0)])
    graph = _read(m, (x,), (y,))
    assert graph.nodes[0].options == values
    defaults = {
        name: field.names[0] if field.names else () if field.kind == "int32s" else field.default
        for name, field in fields.items()
    }
    assert graph.nodes[1].options == defaults


def test_tensor_types_are_the_schemas() -> None:
    known = {k.lower(): v for k, v in vars(tflite.TensorType).items() if isinstance(v, int)}
    assert {name: _schema.TENSOR_TYPES.index(name) for name in known} == known


def test_reads_buffers_behind_the_flatbuffer() -> None:
    m = _conv()
    m.external_buffers = True
    graph = _read(m)
    for index in (1, 2, 4):
        data = graph.tensors[index].data
        assert data is not None and data.tobytes() == m.tensors[index].data
    with pytest.raises(InputError, match="runs past the end"):
        read(m.build([0], [5])[:-1], "cut")


def test_an_open_batch_is_read_as_converted() -> None:
    m = _conv()
    m.tensors[0].signature = (-1, 8, 8, 3)
    assert _read(m).tensors[0].shape == (1, 8, 8, 3)


def test_a_scalar_and_an_empty_constant_are_read() -> None:
    m = Maker()
    x = m.tensor((1,), scale=1.0)
    shape = m.const(np.zeros((0,), np.int32))
    y = m.tensor((), scale=1.0)
    m.node("RESHAPE", [x, shape], [y])
    graph = _read(m, (x,), (y,))
    assert graph.tensors[y].elements == 1
    empty = graph.tensors[shape].data
    assert empty is not None and empty.size == 0


def test_an_absent_optional_input_is_read() -> None:
    m = _conv()
    m.nodes[0].inputs = [0, 1, -1]
    assert _read(m).nodes[0].inputs == (0, 1, -1)


def _set(**values: Any) -> Callable[[Maker], None]:
    """A change of tensor attributes: `weights__axis=7` sets `axis` of the tensor called weights."""

    def change(m: Maker) -> None:
        for key, value in values.items():
            name, attribute = key.split("__")
            (tensor,) = (t for t in m.tensors if t.name == name)
            setattr(tensor, attribute, value)

    return change


def _node(position: int, **values: Any) -> Callable[[Maker], None]:
    def change(m: Maker) -> None:
        for attribute, value in values.items():
            setattr(m.nodes[position], attribute, value)

    return change


def _model(**values: Any) -> Callable[[Maker], None]:
    def change(m: Maker) -> None:
        for attribute, value in values.items():
            setattr(m, attribute, value)

    return change


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (_model(version=2), "schema version 2"),
        (_model(nodes=[]), "no nodes"),
        (_set(x__buffer=99), "buffer 99"),
        (_set(x__buffer=1), r"192.* expected|expected 192"),
        (_set(x__shape=(2**31 - 1, 3)), "'x'.*6442450941 bytes"),
        (_set(x__shape=(2**31 - 1,) * 8), "'x'.*bytes"),
        (_set(x__shape=(0, *(2**31 - 1,) * 3)), "'x'.*no array"),
        (_set(x__shape=(1,) * 9), "9 dimensions"),
        (_set(x__shape=(1, 0, 8, 3)), "input 0.*'x'"),
        (_set(z__shape=(1, 0)), "output 0 of node 1"),
        (_set(weights__shape=(2, 3, 3, 4)), "'weights'.* 54 bytes, expected 72"),
        (_set(weights__scales=(0.1, 0.1, 0.1)), "3 scales and 2 zero points"),
        (
            _set(weights__scales=(0.1,) * 3, weights__zero_points=(0,) * 3),
            "3 scales, expected 2 along axis 0",
        ),
        (_set(weights__zero_points=()), "2 scales and 0 zero points"),
        (_set(weights__axis=4), "axis 4"),
        (_set(weights__axis=-1), "axis -1"),
        (_set(x__scales=(0.0,)), "'x' has a scale"),
        (_set(x__scales=(-1.0,)), "'x' has a scale"),
        (_set(x__scales=(float("nan"),)), "'x' has a scale"),
        (_set(x__scales=(float("inf"),)), "'x' has a scale"),
        (_set(x__zero_points=(128,)), "zero point outside -128 to 127"),
        (_set(bias__zero_points=(0, 2**40)), "zero point outside"),
        (_set(x__name=b"\xff\xfe"), "tensor 0: name is not UTF-8"),
        (_node(0, inputs=[0, 1, 77]), "tensor 77"),
        (_node(0, inputs=[0, 1, -2]), "tensor -2"),
        (_node(0, outputs=[-1]), "tensor -1"),
        (_node(0, outputs=[]), "no outputs"),
        (
            _node(0, inputs=[3, 1, 2]),
            "input 0 of node 0 CONV_2D is tensor 3 'block/conv', which has no value",
        ),
        (_node(1, outputs=[3]), "output 0 of node 1 RESHAPE is tensor 3.*already"),
        (_node(0, outputs=[1]), "output 0 of node 0 CONV_2D is tensor 1.*already"),
        (_node(0, outputs=[3, 3]), "output 1 of node 0.*already"),
        (_set(x__variable=True), "input 0 is tensor 0 'x', which has its value already"),
        (_set(weights__variable=True), "'weights' is a variable, and has constant values"),
        (_node(0, options={"padding": 2}), "padding has the unknown value 2"),
        (_node(0, options={"fused_activation_function": -1}), "unknown value -1"),
        (_node(0, options_of="SOFTMAX", options={"beta": 1.0}), "options of another operator"),
        (_node(0, op="SOFTMAX", options={"beta": float("nan")}), "beta is not a finite number"),
    ],
)
def test_a_broken_model_is_refused(change: Callable[[Maker], None], says: str) -> None:
    m = _conv()
    change(m)
    with pytest.raises(InputError, match=says) as caught:
        _read(m)
    assert "model 'made'" in caught.value.message
    _assert_readable(caught.value)
    assert not isinstance(caught.value, UnsupportedOp)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (_model(subgraphs=0), "0 subgraphs"),
        (_model(subgraphs=2), "2 subgraphs"),
        (_set(x__dtype="float16"), "'x' has type float16"),
        (_set(x__dtype="string"), "type string"),
        (_set(x__shape=(1, -1, 8, 3)), "dynamic shape"),
        (_set(x__signature=(1, -1, 8, 3)), r"input 0 has the dynamic shape \[1, -1, 8, 3\]"),
        (_set(weights__sparse=True), "'weights' is stored sparse"),
        (_node(0, op="WHILE", options={}), "node 0 WHILE 'block/conv' is control flow"),
        (_node(0, op="IF", options={}), "control flow"),
        (_node(0, op="CUSTOM", options={}, custom_code="Flex\nErf"), r"custom operator 'Flex\\nErf'"),
        (_node(0, op=99_999, options={}), "operator number 99999"),
        (_node(0, op=-7, options={}), "operator number -7"),
    ],
)
def test_what_no_engine_takes_is_named(change: Callable[[Maker], None], says: str) -> None:
    m = _conv()
    change(m)
    with pytest.raises(UnsupportedOp, match=says) as caught:
        _read(m)
    _assert_readable(caught.value)


@pytest.mark.parametrize(
    ("inputs", "outputs", "says"),
    [
        ((), (5,), "no inputs"),
        ((0,), (), "no outputs"),
        ((0, 0), (5,), "input 1 is tensor 0.*already"),
        ((1,), (5,), "input 0 is tensor 1 'weights'"),
        ((6,), (5,), "inputs has tensor 6 of 6"),
        ((-1,), (5,), "inputs has tensor -1"),
        ((0,), (-1,), "outputs has tensor -1"),
    ],
)
def test_wrong_inputs_and_outputs_are_refused(
    inputs: tuple[int, ...], outputs: tuple[int, ...], says: str
) -> None:
    with pytest.raises(InputError, match=says):
        _read(_conv(), inputs, outputs)


def test_an_output_that_nothing_writes_is_refused() -> None:
    m = _conv()
    lost = m.tensor((4,), scale=1.0, name="lost")
    with pytest.raises(InputError, match="output 0 is tensor 6 'lost', which has no value"):
        _read(m, (0,), (lost,))


@pytest.mark.parametrize(
    "data",
    [b"", b"TFL3", b"\x00" * 64, b"\x89HDF\r\n\x1a\n" + b"\x00" * 64, b"\x10\x00\x00\x00TFL2" + b"\x00" * 64],
)
def test_what_is_no_model_is_refused(data: bytes) -> None:
    with pytest.raises(InputError, match="is no TFL3 flatbuffer") as caught:
        read(data, "photo")
    _assert_readable(caught.value)


def test_inputs_and_outputs_have_the_names_of_the_signature() -> None:
    m = _conv()
    m.signatures.insert(0, ("another", {"a": 0}, {"b": 5}))
    graph = _read(m)
    assert (graph.input_names, graph.output_names) == (("image",), ("scores",))
    # The default one counts, or the first, and a tensor may be two outputs.
    m.signatures = [("another", {"a": 0}, {"b": 5, "c": 5, "d": 3}), ("third", {}, {})]
    assert _read(m, outputs=(5, 3, 5)).output_names == ("b", "d", "c")


def test_what_the_signature_does_not_name_has_the_name_of_its_tensor() -> None:
    m = _conv()
    m.tensors[0].name = "serving_default_image:0"
    m.signatures = [("serving_default", {"image\n": 0}, {"": 5, "other": 2})]
    graph = _read(m)
    assert (graph.input_names, graph.output_names) == (("image",), ("z",))


def test_a_signature_of_tensors_that_do_not_exist_is_refused() -> None:
    m = _conv()
    m.signatures = [("serving_default", {"image": 0}, {"scores": 6})]
    with pytest.raises(InputError, match="signature 0: output 0 is tensor 6 of 6"):
        _read(m)


@pytest.mark.parametrize(
    ("ranges", "randomly"),
    [
        ("trained", False),
        ("calibrated on 300 samples", False),
        ("trained, the rest calibrated on 12 samples", False),
        ("random, not representative", True),
        ("trained, the rest random, not representative", True),
    ],
)
def test_what_is_written_into_a_file_is_read_again(ranges: str, randomly: bool) -> None:
    m = _conv()
    m.description = b"MLIR Converted."
    plain = m.build([0], [5])
    written = mark.write(plain, ranges=ranges, inputs=[("é/1", 0)], outputs=[("scores", 5)])
    graph = read(written, "made")
    assert (graph.ranges, graph.calibrated_randomly) == (ranges, randomly)
    assert (graph.input_names, graph.output_names) == (("é/1",), ("scores",))
    # The schema's own package finds the same, and what was there stays where it was.
    signature = tflite.Model.GetRootAs(written).SignatureDefs(0)
    assert (signature.SignatureKey(), signature.Outputs(0).TensorIndex()) == (b"serving_default", 5)
    assert graph.nodes == read(plain, "made").nodes


@pytest.mark.parametrize(
    ("description", "ranges"),
    [
        (b"Microwright: calibrated with random samples, not representative", "random, not representative"),
        (b"Microwright: ranges calibrated on all samples", ""),
        (b"Microwright: ranges \xff", ""),
        (b"ranges trained", ""),
    ],
)
def test_a_description_is_trusted_as_far_as_it_is_known(description: bytes, ranges: str) -> None:
    m = _conv()
    m.description = description
    assert _read(m).ranges == ranges


def test_a_hostile_name_cannot_break_the_message() -> None:
    m = _conv()
    m.tensors[0].name = "a\nerror: \x1b[31m" + "b" * 10_000
    m.tensors[0].buffer = 99
    with pytest.raises(InputError) as caught:
        read(m.build([0], [5]), "evil\x1b]0;\n")
    _assert_readable(caught.value)
    assert len(caught.value.message) < 400


def test_every_truncation_is_refused() -> None:
    flatbuffer = _conv().build([0], [5])
    for length in range(len(flatbuffer)):
        try:
            read(flatbuffer[:length], "cut")
        except InputError as error:
            _assert_readable(error)
        else:
            # Only what nobody refers to may be missing: the padding at the end.
            assert len(flatbuffer) - length < 16


def test_a_table_used_thousands_of_times_is_refused() -> None:
    count = 3_000
    b = flatbuffers.Builder(1024)
    scales = b.CreateNumpyVector(np.ones(count, np.float32))
    zero_points = b.CreateNumpyVector(np.zeros(count, np.int64))
    shape = b.CreateNumpyVector(np.array([count], np.int32))
    tflite.QuantizationParametersStart(b)
    tflite.QuantizationParametersAddScale(b, scales)
    tflite.QuantizationParametersAddZeroPoint(b, zero_points)
    quantization = tflite.QuantizationParametersEnd(b)
    tflite.TensorStart(b)
    tflite.TensorAddShape(b, shape)
    tflite.TensorAddType(b, tflite.TensorType.INT8)
    tflite.TensorAddQuantization(b, quantization)
    tensor = tflite.TensorEnd(b)
    tensors = _offsets(b, [tensor] * count)
    tflite.SubGraphStart(b)
    tflite.SubGraphAddTensors(b, tensors)
    subgraph = tflite.SubGraphEnd(b)
    subgraphs = _offsets(b, [subgraph])
    tflite.BufferStart(b)
    buffer = tflite.BufferEnd(b)
    buffers = _offsets(b, [buffer])
    tflite.ModelStart(b)
    tflite.ModelAddVersion(b, 3)
    tflite.ModelAddSubgraphs(b, subgraphs)
    tflite.ModelAddBuffers(b, buffers)
    b.Finish(tflite.ModelEnd(b), b"TFL3")
    with pytest.raises(InputError, match="overlaps other parts"):
        read(bytes(b.Output()), "bomb")


def _offsets(b: flatbuffers.Builder, offsets: list[int]) -> int:
    b.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        b.PrependUOffsetTRelative(offset)
    return int(b.EndVector())


def _damaged(data: bytes, seed: int) -> bytes:
    """The data with some bytes, words or bits changed, or cut short."""
    rng = random.Random(seed)
    damaged = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 8))):
        at = rng.randrange(len(damaged))
        kind = rng.randrange(5)
        if kind == 0:
            damaged[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            damaged[at] = rng.choice((0, 1, 0x7F, 0x80, 0xFF))
        elif kind == 2:
            word = rng.choice((0, 1, 4, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, len(data), rng.getrandbits(32)))
            damaged[at // 4 * 4 : at // 4 * 4 + 4] = word.to_bytes(4, "little")
        elif kind == 3:
            source = rng.randrange(len(damaged))
            damaged[at : at + 8] = damaged[source : source + 8]
        elif at > 8:
            del damaged[at:]
    return bytes(damaged)


def _assert_read_or_refused(data: bytes) -> None:
    start = time.monotonic()
    try:
        graph = read(data, "fuzzed")
    except MicrowrightError as error:
        _assert_readable(error)
    else:
        for tensor in graph.tensors:
            assert tensor.data is None or tensor.data.nbytes == tensor.size_bytes
        assert graph.weights_bytes >= 0
    assert time.monotonic() - start < 5


_MADE = _conv().build([0], [5])


@_FUZZ
@given(st.integers(0, 2**64))
def test_a_damaged_model_is_read_or_refused(seed: int) -> None:
    _assert_read_or_refused(_damaged(_MADE, seed))


@_FUZZ
@given(st.integers(0, 2**64))
def test_a_damaged_reference_model_is_read_or_refused(shared_models: Path, seed: int) -> None:
    _assert_read_or_refused(_damaged((shared_models / "kws.tflite").read_bytes(), seed))


@pytest.mark.thorough
@_FUZZ_LONG
@given(st.integers(0, 2**64))
def test_many_damaged_models_are_read_or_refused(seed: int) -> None:
    _assert_read_or_refused(_damaged(_MADE, seed))


@given(st.binary(max_size=256))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_random_bytes_behind_the_identifier_are_refused(data: bytes) -> None:
    with pytest.raises(InputError):
        read(b"\x08\x00\x00\x00TFL3" + data, "random")
