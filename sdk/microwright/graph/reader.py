"""Read and check a `.tflite` file: bytes -> Graph."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from microwright import _schema
from microwright._flatbuffer import File, Table
from microwright.errors import InputError, UnsupportedOp
from microwright.graph import mark, names, variables
from microwright.graph.model import ITEM_BYTES, Array, DType, Graph, Node, Option, Quantization, Tensor
from microwright.graph.variables import Section

_ZERO_POINTS: Mapping[DType, tuple[int, int]] = {
    "int8": (-128, 127),
    "int16": (-(2**15), 2**15 - 1),
    "int32": (-(2**31), 2**31 - 1),
    "uint8": (0, 255),
}
_MAX_RANK = 8
_MAX_TENSOR_BYTES = 2**31 - 1
_ONE_FUNCTION = "export one function without control flow (if, while)"
_FIXED_SHAPE = "give the model's inputs a fixed shape and convert it again"


def read(flatbuffer: bytes, name: str) -> Graph:
    """Graph of a `.tflite` file's bytes; `name` is its file stem.

    Everything in the file is checked before use: a file that is no model, is cut short or lies about its
    sizes raises InputError. Operators are not judged here (see `ops`), except custom ones and control flow,
    which raise UnsupportedOp, as do subgraphs that do not initialise variables, and tensors that are sparse,
    of a dynamic shape or of a type that is not in DType. Variables become tensors with a `state`, whichever
    way the file has them.
    """
    file = File(flatbuffer, f"model {name[:80]!r}")
    model = file.root(_schema.IDENTIFIER)
    version = model.integer(0, "uint32", "version")
    if version != _schema.VERSION:
        raise InputError(
            f"{file.name} has schema version {version}, expected {_schema.VERSION}",
            "convert the model with a current TensorFlow Lite converter",
        )
    subgraphs = model.tables(2, "subgraph")
    if not subgraphs:
        raise UnsupportedOp(f"{file.name} has 0 subgraphs, expected 1", _ONE_FUNCTION)
    buffers = [_contents(table) for table in model.tables(4, "buffer")]
    opcodes = model.tables(1, "operator code")
    main = _section(subgraphs[0], buffers, opcodes)
    called = variables.initialisers(file, main, len(subgraphs))
    if len(subgraphs) != 1 + len(called):
        raise UnsupportedOp(
            f"{file.name} has {len(subgraphs)} subgraphs, expected {1 + len(called)}", _ONE_FUNCTION
        )
    sections = {index: _section(subgraphs[index], buffers, opcodes) for index in called}
    tensors, nodes = variables.resolve(file, main, sections)
    inputs = _indices(subgraphs[0], 1, "inputs", tensors, least=0)
    outputs = _indices(subgraphs[0], 2, "outputs", tensors, least=0)
    tables = subgraphs[0].tables(0, "tensor")
    for index in (*inputs, *outputs):
        if index in main.resources:
            file.fail(f"tensor {index}, a handle, is an input or output")
    _check_inputs(file, inputs, [tables[index] for index in inputs])
    _check_order(file, nodes, inputs, outputs, tensors)
    variables.check(file, nodes, outputs, tensors)
    input_names, output_names = names.ends(model, main.tensors, inputs, outputs)
    return Graph(
        name=name,
        sha256=hashlib.sha256(flatbuffer).hexdigest(),
        tensors=tensors,
        nodes=nodes,
        inputs=inputs,
        outputs=outputs,
        flatbuffer=flatbuffer,
        input_names=input_names,
        output_names=output_names,
        ranges=mark.ranges(_description(model)),
    )


def _description(model: Table) -> bytes:
    # Nothing says that it is text.
    content = model.vector(mark.DESCRIPTION, "uint8", "description")
    return b"" if content is None else content.tobytes()


def _section(
    subgraph: Table, buffers: Sequence[npt.NDArray[np.uint8] | None], opcodes: Sequence[Table]
) -> Section:
    tables = subgraph.tables(0, "tensor")
    resources = {
        index for index, table in enumerate(tables) if table.integer(1, "int8", "type") == _schema.RESOURCE
    }
    tensors = tuple(
        Tensor(index, table.text(3, "name"), "int32", (), None, None)
        if index in resources
        else _tensor(table, index, buffers)
        for index, table in enumerate(tables)
    )
    nodes = tuple(
        _node(table, index, opcodes, tensors) for index, table in enumerate(subgraph.tables(3, "node"))
    )
    return Section(tensors, nodes, frozenset(resources))


def _contents(table: Table) -> npt.NDArray[np.uint8] | None:
    """Bytes of a buffer, None where it is empty: tensors that refer to it are not constant."""
    data = table.vector(0, "uint8", "data")
    offset = table.integer(1, "uint64", "offset")
    # Files above 2 GB keep their buffers behind the flatbuffer; offsets 0 and 1 mean that this one does not.
    if data is None and offset > 1:
        size = table.integer(2, "uint64", "size")
        if offset + size > len(table.file.data):
            table.file.fail(f"{table.what} of {size} bytes at byte {offset} runs past the end of the file")
        data = np.frombuffer(table.file.data, np.uint8, size, offset)
    return data if data is not None and data.size else None


def _tensor(table: Table, index: int, buffers: Sequence[npt.NDArray[np.uint8] | None]) -> Tensor:
    name = table.text(3, "name")
    what = f"{table.what} {name[:80]!r}"
    dtype = _dtype(table, what)
    shape = _shape(table, what)
    buffer = table.integer(2, "uint32", "buffer")
    if buffer >= len(buffers):
        table.file.fail(f"{what} has its data in buffer {buffer} of {len(buffers)}")
    if table.table(6, "sparsity") is not None:
        raise UnsupportedOp(
            f"{table.file.name}: {what} is stored sparse", "convert the model without sparse tensor encoding"
        )
    size_bytes = math.prod(shape) * ITEM_BYTES[dtype]
    if size_bytes > _MAX_TENSOR_BYTES:
        table.file.fail(f"{what} of shape {list(shape)} has {size_bytes} bytes")
    if size_bytes == 0 and math.prod(size or 1 for size in shape) > _MAX_TENSOR_BYTES:
        table.file.fail(f"{what} has the shape {list(shape)}, which no array can have")
    contents = buffers[buffer]
    data: Array | None = None
    if contents is not None:
        if contents.size != size_bytes:
            table.file.fail(f"{what} of shape {list(shape)} has {contents.size} bytes, expected {size_bytes}")
        data = contents.view(np.dtype(dtype).newbyteorder("<")).reshape(shape)
    elif size_bytes == 0:
        # An empty constant (the new shape of a reshape to a scalar) has an empty buffer.
        data = np.zeros(shape, dtype)
        data.flags.writeable = False
    quantization = _quantization(table, what, dtype, shape)
    state: Array | None = None
    if table.integer(5, "bool", "is_variable"):
        if data is not None:
            table.file.fail(f"{what} is a variable, and has constant values")
        state = variables.initial(dtype, shape, quantization)
    return Tensor(index, name, dtype, shape, quantization, data, state)


def _dtype(table: Table, what: str) -> DType:
    number = table.integer(1, "int8", "type")
    if not 0 <= number < len(_schema.TENSOR_TYPES):
        table.file.fail(f"{what} has type {number}")
    for dtype in ITEM_BYTES:
        if dtype == _schema.TENSOR_TYPES[number]:
            return dtype
    raise UnsupportedOp(
        f"{table.file.name}: {what} has type {_schema.TENSOR_TYPES[number]}",
        "quantise the model to int8 (microwright quantize)",
    )


def _shape(table: Table, what: str) -> tuple[int, ...]:
    sizes = table.vector(0, "int32", "shape")
    if sizes is None:
        return ()
    if sizes.size > _MAX_RANK:
        table.file.fail(f"{what} has {sizes.size} dimensions, at most {_MAX_RANK} are possible")
    shape = tuple(sizes.tolist())
    if any(size < 0 for size in shape):
        raise UnsupportedOp(f"{table.file.name}: {what} has the dynamic shape {list(shape)}", _FIXED_SHAPE)
    return shape


def _quantization(table: Table, what: str, dtype: DType, shape: tuple[int, ...]) -> Quantization | None:
    parameters = table.table(4, "quantization")
    if parameters is None:
        return None
    scales = parameters.vector(2, "float32", "scale")
    zero_points = parameters.vector(3, "int64", "zero_point")
    if scales is None or scales.size == 0:
        return None
    if parameters.integer(4, "uint8", "details_type"):
        raise UnsupportedOp(
            f"{table.file.name}: {what} is quantised in blocks or by a custom scheme",
            "quantise the model to int8 (microwright quantize)",
        )
    count = 0 if zero_points is None else zero_points.size
    if zero_points is None or count != scales.size:
        table.file.fail(f"{what} has {scales.size} scales and {count} zero points")
    axis = parameters.integer(6, "int32", "quantized_dimension")
    if scales.size == 1:
        axis = 0
    elif not 0 <= axis < len(shape):
        table.file.fail(f"{what} of shape {list(shape)} is quantised along axis {axis}")
    elif scales.size != shape[axis]:
        table.file.fail(f"{what} has {scales.size} scales, expected {shape[axis]} along axis {axis}")
    if not (np.isfinite(scales) & (scales > 0)).all():
        table.file.fail(f"{what} has a scale that is not a positive number")
    if dtype in _ZERO_POINTS:
        low, high = _ZERO_POINTS[dtype]
        if ((zero_points < low) | (zero_points > high)).any():
            table.file.fail(f"{what} has a zero point outside {low} to {high}")
    return Quantization(tuple(scales.tolist()), tuple(zero_points.tolist()), axis)


def _node(table: Table, index: int, opcodes: Sequence[Table], tensors: Sequence[Tensor]) -> Node:
    opcode = table.integer(0, "uint32", "opcode_index")
    if opcode >= len(opcodes):
        table.file.fail(f"{table.what} has operator code {opcode} of {len(opcodes)}")
    inputs = _indices(table, 1, "inputs", tensors, least=-1)
    outputs = _indices(table, 2, "outputs", tensors, least=0)
    name = tensors[outputs[0]].name if outputs else ""
    op = _operator(opcodes[opcode], table.what, name)
    if not outputs and op not in variables.WITHOUT_OUTPUTS:
        table.file.fail(f"{table.what} has no outputs")
    return Node(index, op, name, inputs, outputs, _options(table, op))


def _operator(opcode: Table, node: str, name: str) -> str:
    # The number outgrew its first field; a writer sets both, and the larger one counts.
    number = max(
        opcode.integer(0, "int8", "deprecated_builtin_code"), opcode.integer(3, "int32", "builtin_code")
    )
    op = _schema.operators().get(number)
    if op is None:
        raise UnsupportedOp(
            f"{opcode.file.name}: {node} {name[:80]!r} is operator number {number}, which is not known",
            "convert the model with a TensorFlow Lite converter that is not newer than Microwright",
        )
    if number == _schema.CUSTOM:
        code = opcode.text(1, "custom_code")
        raise UnsupportedOp(
            f"{opcode.file.name}: {node} {name[:80]!r} is the custom operator {code[:80]!r}",
            "build the model from builtin layers only",
        )
    if op in _schema.CONTROL_FLOW:
        raise UnsupportedOp(
            f"{opcode.file.name}: {node} {op} {name[:80]!r} is control flow",
            f"{_ONE_FUNCTION}; unroll recurrent layers (unroll=True)",
        )
    return op


def _options(table: Table, op: str) -> Mapping[str, Option]:
    """The node's options under the schema's names; defaults where the node has no options table."""
    schema = _schema.OPTIONS.get(op)
    if schema is None:
        return {}
    union_type = table.integer(3, "uint8", "builtin_options_type")
    options = table.table(4, "builtin_options") if union_type else None
    if options is not None and union_type != schema.union_type:
        table.file.fail(f"{table.what} {op} has the options of another operator ({union_type})")
    return {name: _option(table, op, options, name, field) for name, field in schema.fields.items()}


def _option(table: Table, op: str, options: Table | None, name: str, field: _schema.Field) -> Option:
    if field.kind == "int32s":
        values = None if options is None else options.vector(field.slot, "int32", name)
        return () if values is None else tuple(values.tolist())
    if field.kind == "text":
        return "" if options is None else options.text(field.slot, name)
    value = field.default
    if options is not None:
        value = options.scalar(field.slot, field.kind, name, field.default)
    if field.names is not None:
        if not 0 <= value < len(field.names):
            table.file.fail(f"{table.what} {op}: {name} has the unknown value {value}")
        return field.names[int(value)]
    if field.kind == "bool":
        return bool(value)
    if field.kind == "float32":
        if not math.isfinite(value):
            table.file.fail(f"{table.what} {op}: {name} is not a finite number")
        return float(value)
    return int(value)


def _indices(table: Table, slot: int, name: str, tensors: Sequence[Tensor], *, least: int) -> tuple[int, ...]:
    """A vector of tensor indices from `least` on."""
    vector = table.vector(slot, "int32", name)
    indices: tuple[int, ...] = () if vector is None else tuple(vector.tolist())
    for index in indices:
        if not least <= index < len(tensors):
            table.file.fail(f"{table.what}: {name} has tensor {index} of {len(tensors)}")
    return indices


def _check_inputs(file: File, inputs: Sequence[int], tables: Sequence[Table]) -> None:
    if not inputs:
        file.fail("it has no inputs")
    for position, table in enumerate(tables):
        signature = table.vector(7, "int32", "shape_signature")
        # An open batch (axis 0) was converted with a batch of 1.
        if signature is not None and (signature[1:] < 0).any():
            raise UnsupportedOp(
                f"{file.name}: input {position} has the dynamic shape {signature[:_MAX_RANK].tolist()}",
                _FIXED_SHAPE,
            )


def _check_order(
    file: File,
    nodes: Sequence[Node],
    inputs: Sequence[int],
    outputs: Sequence[int],
    tensors: Sequence[Tensor],
) -> None:
    """Each tensor gets its value once, and before it is read."""
    if not nodes:
        file.fail("it has no nodes")
    if not outputs:
        file.fail("it has no outputs")
    defined = {t.index for t in tensors if t.data is not None or t.state is not None}

    def define(index: int, where: str) -> None:
        if index in defined:
            file.fail(f"{where} is tensor {index} {tensors[index].name[:80]!r}, which has its value already")
        defined.add(index)

    def require(index: int, where: str) -> None:
        if index not in defined:
            file.fail(f"{where} is tensor {index} {tensors[index].name[:80]!r}, which has no value yet")

    for position, index in enumerate(inputs):
        define(index, f"input {position}")
    for node in nodes:
        for position, index in enumerate(node.inputs):
            if index >= 0:
                require(index, f"input {position} of node {node.index} {node.op}")
        for position, index in enumerate(node.outputs):
            if node.op != "ASSIGN_VARIABLE":
                define(index, f"output {position} of node {node.index} {node.op}")
    for position, index in enumerate(outputs):
        require(index, f"output {position}")
