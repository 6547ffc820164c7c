"""Make small `.tflite` files for tests.

    m = Maker()
    x = m.tensor((1, 8, 8, 3), "int8", scale=0.1, zero_point=-3)
    w = m.const(weights, scales=[0.01, 0.02], axis=0)
    b = m.const(bias, scales=[0.001, 0.002])
    y = m.tensor((1, 8, 8, 2), "int8", scale=0.2)
    m.node("CONV_2D", [x, w, b], [y], padding="SAME", stride_w=1, stride_h=1)
    flatbuffer = m.build(inputs=[x], outputs=[y])

It writes with the schema's own Python package, which `microwright.graph` does not read with, and checks
nothing: broken models are written as asked. `m.tensors[x]` and `m.nodes[i]` may be changed before `build`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import flatbuffers
import numpy as np
import numpy.typing as npt
import tflite

from microwright import _schema

# Versions from which the operators take int8; 1 for the others.
_VERSIONS: Mapping[str, int] = {
    "ADD": 2,
    "AVERAGE_POOL_2D": 2,
    "CONCATENATION": 2,
    "CONV_2D": 3,
    "DEPTHWISE_CONV_2D": 3,
    "DEQUANTIZE": 2,
    "FULLY_CONNECTED": 4,
    "LOGISTIC": 2,
    "MAX_POOL_2D": 2,
    "MEAN": 2,
    "MUL": 2,
    "PAD": 2,
    "PADV2": 2,
    "RELU": 2,
    "RELU6": 2,
    "SOFTMAX": 2,
    "STRIDED_SLICE": 2,
    "SUB": 2,
    "TANH": 2,
    "TRANSPOSE": 2,
}

# The options table of each operator that has one.
_OPTIONS: Mapping[str, str] = {
    "ADD": "AddOptions",
    "ARG_MAX": "ArgMaxOptions",
    "ARG_MIN": "ArgMinOptions",
    "AVERAGE_POOL_2D": "Pool2DOptions",
    "BATCH_MATMUL": "BatchMatMulOptions",
    "CALL_ONCE": "CallOnceOptions",
    "CONCATENATION": "ConcatenationOptions",
    "CONV_2D": "Conv2DOptions",
    "DEPTHWISE_CONV_2D": "DepthwiseConv2DOptions",
    "DEPTH_TO_SPACE": "DepthToSpaceOptions",
    "DEQUANTIZE": "DequantizeOptions",
    "DIV": "DivOptions",
    "EXPAND_DIMS": "ExpandDimsOptions",
    "FULLY_CONNECTED": "FullyConnectedOptions",
    "GATHER": "GatherOptions",
    "GELU": "GeluOptions",
    "LEAKY_RELU": "LeakyReluOptions",
    "MAXIMUM": "MaximumMinimumOptions",
    "MAX_POOL_2D": "Pool2DOptions",
    "MEAN": "ReducerOptions",
    "MINIMUM": "MaximumMinimumOptions",
    "MIRROR_PAD": "MirrorPadOptions",
    "MUL": "MulOptions",
    "PACK": "PackOptions",
    "PAD": "PadOptions",
    "PADV2": "PadV2Options",
    "QUANTIZE": "QuantizeOptions",
    "REDUCE_ALL": "ReducerOptions",
    "REDUCE_ANY": "ReducerOptions",
    "REDUCE_MAX": "ReducerOptions",
    "REDUCE_MIN": "ReducerOptions",
    "RESHAPE": "ReshapeOptions",
    "RESIZE_BILINEAR": "ResizeBilinearOptions",
    "RESIZE_NEAREST_NEIGHBOR": "ResizeNearestNeighborOptions",
    "SLICE": "SliceOptions",
    "SOFTMAX": "SoftmaxOptions",
    "SPACE_TO_DEPTH": "SpaceToDepthOptions",
    "SPLIT": "SplitOptions",
    "SPLIT_V": "SplitVOptions",
    "SQUEEZE": "SqueezeOptions",
    "STRIDED_SLICE": "StridedSliceOptions",
    "SUB": "SubOptions",
    "SUM": "ReducerOptions",
    "SVDF": "SVDFOptions",
    "TILE": "TileOptions",
    "TRANSPOSE": "TransposeOptions",
    "TRANSPOSE_CONV": "TransposeConvOptions",
    "UNIDIRECTIONAL_SEQUENCE_LSTM": "UnidirectionalSequenceLSTMOptions",
    "UNPACK": "UnpackOptions",
    "VAR_HANDLE": "VarHandleOptions",
}

_ENUMS: Mapping[str, object] = {
    "fused_activation_function": tflite.ActivationFunctionType,
    "mode": tflite.MirrorPadMode,
    "padding": tflite.Padding,
    "quantized_bias_type": SimpleNamespace(**{name: i for i, name in enumerate(_schema.TENSOR_TYPES)}),
    "weights_format": tflite.FullyConnectedOptionsWeightsFormat,
}

_PLACEHOLDER_FOR_GREATER_OP_CODES = 127


@dataclass
class MadeTensor:
    """A tensor to be written. `buffer` None: the one that `data` goes to."""

    shape: tuple[int, ...]
    dtype: str
    name: str | bytes
    scales: Sequence[float] = ()
    zero_points: Sequence[int] = ()
    axis: int = 0
    data: bytes = b""
    buffer: int | None = None
    signature: Sequence[int] | None = None
    variable: bool = False
    sparse: bool = False


@dataclass
class MadeNode:
    """A node to be written; a number as `op` is written as it is, `options_of` names another op's table."""

    op: str | int
    inputs: Sequence[int]
    outputs: Sequence[int]
    options: dict[str, Any] = field(default_factory=dict)
    options_of: str | None = None
    custom_code: str | None = None


class Maker:
    """A model of one subgraph, built tensor by tensor and node by node."""

    def __init__(self) -> None:
        self.tensors: list[MadeTensor] = []
        self.nodes: list[MadeNode] = []
        self.version = 3
        self.subgraphs = 1
        self.others: list[Maker] = []
        """Subgraphs behind the main one, without inputs and outputs."""
        self.signatures: list[tuple[str, Mapping[str, int], Mapping[str, int]]] = []
        """Of the main subgraph: key, inputs and outputs."""
        self.description = b""
        self.external_buffers = False
        """Whether the constants lie behind the flatbuffer, as in files above 2 GB."""

    def tensor(
        self,
        shape: Sequence[int],
        dtype: str = "int8",
        *,
        scale: float | None = None,
        zero_point: int = 0,
        name: str | bytes | None = None,
        variable: bool = False,
    ) -> int:
        """An activation, or a variable; returns its index. Without `scale` it is not quantised."""
        quantized = scale is not None
        self.tensors.append(
            MadeTensor(
                shape=tuple(shape),
                dtype=dtype,
                name=f"tensor_{len(self.tensors)}" if name is None else name,
                scales=(scale,) if scale is not None else (),
                zero_points=(zero_point,) if quantized else (),
                variable=variable,
            )
        )
        return len(self.tensors) - 1

    def const(
        self,
        values: npt.ArrayLike,
        *,
        dtype: str | None = None,
        scale: float | None = None,
        zero_point: int = 0,
        scales: Sequence[float] | npt.NDArray[Any] | None = None,
        zero_points: Sequence[int] | None = None,
        axis: int = 0,
        name: str | bytes | None = None,
    ) -> int:
        """A constant of the values' dtype and shape; returns its index.

        `scale` quantises it per tensor, `scales` per index along `axis`, with zero points 0 unless given.
        """
        array = np.asarray(values, dtype)
        index = self.tensor(array.shape, array.dtype.name, scale=scale, zero_point=zero_point, name=name)
        made = self.tensors[index]
        made.data = array.astype(array.dtype.newbyteorder("<")).tobytes()
        if scales is not None:
            made.scales = tuple(float(s) for s in scales)
            made.zero_points = tuple(zero_points) if zero_points is not None else (0,) * len(made.scales)
            made.axis = axis
        return index

    def node(self, op: str | int, inputs: Sequence[int], outputs: Sequence[int], **options: Any) -> int:
        """An operator with its options in snake case, enums as names; returns its position."""
        self.nodes.append(MadeNode(op, inputs, outputs, options))
        return len(self.nodes) - 1

    def build(self, inputs: Sequence[int], outputs: Sequence[int]) -> bytes:
        """The file."""
        contents, places = self._contents()
        # Where buffers outside begin is known once the rest is written, which does not depend on it.
        flatbuffer = self._build(inputs, outputs, contents, places, outside_at=1 << 32)
        if not self.external_buffers:
            return flatbuffer
        return self._build(inputs, outputs, contents, places, outside_at=len(flatbuffer)) + b"".join(contents)

    def _build(
        self,
        inputs: Sequence[int],
        outputs: Sequence[int],
        contents: Sequence[bytes],
        places: Sequence[int],
        outside_at: int,
    ) -> bytes:
        b = flatbuffers.Builder(1024)
        buffers = self._buffers(b, contents, outside_at)
        opcodes, codes = self._opcodes(b)
        places, codes = list(places), list(codes)
        made = [self._subgraph(b, inputs, outputs, places, codes)] * self.subgraphs
        made += [other._subgraph(b, (), (), places, codes) for other in self.others]
        subgraphs = _offsets(b, made)
        signatures = _offsets(b, [_signature(b, *signature) for signature in self.signatures])
        description = b.CreateString(self.description)
        tflite.ModelStart(b)
        tflite.ModelAddDescription(b, description)
        tflite.ModelAddVersion(b, self.version)
        tflite.ModelAddOperatorCodes(b, opcodes)
        tflite.ModelAddSubgraphs(b, subgraphs)
        tflite.ModelAddBuffers(b, buffers)
        tflite.ModelAddSignatureDefs(b, signatures)
        b.Finish(tflite.ModelEnd(b), b"TFL3")
        return bytes(b.Output())

    def _subgraph(
        self,
        b: flatbuffers.Builder,
        inputs: Sequence[int],
        outputs: Sequence[int],
        places: list[int],
        codes: list[int],
    ) -> int:
        """Takes its tensors' places and its nodes' codes from the front of the lists."""
        tensors = _offsets(b, [self._tensor(b, made, places.pop(0)) for made in self.tensors])
        nodes = _offsets(b, [self._node(b, made, codes.pop(0)) for made in self.nodes])
        graph_inputs, graph_outputs = _vector(b, inputs, "int32"), _vector(b, outputs, "int32")
        tflite.SubGraphStart(b)
        tflite.SubGraphAddTensors(b, tensors)
        tflite.SubGraphAddInputs(b, graph_inputs)
        tflite.SubGraphAddOutputs(b, graph_outputs)
        tflite.SubGraphAddOperators(b, nodes)
        return int(tflite.SubGraphEnd(b))

    def _contents(self) -> tuple[list[bytes], list[int]]:
        """All buffers, and which one each tensor refers to; buffer 0 is empty by convention."""
        contents = [b""]
        places = []
        for made in (*self.tensors, *(tensor for other in self.others for tensor in other.tensors)):
            if made.buffer is not None:
                places.append(made.buffer)
            elif made.data:
                contents.append(made.data)
                places.append(len(contents) - 1)
            else:
                places.append(0)
        return contents, places

    def _buffers(self, b: flatbuffers.Builder, contents: Sequence[bytes], outside_at: int) -> int:
        offsets = []
        for data in contents:
            inside = _bytes(b, data) if data and not self.external_buffers else None
            tflite.BufferStart(b)
            if inside is not None:
                tflite.BufferAddData(b, inside)
            elif data:
                tflite.BufferAddOffset(b, outside_at)
                tflite.BufferAddSize(b, len(data))
                outside_at += len(data)
            offsets.append(tflite.BufferEnd(b))
        return _offsets(b, offsets)

    def _opcodes(self, b: flatbuffers.Builder) -> tuple[int, list[int]]:
        unique: list[tuple[str | int, str | None]] = []
        nodes = [*self.nodes, *(node for other in self.others for node in other.nodes)]
        for made in nodes:
            if (made.op, made.custom_code) not in unique:
                unique.append((made.op, made.custom_code))
        offsets = []
        for op, custom_code in unique:
            number = op if isinstance(op, int) else getattr(tflite.BuiltinOperator, op)
            custom = b.CreateString(custom_code) if custom_code is not None else None
            tflite.OperatorCodeStart(b)
            tflite.OperatorCodeAddDeprecatedBuiltinCode(b, min(number, _PLACEHOLDER_FOR_GREATER_OP_CODES))
            tflite.OperatorCodeAddBuiltinCode(b, number)
            tflite.OperatorCodeAddVersion(b, _VERSIONS.get(str(op), 1))
            if custom is not None:
                tflite.OperatorCodeAddCustomCode(b, custom)
            offsets.append(tflite.OperatorCodeEnd(b))
        codes = [unique.index((made.op, made.custom_code)) for made in nodes]
        return _offsets(b, offsets), codes

    def _tensor(self, b: flatbuffers.Builder, made: MadeTensor, buffer: int) -> int:
        name = b.CreateString(made.name)
        shape = _vector(b, made.shape, "int32")
        signature = None if made.signature is None else _vector(b, made.signature, "int32")
        quantization = self._quantization(b, made)
        sparsity = None
        if made.sparse:
            tflite.SparsityParametersStart(b)
            sparsity = tflite.SparsityParametersEnd(b)
        tflite.TensorStart(b)
        tflite.TensorAddShape(b, shape)
        tflite.TensorAddType(b, getattr(tflite.TensorType, made.dtype.upper()))
        tflite.TensorAddBuffer(b, buffer)
        tflite.TensorAddName(b, name)
        tflite.TensorAddIsVariable(b, made.variable)
        if quantization is not None:
            tflite.TensorAddQuantization(b, quantization)
        if signature is not None:
            tflite.TensorAddShapeSignature(b, signature)
        if sparsity is not None:
            tflite.TensorAddSparsity(b, sparsity)
        return int(tflite.TensorEnd(b))

    def _quantization(self, b: flatbuffers.Builder, made: MadeTensor) -> int | None:
        if not len(made.scales):
            return None
        scales = _vector(b, made.scales, "float32")
        zero_points = _vector(b, made.zero_points, "int64")
        tflite.QuantizationParametersStart(b)
        tflite.QuantizationParametersAddScale(b, scales)
        tflite.QuantizationParametersAddZeroPoint(b, zero_points)
        tflite.QuantizationParametersAddQuantizedDimension(b, made.axis)
        return int(tflite.QuantizationParametersEnd(b))

    def _node(self, b: flatbuffers.Builder, made: MadeNode, code: int) -> int:
        inputs, outputs = _vector(b, made.inputs, "int32"), _vector(b, made.outputs, "int32")
        table = _OPTIONS.get(made.options_of or str(made.op))
        if table is None and made.options:
            raise ValueError(f"{made.op} has no options table here; add it to _OPTIONS")
        options = None if table is None else _options(b, table, made.options)
        tflite.OperatorStart(b)
        tflite.OperatorAddOpcodeIndex(b, code)
        tflite.OperatorAddInputs(b, inputs)
        tflite.OperatorAddOutputs(b, outputs)
        if options is not None:
            tflite.OperatorAddBuiltinOptionsType(b, getattr(tflite.BuiltinOptions, str(table)))
            tflite.OperatorAddBuiltinOptions(b, options)
        return int(tflite.OperatorEnd(b))


def _signature(
    b: flatbuffers.Builder, key: str, inputs: Mapping[str, int], outputs: Mapping[str, int]
) -> int:
    name = b.CreateString(key)
    ends = []
    for tensors in (inputs, outputs):
        entries = []
        for each, tensor in tensors.items():
            text = b.CreateString(each)
            tflite.TensorMapStart(b)
            tflite.TensorMapAddName(b, text)
            tflite.TensorMapAddTensorIndex(b, tensor)
            entries.append(tflite.TensorMapEnd(b))
        ends.append(_offsets(b, entries))
    tflite.SignatureDefStart(b)
    tflite.SignatureDefAddInputs(b, ends[0])
    tflite.SignatureDefAddOutputs(b, ends[1])
    tflite.SignatureDefAddSignatureKey(b, name)
    return int(tflite.SignatureDefEnd(b))


def _options(b: flatbuffers.Builder, table: str, options: Mapping[str, Any]) -> int:
    values: dict[str, Any] = {}
    for name, value in options.items():
        if isinstance(value, str):
            values[name] = getattr(_ENUMS[name], value) if name in _ENUMS else b.CreateString(value)
        elif isinstance(value, (tuple, list)):
            values[name] = _vector(b, value, "int32")
        else:
            values[name] = value
    _call(table, "Start")(b)
    for name, value in values.items():
        _call(table, "Add" + "".join(part.capitalize() for part in name.split("_")))(b, value)
    return int(_call(table, "End")(b))


def _call(table: str, method: str) -> Callable[..., Any]:
    function: Callable[..., Any] = getattr(tflite, table + method)
    return function


def _bytes(b: flatbuffers.Builder, data: bytes) -> int:
    # TensorFlow Lite reads constants in place, aligned to 16 bytes.
    b.StartVector(1, len(data), 16)
    b.head -= len(data)
    b.Bytes[b.head : b.head + len(data)] = data
    return int(b.EndVector())


def _vector(b: flatbuffers.Builder, values: Sequence[float], dtype: str) -> int:
    return int(b.CreateNumpyVector(np.asarray(values, dtype)))


def _offsets(b: flatbuffers.Builder, offsets: Sequence[int]) -> int:
    b.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        b.PrependUOffsetTRelative(offset)
    return int(b.EndVector())
