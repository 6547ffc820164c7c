"""Kernel calls on emulated boards with every buffer at the edge of a page, behind which an access faults.

Each call runs in several placements. With buffers at the beginning of pages, what reads or writes in front of
one faults; with buffers at the end, what does behind one; what writes elsewhere is found by comparing what
lies around. Where the output may share memory with an input, it does so as far as `Step.overlap` allows, at
both edges.
"""

from __future__ import annotations

import binascii
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from unittest import mock

import numpy as np
import serial

from microwright import board, build, kernels, library, ops, passes, plan, project, runners, target, verify
from microwright.board import Board
from microwright.build import Image
from microwright.emit import aot, c
from microwright.graph import Array, Graph
from microwright.kernels.base import Rejected
from microwright.ops import Constant, Step
from microwright.plan import Call
from tests.support import image
from tests.support.layers import Layers, Rng
from tests.support.native import native

# As in edges.h.
_PAGES = 11
_PAGE_BYTES = 65536
# What constants are aligned to in flash (mw.h).
_CONSTANT_ALIGN_BYTES = 4
_SCRATCH_ALIGN_BYTES = 4
_TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Buffer:
    """A place in memory that a call knows; `kind` as in edges.h, `content` the C name of a constant."""

    kind: str
    size_bytes: int
    align_bytes: int = 1
    content: str = "NULL"


@dataclass(frozen=True, eq=False)
class Case:
    """C statements that make a call with its buffers at `at[]`, and where the buffers are to lie in turn.

    `placements` maps a description to the buffers' offsets in memory.
    """

    name: str
    statements: Sequence[str]
    buffers: Sequence[Buffer]
    placements: Mapping[str, Sequence[int]]
    output_crc: int = 0


@dataclass(frozen=True)
class Result:
    """What became of a case in a placement: `right`, `wrong output`, `wrote outside` or `@0 fault ...`."""

    case: str
    placement: str
    outcome: str


def assert_random_layers_stay_inside(
    board_id: str, folder: Path, add: Callable[[Layers, Rng], None], *, seed: int, count: int
) -> Counter[str]:
    """`count` layers made by `add`, by each kernel that can: right outputs, no access outside the buffers.

    How many calls each kernel had.
    """
    rng = np.random.default_rng(seed)
    layers = Layers()
    for _ in range(count):
        add(layers, rng)
    model = layers.graph()
    on = board.load(board_id)
    calls = tuple(_calls(passes.run(model), on))
    wrong = [
        result for result in run(folder, model, on, _cases(model, calls), calls) if result.outcome != "right"
    ]
    assert not wrong, "\n".join(f"{w.outcome}: {w.case}, {w.placement}" for w in wrong)
    return Counter(call.step.kernel for call in calls)


def run(
    folder: Path, model: Graph, on: Board, cases: Sequence[Case], calls: tuple[Call, ...] = ()
) -> list[Result]:
    """Run cases on a board. `calls` are the kernels' calls, from whose constants the cases take theirs."""
    planned = replace(plan.plan(passes.run(model)), calls=calls)
    with mock.patch.object(library, "plan", lambda *_: planned):
        firmware = project.create(folder, model, on)
    section = max(on.extra, key=lambda name: on.extra[name].bytes)
    image.replace_main(firmware, "edges.c", f'#define EDGES_SECTION ".memory.{section}"')
    with (folder / "model" / "mw_model.c").open("a", encoding="ascii") as source:
        source.write(_table(cases))
    built = build.build(firmware)
    runs = [(case.name, placement) for case in cases for placement in case.placements]
    results: list[Result] = []
    # A fault is the end of a run; what comes after it runs from a new start.
    while len(results) < len(runs):
        for outcome in _outcomes(built, len(results), len(runs)):
            results.append(Result(*runs[len(results)], outcome))
    return results


def at_beginning(buffers: Sequence[Buffer]) -> tuple[int, ...]:
    """Offsets that put each buffer at the beginning of a page of its own."""
    assert len(buffers) <= _PAGES
    return tuple((2 * i + 1) * _PAGE_BYTES for i in range(len(buffers)))


def at_end(buffers: Sequence[Buffer]) -> tuple[int, ...]:
    """Offsets that put each buffer at the end of a page of its own, as close as its alignment lets it."""
    return tuple(
        page + (_PAGE_BYTES - buffer.size_bytes) // buffer.align_bytes * buffer.align_bytes
        for page, buffer in zip(at_beginning(buffers), buffers, strict=True)
    )


def _calls(graph: Graph, on: Board) -> Iterator[Call]:
    """Each layer by each kernel that the board can run, as long as half of its flash has the constants.

    Not layers that take several calls or a larger page.
    """
    assert on.flash is not None
    left_bytes = on.flash.bytes // 2
    for position, node in enumerate(graph.nodes):
        steps = () if ops.get(node).alias else ops.get(node).lower(graph, node)
        if len(steps) != 1:
            continue
        variable = {i for i in steps[0].inputs if graph.tensors[i].data is None}
        assert variable <= set(graph.inputs), "a layer depends on another one"
        made = [steps[0]]
        for kernel in kernels.KERNELS.get(steps[0].kernel, ()):
            if kernel.needs <= target.of(on).features:
                try:
                    made.append(kernel.repack(steps[0]))
                except Rejected:
                    continue
        for step in made:
            buffers = _buffers(graph, step, 0, {})
            constant_bytes = sum(constant.values.nbytes for constant in _constants(step).values())
            fits = len(buffers) <= _PAGES and all(b.size_bytes <= _PAGE_BYTES for b in buffers)
            if fits and constant_bytes <= left_bytes:
                left_bytes -= constant_bytes
                yield Call(position, step, 0, 0.0, {})


def _cases(model: Graph, calls: Sequence[Call]) -> list[Case]:
    """The calls in all their placements, with the reference interpreter's outputs."""
    inputs = {i: np.zeros(model.tensors[i].shape, model.tensors[i].dtype) for i in model.inputs}
    for step in (call.step for call in calls):
        for position, i in enumerate(step.inputs):
            if i in inputs:
                content = _input_bytes(position * _PAGE_BYTES, inputs[i])
                inputs[i] = content.view(inputs[i].dtype).reshape(inputs[i].shape)
    outputs = dict(zip(model.outputs, _expected(model, tuple(inputs.values())), strict=True))
    names: dict[tuple[str, bytes], str] = {}
    return [_case(model, number, call.step, outputs, names) for number, call in enumerate(calls)]


def _expected(model: Graph, inputs: tuple[Array, ...]) -> tuple[Array, ...]:
    """Of the reference, or where it may have other last places, of the kernels on this machine."""
    if not ops.is_exact(model):
        return native(model, plain=True)(inputs)
    reference = verify.reference(model)
    assert reference is not None, "the reference interpreter is part of the development installation"
    return reference.run(inputs)


def _case(
    model: Graph,
    number: int,
    step: Step,
    outputs: Mapping[int, Array],
    names: dict[tuple[str, bytes], str],
) -> Case:
    output = step.outputs[0]
    buffers = _buffers(model, step, number, names)
    statements = [f"struct mw_{step.kernel} layer = call_{number};"] if step.fields else []
    tensors = (*step.inputs, *step.outputs)
    operands = [f"({c.C_TYPES[model.tensors[tensor].dtype]} *)at[{i}]" for i, tensor in enumerate(tensors)]
    scratch = f"at[{len(operands)}]" if step.scratch_bytes else "NULL"
    for i, name in enumerate(_constants(step), len(operands) + bool(step.scratch_bytes)):
        statements.append(f"layer.{name} = (const void *)at[{i}];")
    return Case(
        f"{step.kernel}, {model.tensors[output].name}",
        [*statements, aot.call_of(model, step, "&layer", operands, scratch)],
        buffers,
        _placements(step, buffers),
        binascii.crc32(outputs[output].tobytes()),
    )


def _constants(step: Step) -> dict[str, Constant]:
    return {name: v for name, v in step.fields.items() if isinstance(v, Constant) and v.values.size}


def _buffers(graph: Graph, step: Step, number: int, names: dict[tuple[str, bytes], str]) -> list[Buffer]:
    """Inputs, output, scratch if any, then constants; `names` has those of earlier calls, as the C has."""
    buffers = []
    for i in (*step.inputs, *step.outputs):
        tensor = graph.tensors[i]
        size = (tensor.size_bytes, np.dtype(tensor.dtype).itemsize)
        if tensor.data is not None:
            buffers.append(Buffer("CONSTANT", *size, f"tensor_{i}"))
        else:
            kind = "OUTPUT" if i not in step.inputs else "REALS" if tensor.dtype == "float32" else "INPUT"
            buffers.append(Buffer(kind, *size))
    if step.scratch_bytes:
        buffers.append(Buffer("SCRATCH", step.scratch_bytes, _SCRATCH_ALIGN_BYTES))
    for name, constant in _constants(step).items():
        content = names.setdefault(constant.content, f"call_{number}_{name.replace('.', '_')}")
        buffers.append(Buffer("CONSTANT", constant.values.nbytes, _CONSTANT_ALIGN_BYTES, content))
    return buffers


def _placements(step: Step, buffers: Sequence[Buffer]) -> dict[str, Sequence[int]]:
    first, last = at_beginning(buffers), at_end(buffers)
    found: dict[str, Sequence[int]] = {
        "buffers at the beginning of pages": first,
        "buffers at the end of pages": last,
    }
    output = len(step.inputs)
    for source, stated in step.overlap.items():
        if buffers[source].kind == "INPUT" and step.inputs.count(step.inputs[source]) == 1:
            distance = stated or 0
            above = max(0, buffers[output].size_bytes - distance - buffers[source].size_bytes)
            for edge, offsets, at in (
                ("beginning", first, first[source] + max(0, distance)),
                ("end", last, last[source] - above),
            ):
                shared = list(offsets)
                shared[source], shared[output] = at, at - distance
                found[f"output over input {source}, {edge} of a page"] = shared
    return found


def _table(cases: Sequence[Case]) -> str:
    """C text of the runs: every case in every placement."""
    parts = ['\n#include "edges.h"\n']
    runs = []
    for number, case in enumerate(cases):
        parts += [f"static void case_{number}(uint8_t *const *at)", "{", *case.statements, "}"]
        parts += [f"static const struct edges_buffer buffers_{number}[] = {{"]
        parts += [f"    {{EDGES_{b.kind}, {b.size_bytes}u, {b.content}}}," for b in case.buffers]
        parts += ["};"]
        for which, offsets in enumerate(case.placements.values()):
            name = f"offsets_{number}_{which}"
            parts.append(f"static const uint32_t {name}[] = {{{', '.join(map(str, offsets))}}};")
            fields = (f"case_{number}", f"buffers_{number}", name, str(len(offsets)), f"{case.output_crc}u")
            runs.append(f"    {{{', '.join(fields)}}},")
    parts += ["const struct edges_run edges_runs[] = {", *runs, "};"]
    parts += [f"const uint32_t edges_run_count = {len(runs)};", ""]
    return "\n".join(parts)


def _outcomes(built: Image, first: int, end: int) -> Iterator[str]:
    """What becomes of each run of an image from the first on, up to a fault."""
    with (
        runners.start(built) as device,
        serial.serial_for_url(device.url, timeout=_TIMEOUT_S) as line,
    ):
        line.write(f"{first}\n".encode())
        for number in range(first, end):
            said = line.read_until(b"\n").decode(errors="replace")
            assert said.startswith(f"{number} ") and said.endswith("\n"), f"after run {number - 1}: {said!r}"
            outcome = said.split(" ", 1)[1].strip()
            yield outcome
            if outcome.startswith("@0 fault "):
                return


def _input_bytes(first: int, like: Array) -> Array:
    """Content of an input like this one; the same in edges.c."""
    content = image.input_bytes(first, like.nbytes)
    if like.dtype == np.float32:
        content[3::4] = content[3::4] & 0x80 | 0x3F
    return content
