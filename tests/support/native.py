"""Graphs compiled to C and run on this machine under ASan and UBSan, and the reference they have to equal."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any
from unittest import mock

import numpy as np
import pytest
from tflite.Model import Model

from microwright import _paths, kernels, ops, passes
from microwright.emit import aot
from microwright.graph import Array, Graph
from microwright.kernels import code
from microwright.plan import Plan, plan
from tests.support import parts
from tests.support.store import store_folder

FLAGS = (
    "-std=c99",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-pedantic",
    "-O1",
    "-fsanitize=address,undefined",
    "-fno-sanitize-recover",
)
# The sanitizers' libraries are large, and the usual linker reads them slowly.
_LINKER = ("-fuse-ld=gold",) if shutil.which("ld.gold") else ()

# Reads samples (all inputs one after the other) from stdin until it ends, writes the outputs of each to
# stdout. Each inference starts from an arena of garbage, but for the state of the one before, that is exactly
# as large as the model asks for, and a layer is shown only its inputs, state, outputs and scratch: ASan sees
# other accesses, and a kernel that reads what nobody wrote gives other bytes.
_MAIN = r"""
#include <sanitizer/asan_interface.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "mw_model.c"

static const struct {
    int layer;
    size_t offset, bytes;
} used[] = {
USED
    {-1, 0, 0},
};

static enum mw_status run_layer(uint8_t *arena, int layer)
{
    ASAN_POISON_MEMORY_REGION(arena, MW_ARENA_BYTES);
    for (size_t i = 0; i < sizeof used / sizeof used[0]; ++i) {
        if (used[i].layer == layer) {
            ASAN_UNPOISON_MEMORY_REGION(arena + used[i].offset, used[i].bytes);
        }
    }
    const enum mw_status status = mw_model_layer(arena, layer);
    ASAN_UNPOISON_MEMORY_REGION(arena, MW_ARENA_BYTES);
    return status;
}

int main(void)
{
    uint8_t *const arena = malloc(MW_ARENA_BYTES);
    uint8_t *samples[MW_INPUTS];
    memset(arena, 0xA5, MW_ARENA_BYTES);
    if (mw_model_init(arena) != MW_OK) {
        return 2;
    }
    for (int i = 0; i < MW_INPUTS; ++i) {
        samples[i] = malloc(mw_model_input_bytes(i));
    }
    for (;;) {
        for (int i = 0; i < MW_INPUTS; ++i) {
            if (fread(samples[i], 1, mw_model_input_bytes(i), stdin) != mw_model_input_bytes(i)) {
                for (int j = 0; j < MW_INPUTS; ++j) {
                    free(samples[j]);
                }
                free(arena);
                return i == 0 ? 0 : 1;
            }
        }
        memset(arena + MW_STATE_BYTES, 0xA5, MW_ARENA_BYTES - MW_STATE_BYTES);
        for (int i = 0; i < MW_INPUTS; ++i) {
            memcpy(mw_model_input(arena, i), samples[i], mw_model_input_bytes(i));
        }
        for (int layer = 0; layer < MW_LAYERS; ++layer) {
            if (run_layer(arena, layer) != MW_OK) {
                return 3;
            }
        }
        for (int i = 0; i < MW_OUTPUTS; ++i) {
            fwrite(mw_model_output(arena, i), 1, mw_model_output_bytes(i), stdout);
        }
    }
}
"""

Run = Callable[[Sequence[Array]], tuple[Array, ...]]


class Native:
    """A compiled graph. Calling it with the inputs of one sample gives the outputs of the sample."""

    def __init__(self, graph: Graph, program: Path) -> None:
        self.graph = graph
        self.program = program

    def __call__(self, inputs: Sequence[Array]) -> tuple[Array, ...]:
        return self.run([inputs])[0]

    def run(self, samples: Sequence[Sequence[Array]]) -> list[tuple[Array, ...]]:
        """Outputs of several samples from one start of the program."""
        stream = b"".join(array.tobytes() for inputs in samples for array in self._checked(inputs))
        done = subprocess.run([self.program], input=stream, capture_output=True, check=False)
        if done.returncode != 0:
            raise AssertionError(f"exit code {done.returncode}: {done.stderr.decode(errors='replace')}")
        outputs = [self.graph.tensors[i] for i in self.graph.outputs]
        assert len(done.stdout) == len(samples) * sum(tensor.size_bytes for tensor in outputs)
        results = []
        offset = 0
        for _ in samples:
            arrays = []
            for tensor in outputs:
                flat = np.frombuffer(done.stdout, tensor.dtype, tensor.elements, offset)
                arrays.append(flat.reshape(tensor.shape))
                offset += tensor.size_bytes
            results.append(tuple(arrays))
        return results

    def _checked(self, inputs: Sequence[Array]) -> Sequence[Array]:
        tensors = [self.graph.tensors[i] for i in self.graph.inputs]
        assert [(a.dtype, a.shape) for a in inputs] == [(np.dtype(t.dtype), t.shape) for t in tensors]
        return inputs


def native(graph: Graph, *, plain: bool = False) -> Native:
    """Rewrite, plan, emit and compile a graph. Programs are kept by content: a rerun compiles nothing.

    `plain`: by the plain kernels, which otherwise run only where no faster one can be taken.
    """
    with mock.patch.object(kernels, "KERNELS", {} if plain else kernels.KERNELS):
        planned = plan(passes.run(graph))
    texts = {**aot.emit(planned), "main.c": _MAIN.replace("USED", _used(planned))}
    sources = [PurePosixPath(path) for path in code.files(aot.kernels(planned), texts.values())]
    objects = [_runtime_object(source.stem) for source in sources if source.suffix == ".c"]

    def build(directory: Path, target: Path) -> None:
        for name, text in texts.items():
            (directory / name).write_text(text, encoding="ascii")
        # Tables and calls alone: there is nothing to optimise.
        _compile(["-O0", *_LINKER, "-I.", "main.c", *map(str, objects), "-o", str(target)], directory)

    parts = [*(f"{name}\n{text}" for name, text in sorted(texts.items())), *(o.name for o in objects)]
    return Native(planned.graph, _cached("model", parts, build))


def _used(planned: Plan) -> str:
    """Where in the arena each layer's operands and scratch are, as rows of a table in C."""
    rows = []
    for call in planned.calls:
        for tensor in (*call.step.inputs, *call.step.states, *call.step.outputs):
            if planned.roots[tensor] in planned.offsets:
                offset = planned.offsets[planned.roots[tensor]]
                rows.append((call.node, offset, planned.graph.tensors[tensor].size_bytes))
        if call.scratch is not None:
            rows.append((call.node, call.scratch, call.step.scratch_bytes or 0))
    return "\n".join(f"    {{{node}, {offset}, {size_bytes}}}," for node, offset, size_bytes in rows)


def reference(flatbuffer: bytes, inputs: Sequence[Array]) -> tuple[Array, ...]:
    """Outputs of TensorFlow Lite Micro for the inputs of one sample."""
    return references(flatbuffer, [inputs])[0]


def references(flatbuffer: bytes, samples: Sequence[Sequence[Array]]) -> list[tuple[Array, ...]]:
    """Outputs of TensorFlow Lite Micro for several samples."""
    tflite_micro = pytest.importorskip(
        "tflite_micro.python.tflite_micro.runtime",
        reason="the reference interpreter, the PyPI package tflite_micro, has no wheel for this platform",
    )
    arena_bytes = 10 * len(flatbuffer) + (1 << 22)
    interpreter = tflite_micro.Interpreter.from_bytes(flatbuffer, arena_size=arena_bytes)
    count = int(Model.GetRootAs(flatbuffer, 0).Subgraphs(0).OutputsLength())
    results = []
    for inputs in samples:
        for position, array in enumerate(inputs):
            interpreter.set_input(array, position)
        interpreter.invoke()
        results.append(tuple(np.array(interpreter.get_output(i)) for i in range(count)))
    return results


def litert_references(flatbuffer: bytes, samples: Sequence[Sequence[Array]]) -> list[tuple[Array, ...]]:
    """Outputs of LiteRT's reference kernels, for what TensorFlow Lite Micro cannot run."""
    litert = pytest.importorskip(
        "ai_edge_litert.interpreter",
        reason="the reference kernels, the PyPI package ai-edge-litert, have no wheel for this platform",
    )

    def opened(resolver: Any) -> Any:
        return litert.Interpreter(model_content=flatbuffer, experimental_op_resolver_type=resolver)

    try:
        interpreter = opened(litert.OpResolverType.BUILTIN_REF)
    # Of some operators, there are new versions of the other kernels only.
    except ValueError:
        interpreter = opened(litert.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES)
    interpreter.allocate_tensors()
    results = []
    for inputs in samples:
        for details, array in zip(interpreter.get_input_details(), inputs, strict=True):
            interpreter.set_tensor(details["index"], array)
        interpreter.invoke()
        outputs = interpreter.get_output_details()
        results.append(tuple(np.array(interpreter.get_tensor(details["index"])) for details in outputs))
    return results


def references_by_node(graph: Graph, samples: Sequence[Sequence[Array]]) -> list[tuple[Array, ...]]:
    """Outputs of a graph that TensorFlow Lite Micro runs in part: LiteRT runs only the other nodes.

    LiteRT as a whole would not do, since it computes some layers otherwise in the last place.
    """
    values = [dict(zip(graph.inputs, inputs, strict=True)) for inputs in samples]
    for node in graph.nodes:
        flatbuffer, operands = parts.alone(graph, node)
        run = references if ops.in_micro(replace(graph, nodes=(node,))) else litert_references
        outputs = run(flatbuffer, [[known[i] for i in operands] for known in values])
        for known, computed in zip(values, outputs, strict=True):
            known.update(zip(node.outputs, computed, strict=True))
    return [tuple(known[i] for i in graph.outputs) for known in values]


def _expected(graph: Graph, samples: Sequence[Sequence[Array]]) -> list[tuple[Array, ...]]:
    if ops.in_micro(graph):
        return references(graph.flatbuffer, samples)
    # What a node keeps from one sample to the next is lost where it runs alone.
    return (
        litert_references(graph.flatbuffer, samples) if graph.states else references_by_node(graph, samples)
    )


def assert_equal_to_reference(graph: Graph, samples: Sequence[Sequence[Array]]) -> None:
    """The compiled graph gives the reference's outputs to the byte, for every sample.

    So it does by the fastest kernels that any machine can run, and by the plain ones.
    """
    expected = _expected(graph, samples)
    for program in {native(graph, plain=plain).program for plain in (False, True)}:
        actual = Native(graph, program).run(samples)
        for sample, (want, have) in enumerate(zip(expected, actual, strict=True)):
            for output, (a, b) in enumerate(zip(want, have, strict=True)):
                name = graph.tensors[graph.outputs[output]].name
                where = f"{program.name}, sample {sample}, output {output} ({name})"
                np.testing.assert_array_equal(b.reshape(a.shape), a, err_msg=where)
                assert a.tobytes() == b.tobytes(), where


@cache
def _runtime_object(stem: str) -> Path:
    """Object file of a source of the runtime, compiled apart because many graphs share it."""
    source = _paths.runtime() / "src" / f"{stem}.c"

    def build(directory: Path, target: Path) -> None:
        _compile(["-c", str(source), "-o", str(target)], directory)

    return _cached(stem, [source.read_text(encoding="utf-8")], build)


def _compile(arguments: Sequence[str], directory: Path) -> None:
    include = f"-I{_paths.runtime() / 'include'}"
    argv = ["gcc", *FLAGS, include, *arguments]
    done = subprocess.run(argv, cwd=directory, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"gcc failed:\n{done.stderr}"


@cache
def _compiler() -> str:
    return subprocess.run(["gcc", "--version"], capture_output=True, text=True, check=True).stdout


def _cached(name: str, parts: Sequence[str], build: Callable[[Path, Path], None]) -> Path:
    """The file that `build(scratch directory, target)` makes from `parts`, made at most once."""
    headers = [p.read_text(encoding="utf-8") for p in sorted((_paths.runtime() / "include").rglob("*.h"))]
    key = hashlib.sha256("\0".join([_compiler(), *FLAGS, *headers, *parts]).encode()).hexdigest()
    store = store_folder()
    target = store / f"{name}-{key[:32]}"
    if not target.exists():
        with tempfile.TemporaryDirectory(dir=store) as scratch:
            made = Path(scratch) / "made.o"
            build(Path(scratch), made)
            made.replace(target)
    return target
