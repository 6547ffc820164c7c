"""Files damaged at random, each known by a number: what becomes of them in a bounded process.

    python -m tests.support.fuzz FIRST COUNT [SEED.tflite ...]

compiles so many damaged files and prints a line for each: its number, `result` or the error's name, the
seconds of processor time. An exception that is not ours comes with its traceback. The process may take
MEMORY_BYTES more than it starts with, each file SECONDS. Files given are damaged besides the small models.
"""

from __future__ import annotations

import contextlib
import random
import re
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from microwright import _schema, board, graph, library, ops, passes, verdict
from microwright.cli import _facts
from microwright.errors import MicrowrightError
from microwright.target import OPTIMIZE
from tests.support import seeds
from tests.support.parts import Parts
from tests.support.tflite_maker import MadeNode, MadeTensor

MEMORY_BYTES = 1 << 30
SECONDS = 20.0
BOARDS = (
    "mps2-an385-m0plus",
    "mps2-an385",
    "mps2-an386",
    "mps2-an500",
    "mps2-an505",
    "mps3-an547",
    "host",
)

# Larger models take longer; so large a share of the files is made of those that are given.
_GIVEN_SHARE = 0.03
_INTEGERS = (
    0,
    1,
    -1,
    2,
    3,
    4,
    5,
    7,
    8,
    16,
    127,
    255,
    256,
    1 << 15,
    1 << 16,
    1 << 24,
    1 << 30,
    2**31 - 1,
    -(2**31),
)
_SCALES = (0.0, -1.0, 1e-45, 1e-38, 1e-9, 1 / 256, 1.0, 3.0, 1e9, 3e38, float("inf"), float("nan"))
_OTHER_TYPES = ("float16", "string", "complex64", "int4", "resource", "uint32")
_BYTES = (0, 1, 2, 3, 4, 8, 127, 128, 255)


class TooLong(Exception):
    """A file took more than SECONDS."""


def compiled(flatbuffer: bytes, board_id: str = "mps2-an386", optimize: Any = "balanced") -> None:
    """All that is done to a file before a compiler of C sees it."""
    model = graph.read(flatbuffer, "hostile")
    # What only tells of a model takes more of them.
    with contextlib.suppress(MicrowrightError):
        _facts.graph(model, ())
    known = board.load(board_id)
    planned = library.compile_model(model, known, optimize=optimize).plan
    _facts.on_board(known, passes.apply(model), planned, verdict.judge(model, planned, known))


def damaged(number: int, given: Sequence[bytes] = ()) -> bytes:
    """The file of a number."""
    rng = random.Random(number)
    chosen = rng.choice(seeds.models())
    if rng.random() < _GIVEN_SHARE and given:
        chosen = rng.choice(given)
    if rng.random() < 0.5:
        return _changed_parts(rng, chosen)
    return _changed_bytes(rng, chosen)


def _changed_bytes(rng: random.Random, flatbuffer: bytes) -> bytes:
    """The file with other bytes, mostly such as are no constants."""
    changed = bytearray(flatbuffer)
    places = _structure(flatbuffer)
    for _ in range(rng.choice((1, 1, 2, 4))):
        at = int(places[rng.randrange(len(places))]) if rng.random() < 0.9 else rng.randrange(len(changed))
        word = slice(at & ~3, (at & ~3) + 4)
        match rng.randrange(8):
            case 0 | 1 | 2:
                changed[min(at, len(changed) - 1)] = rng.choice((*_BYTES, rng.randrange(256)))
            case 3 | 4:
                changed[word] = (rng.choice(_INTEGERS) & 0xFFFFFFFF).to_bytes(4, "little")
            case 5:
                offset = int.from_bytes(changed[word], "little") + rng.choice((-4, -1, 1, 2, 4, 8, 64))
                changed[word] = (offset & 0xFFFFFFFF).to_bytes(4, "little")
            case 6:
                other = int(places[rng.randrange(len(places))]) & ~3
                changed[word] = changed[other : other + 4]
            case 7 if rng.random() < 0.2:
                del changed[at:]
            case 7:
                changed[at:at] = changed[at : at + rng.choice((1, 4, 16))]
        if not changed:
            break
    return bytes(changed)


@cache
def _structure(flatbuffer: bytes) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Places of the bytes that are no constants."""
    is_constant = np.zeros(len(flatbuffer), np.bool_)
    start = np.frombuffer(flatbuffer, np.uint8).__array_interface__["data"][0]
    for tensor in graph.read(flatbuffer, "seed").tensors:
        if tensor.data is not None and tensor.elements > 16:
            at = tensor.data.__array_interface__["data"][0] - start
            is_constant[at : at + tensor.size_bytes] = True
    return np.flatnonzero(~is_constant)


def _changed_parts(rng: random.Random, flatbuffer: bytes) -> bytes:
    """The file with other tensors, operands, operators and options."""
    parts = Parts(flatbuffer)
    for _ in range(rng.choice((1, 1, 2, 3))):
        rng.choice(_CHANGES)(rng, parts)
    return parts.build()


def _sizes(rng: random.Random, parts: Parts) -> None:
    """Another size of an axis: of one tensor, or wherever that size is."""
    tensors = parts.maker.tensors
    sizes = [size for made in tensors for size in made.shape] or [1]
    old = rng.choice(sizes)
    new = rng.choice((*_INTEGERS, old + 1, old - 1, 2 * old, old // 2))
    for made in tensors if rng.random() < 0.7 else [rng.choice(tensors)]:
        made.shape = tuple(_int32(new) if size == old else size for size in made.shape)
        _fit(made)


def _rank(rng: random.Random, parts: Parts) -> None:
    made = rng.choice(parts.maker.tensors)
    shape = list(made.shape)
    match rng.randrange(4):
        case 0:
            shape.insert(rng.randint(0, len(shape)), rng.choice((1, 1, 2, 0)))
        case 1 if shape:
            shape.pop(rng.randrange(len(shape)))
        case 2:
            rng.shuffle(shape)
        case 3:
            shape = [1] * rng.choice((0, 1, 5, 6, 7, 33))
    made.shape = tuple(shape)
    _fit(made)


def _type(rng: random.Random, parts: Parts) -> None:
    made = rng.choice(parts.maker.tensors)
    made.dtype = rng.choice((*graph.ITEM_BYTES, *_OTHER_TYPES))
    _fit(made)


def _quantization(rng: random.Random, parts: Parts) -> None:
    made = rng.choice(parts.maker.tensors)
    match rng.randrange(5):
        case 0 | 1:
            made.scales = [rng.choice(_SCALES) if rng.random() < 0.5 else scale for scale in made.scales]
        case 2:
            made.zero_points = [rng.choice((-129, -128, 0, 3, 127, 128, 2**62)) for _ in made.zero_points]
        case 3:
            made.axis = rng.choice((-1, 0, 1, 2, 3, 4, 2**31 - 1))
        case 4:
            count = rng.choice((0, 1, 2, *made.shape[:4]))
            if 0 <= count < 1000:
                made.scales, made.zero_points = [rng.choice(_SCALES[4:9])] * count, [0] * count


def _values(rng: random.Random, parts: Parts) -> None:
    """Other values of a constant."""
    constants = [made for made in parts.maker.tensors if made.data]
    if not constants:
        return
    made = rng.choice(constants)
    if made.dtype not in ("int32", "int64", "int8", "int16"):
        made.data = rng.randbytes(len(made.data))
        return
    values = np.frombuffer(made.data, made.dtype).copy()
    limits = np.iinfo(values.dtype)
    for _ in range(rng.choice((1, 1, 4, len(values)))):
        value = max(limits.min, min(limits.max, rng.choice((*_INTEGERS, limits.min, limits.max))))
        values[rng.randrange(len(values))] = value
    made.data = values.tobytes()


def _constant(rng: random.Random, parts: Parts) -> None:
    """A constant or variable that is none any more, or the other way round."""
    made = rng.choice(parts.maker.tensors)
    if rng.random() < 0.3:
        made.variable = not made.variable
    elif made.data:
        made.data = b""
    else:
        made.data = b"\1"
        _fit(made)


def _operands(rng: random.Random, parts: Parts) -> None:
    made = rng.choice(parts.maker.nodes)
    operands = list(rng.choice((made.inputs, made.inputs, made.outputs)))
    is_output = operands == list(made.outputs)
    any_tensor = rng.randrange(-1, len(parts.maker.tensors))
    match rng.randrange(5):
        case 0 if operands:
            operands.pop(rng.randrange(len(operands)))
        case 1:
            operands.append(any_tensor)
        case 2:
            rng.shuffle(operands)
        case _ if operands:
            operands[rng.randrange(len(operands))] = any_tensor
    if is_output:
        made.outputs = operands
    else:
        made.inputs = operands


def _operator(rng: random.Random, parts: Parts) -> None:
    """Another operator, with its own options."""
    made = rng.choice(parts.maker.nodes)
    made.op = rng.choice(sorted(ops.OPS.keys() - {ops.LOOKUP}))
    fields = _schema.OPTIONS[made.op].fields if made.op in _schema.OPTIONS else {}
    made.options = {name: value for name, value in made.options.items() if name in fields}


def _option(rng: random.Random, parts: Parts) -> None:
    with_options = [made for made in parts.maker.nodes if made.op in _schema.OPTIONS]
    if not with_options:
        return
    made = rng.choice(with_options)
    fields = _schema.OPTIONS[str(made.op)].fields
    if not fields:
        return
    name, field = rng.choice(sorted(fields.items()))
    match field.kind:
        case "int32":
            made.options[name] = rng.choice(_INTEGERS)
        case "int32s":
            made.options[name] = [rng.choice(_INTEGERS[:8]) for _ in range(rng.randrange(5))]
        case "float32":
            made.options[name] = rng.choice(_SCALES)
        case "bool":
            made.options[name] = rng.random() < 0.5
        case "int8":
            made.options[name] = rng.choice(field.names) if field.names and rng.random() < 0.8 else 99


def _nodes(rng: random.Random, parts: Parts) -> None:
    nodes = parts.maker.nodes
    at = rng.randrange(len(nodes))
    match rng.randrange(3):
        case 0:
            nodes.pop(at)
        case 1:
            nodes.insert(at, replace(rng.choice(nodes)))
        case 2:
            rng.shuffle(nodes)
    if not nodes:
        nodes.append(MadeNode("RELU", [0], [0]))


def _ends(rng: random.Random, parts: Parts) -> None:
    """Other inputs and outputs of the graph."""
    ends = rng.choice((parts.inputs, parts.outputs))
    match rng.randrange(3):
        case 0 if ends:
            ends.pop()
        case _:
            ends.append(rng.randrange(len(parts.maker.tensors)))


_CHANGES: Sequence[Callable[[random.Random, Parts], None]] = (
    _sizes,
    _sizes,
    _rank,
    _type,
    _quantization,
    _quantization,
    _values,
    _values,
    _constant,
    _operands,
    _operator,
    _option,
    _option,
    _nodes,
    _ends,
)


def _int32(value: int) -> int:
    return max(-(2**31), min(2**31 - 1, value))


def _fit(made: MadeTensor) -> None:
    """As much data as the shape says, where that is little: what is larger lies about its size."""
    item = graph.ITEM_BYTES.get(made.dtype, 1)  # type: ignore[call-overload]
    elements = 1
    for size in made.shape:
        elements *= size
    if made.data and 0 < elements * item <= 1 << 16:
        made.data = (made.data * (elements * item // len(made.data) + 1))[: elements * item]


def _run(first: int, count: int, given: Sequence[bytes]) -> None:
    def give_up(*_: object) -> None:
        raise TooLong

    signal.signal(signal.SIGPROF, give_up)
    for number in range(first, first + count):
        flatbuffer = damaged(number, given)
        start = time.process_time()
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        outcome, trace = "result", ""
        try:
            compiled(flatbuffer, BOARDS[number % len(BOARDS)], OPTIMIZE[number % len(OPTIMIZE)])
        except MicrowrightError as error:
            outcome = type(error).__name__
        except Exception as error:
            outcome, trace = f"FAILED:{type(error).__name__}", traceback.format_exc()
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
        print(number, outcome, f"{time.process_time() - start:.3f}", trace, flush=True)


def _main(arguments: Sequence[str]) -> None:
    first, count, *paths = arguments
    given = [Path(path).read_bytes() for path in paths]
    compiled(seeds.models()[0])
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + MEMORY_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    _run(int(first), int(count), given)
    # Of this program alone: getrusage's peak is also that of the one that started it.
    status = Path("/proc/self/status").read_text()
    print("peak_kib", re.search(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE)[1])  # type: ignore[index]


if __name__ == "__main__":
    _main(sys.argv[1:])
