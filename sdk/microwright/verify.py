"""What the outputs should be: reference interpreters, agreement to the byte, accuracy.

expected = verify.reference(graph).run(sample)
verify.agreement(reference.name, [expected], [actual])
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import importlib.metadata
import os
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from microwright import _tensorflow, ops, passes
from microwright.errors import InputError, MismatchError
from microwright.graph import Array, Graph

_Integers: TypeAlias = npt.NDArray[np.int64]
_Run: TypeAlias = Callable[[tuple[Array, ...]], tuple[Array, ...]]
# The interpreter's name, and what starts one.
_Opened: TypeAlias = tuple[str, Callable[[], _Run]]

# In the name of a reference that is not TensorFlow Lite Micro and may differ from it in the last place: it
# multiplies the scales of fully connected layers in single precision.
STAND_IN = "standing in for tflite_micro"

# Exponentials are within 4 units in the last place, 2^-22 of them each; what is computed from them has more.
_TOLERANCE = 1e-5

# Beyond this the reference would not model anything that fits a microcontroller, only exhaust the host.
_MAX_ARENA_BYTES = 1 << 30


@dataclass(frozen=True)
class OutputAgreement:
    """An output's part in an `Agreement`."""

    name: str
    mismatched_bytes: int
    max_difference: int


@dataclass(frozen=True)
class Agreement:
    """How far outputs agree with a reference.

    `reference` names it; `inputs` is the number of samples, `compared_bytes` and `mismatched_bytes` count
    over all of their outputs. `max_difference` is the largest difference of two elements in units of the last
    place (for integers simply their difference). `tolerance` is None where all bytes had to be equal, or
    where more differs; else no element differs by more than this part of its output's largest one, or by more
    than 1 where it is an integer. `outputs` has each output that has a name.
    """

    reference: str
    inputs: int
    compared_bytes: int
    mismatched_bytes: int
    max_difference: int
    tolerance: float | None = None
    outputs: tuple[OutputAgreement, ...] = ()


@dataclass(frozen=True, eq=False)
class Reference:
    """An interpreter that holds a graph; `run` takes one array a graph input and gives one a graph output.

    Arrays have the tensors' dtypes and shapes. `run` raises InputError where they do not, or where the
    interpreter fails. What a graph that `streams` keeps goes from one run to the next; `reset` begins a new
    stream.
    """

    name: str
    run: _Run
    reset: Callable[[], None] = lambda: None


def reference(graph: Graph) -> Reference | None:
    """The best reference interpreter that is installed, ready to run, or None where there is none.

    That is TensorFlow Lite Micro where it has all operators, else LiteRT's reference kernels. Raises
    UnsupportedOp for a graph that the engine does not take (the interpreters trust a model and may crash on a
    wrong one), InputError where the interpreter refuses it.
    """
    ops.check(passes.run(graph))
    for open_interpreter in (_tflite_micro, _litert) if ops.in_micro(graph) else (_litert,):
        opened = open_interpreter(graph)
        if opened is not None:
            interpreter = _Interpreter(graph, *opened)
            return Reference(opened[0], interpreter.run, interpreter.reset)
    return None


def tensors(graph: Graph, indices: Sequence[int], *, trusted: bool = False) -> Reference:
    """LiteRT's reference kernels with a graph; `run` gives the values of any tensors, one array an index.

    Raises UnsupportedOp as `reference` does, unless the graph is trusted, InputError where the interpreter
    refuses it, ToolMissing where neither LiteRT nor TensorFlow is installed.
    """
    if not trusted:
        ops.check(passes.run(graph))
    module = _module("ai_edge_litert.interpreter")
    if module is None:
        lite = _tensorflow.tensorflow().lite
        interpreter, resolvers = lite.Interpreter, lite.experimental.OpResolverType
    else:
        interpreter, resolvers = module.Interpreter, module.OpResolverType
    name = "LiteRT's reference kernels"
    kept = replace(graph, outputs=tuple(indices))
    start = functools.partial(_lite, name, kept, interpreter, resolvers.BUILTIN_REF, preserve=True)
    held = _Interpreter(kept, name, start)
    return Reference(name, held.run, held.reset)


def tolerance(graph: Graph) -> float | None:
    """The part of an output's largest element that the elements may differ by; None: they have to be equal.

    They are where all arithmetic is integers', or float32 added and multiplied in the reference's order. But
    exponentials of float32 (softmax, sigmoid, tanh) come from the C library in the reference, whose last
    place is another one from library to library, and on one machine from processor to processor.
    """
    return None if ops.is_exact(passes.run(graph)) else _TOLERANCE


class Tally:
    """Counts how far outputs agree with a reference, sample by sample; keeps none of them.

    `allowed` is their graph's `tolerance`, and `names` are the names of its outputs.
    """

    def __init__(self, reference_name: str, allowed: float | None = None, names: Sequence[str] = ()) -> None:
        self._name = reference_name
        self._allowed = allowed
        self._names = names
        self._inputs = self._compared = 0
        # By the output's position.
        self._mismatched, self._furthest = Counter[int](), Counter[int]()
        self._within = allowed is not None

    def add(self, expected: tuple[Array, ...], actual: tuple[Array, ...]) -> None:
        """Compare the outputs of the next sample. Raises MismatchError where they cannot be compared."""
        number = self._inputs
        if len(expected) != len(actual):
            raise _incomparable(
                f"sample {number} has {len(actual)} outputs, {self._name} has {len(expected)}"
            )
        for position, (a, b) in enumerate(zip(expected, actual, strict=True)):
            if a.shape != b.shape or a.dtype != b.dtype:
                raise _incomparable(
                    f"sample {number}: output {position} is {b.dtype} {list(b.shape)}, "
                    f"{self._name} has {a.dtype} {list(a.shape)}"
                )
            self._compared += a.nbytes
            different = int(np.count_nonzero(as_bytes(a) != as_bytes(b)))
            if different:
                self._mismatched[position] += different
                self._furthest[position] = max(self._furthest[position], _furthest(a, b))
                self._within = self._within and is_close(a, b, self._allowed or 0.0)
        self._inputs += 1

    @property
    def agreement(self) -> Agreement:
        """Of all samples so far."""
        return Agreement(
            self._name,
            self._inputs,
            self._compared,
            self._mismatched.total(),
            max(self._furthest.values(), default=0),
            self._allowed if self._within else None,
            tuple(
                OutputAgreement(name, self._mismatched[i], self._furthest[i])
                for i, name in enumerate(self._names)
            ),
        )


def agreement(
    reference_name: str,
    expected: Sequence[tuple[Array, ...]],
    actual: Sequence[tuple[Array, ...]],
    allowed: float | None = None,
    names: Sequence[str] = (),
) -> Agreement:
    """Compare outputs, one tuple of arrays a sample; `allowed` is their graph's `tolerance`, and
    `names` the names of its outputs.

    Raises MismatchError where they cannot be compared.
    """
    if len(expected) != len(actual):
        raise _incomparable(f"{len(actual)} samples were computed, {reference_name} has {len(expected)}")
    tally = Tally(reference_name, allowed, names)
    for wanted, got in zip(expected, actual, strict=True):
        tally.add(wanted, got)
    return tally.agreement


def _incomparable(message: str) -> MismatchError:
    return MismatchError(message, "compare outputs of the same model for the same samples")


def as_bytes(array: Array) -> Array:
    """The bytes of an array, in one row."""
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8)


def _furthest(a: Array, b: Array) -> int:
    """Largest distance of two elements, in integers or, for floats, in representable numbers."""
    x, y = (_ordinals(array) for array in (a, b))
    # Python's integers, because the distance of two int64 may not fit one.
    return max(abs(int(p) - int(q)) for p, q in zip(x.tolist(), y.tolist(), strict=True))


def is_close(a: Array, b: Array, tolerance: float) -> bool:
    """Whether no element differs by more than a part of `a`'s largest finite one, or for integers by more
    than 1. An infinity is close to itself alone, NaN to nothing.
    """
    x, y = a.astype(np.float64), b.astype(np.float64)
    finite = np.isfinite(x)
    limit = tolerance * float(np.abs(x[finite]).max(initial=0.0)) if a.dtype.kind == "f" else 1.0
    with np.errstate(invalid="ignore"):
        return bool(((x == y) | (finite & (np.abs(x - y) <= limit))).all())


def _ordinals(array: Array) -> _Integers:
    flat = np.ascontiguousarray(array).reshape(-1)
    if flat.dtype != np.float32:
        return flat.astype(np.int64)
    # The bits of floats, read as sign and magnitude, count the floats in order.
    bits = flat.view(np.int32).astype(np.int64)
    return np.where(bits < 0, -(bits & 0x7FFFFFFF), bits)


class _Interpreter:
    """An interpreter that holds a graph, and checks what goes in."""

    def __init__(self, graph: Graph, name: str, start: Callable[[], _Run]) -> None:
        self._graph = graph
        self._name = name
        self._start = start
        self._run = start()

    def reset(self) -> None:
        """A new one, since none of them resets every kind of state."""
        if self._graph.states:
            self._run = self._start()

    def run(self, inputs: tuple[Array, ...]) -> tuple[Array, ...]:
        """One inference."""
        graph = self._graph
        if len(inputs) != len(graph.inputs):
            raise InputError(
                f"{len(inputs)} arrays were given, the model has {len(graph.inputs)} inputs",
                "give one array for each input",
            )
        for position, (array, index) in enumerate(zip(inputs, graph.inputs, strict=True)):
            tensor = graph.tensors[index]
            if array.dtype != np.dtype(tensor.dtype) or array.shape != tensor.shape:
                raise InputError(
                    f"input {position} is {array.dtype} {list(array.shape)}, "
                    f"expected {tensor.dtype} {list(tensor.shape)}",
                    "give one sample as the model takes it",
                )
        if not graph.streams:
            self.reset()
        try:
            outputs = self._run(inputs)
        except Exception as error:
            raise _refused(self._name, "failed on an inference", str(error)) from error
        return tuple(
            np.asarray(output, np.dtype(graph.tensors[index].dtype)).reshape(graph.tensors[index].shape)
            for output, index in zip(outputs, graph.outputs, strict=True)
        )


def _refused(name: str, what: str, said: str) -> InputError:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    reason = f": {' / '.join(lines)[:200]}" if lines else ""
    return InputError(f"{name} {what}{reason}", "check the model; export or quantise it again")


def _open(name: str, load: Callable[[], Any]) -> Any:
    """What `load` returns; its failure as an InputError with what the interpreter printed."""
    said: list[str] = []
    try:
        with _quiet(said):
            return load()
    except Exception as error:
        raise _refused(name, "does not take the model", f"{error}\n{''.join(said)}") from error


def _module(name: str) -> Any:
    """An imported module, or None where it is not installed or does not load on this machine."""
    try:
        with _quiet([]), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return importlib.import_module(name)
    except (ImportError, OSError):
        return None


def _tflite_micro(graph: Graph) -> _Opened | None:
    runtime = _module("tflite_micro.python.tflite_micro.runtime")
    if runtime is None:
        return None
    name = f"tflite_micro {importlib.metadata.version('tflite_micro')}"
    arena_bytes = _arena_bytes(graph)
    if arena_bytes > _MAX_ARENA_BYTES:
        raise _refused(name, "does not take the model", f"it needs an arena of {arena_bytes} bytes")

    def start() -> _Run:
        interpreter = _open(
            name, lambda: runtime.Interpreter.from_bytes(graph.flatbuffer, arena_size=arena_bytes)
        )

        def run(inputs: tuple[Array, ...]) -> tuple[Array, ...]:
            for position, array in enumerate(inputs):
                interpreter.set_input(array, position)
            interpreter.invoke()
            return tuple(interpreter.get_output(position) for position in range(len(graph.outputs)))

        return run

    return name, start


def _arena_bytes(graph: Graph) -> int:
    """An arena that is ample for TensorFlow Lite Micro: all tensors side by side, and its bookkeeping."""
    activations = sum(t.size_bytes + 64 for t in graph.tensors if t.data is None)
    return 2 * activations + 2 * len(graph.flatbuffer) + 4096 * len(graph.nodes) + (1 << 20)


def _litert(graph: Graph) -> _Opened | None:
    for package in ("ai_edge_litert", "tflite_runtime"):  # the same interpreter, by its new and its old name
        module = _module(f"{package}.interpreter")
        if module is not None:
            return _opened_litert(graph, module, package.replace("_", "-"))
    return None


def _opened_litert(graph: Graph, module: Any, distribution: str) -> _Opened:
    version = importlib.metadata.version(distribution)
    resolvers = module.OpResolverType
    name = f"{distribution} {version} reference kernels, {STAND_IN}"
    reference = functools.partial(_lite, name, graph, module.Interpreter, resolvers.BUILTIN_REF)
    try:
        reference()
        return name, reference
    except InputError:
        # Of some operators, there are new versions of the other kernels only.
        name = f"{distribution} {version}, {STAND_IN}"
        without = resolvers.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        other = functools.partial(_lite, name, graph, module.Interpreter, without)
        with contextlib.suppress(InputError):
            other()
            return name, other
        raise


def _lite(name: str, graph: Graph, interpreter_class: Any, resolver: Any, *, preserve: bool = False) -> _Run:
    def load() -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            interpreter = interpreter_class(
                model_content=graph.flatbuffer,
                experimental_op_resolver_type=resolver,
                experimental_preserve_all_tensors=preserve,
                num_threads=1,
            )
        interpreter.allocate_tensors()
        return interpreter

    interpreter = _open(name, load)

    def run(inputs: tuple[Array, ...]) -> tuple[Array, ...]:
        for index, array in zip(graph.inputs, inputs, strict=True):
            interpreter.set_tensor(index, array)
        interpreter.invoke()
        return tuple(interpreter.get_tensor(index) for index in graph.outputs)

    return run


@contextlib.contextmanager
def _quiet(said: list[str]) -> Iterator[None]:
    """Keep what native code writes to file descriptor 2 out of the terminal; it is appended to `said`."""
    sys.stderr.flush()
    try:
        terminal = os.dup(2)
    except OSError:
        yield
        return
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(terminal, 2)
            os.close(terminal)
            file.seek(0)
            said.append(file.read(4096).decode("utf-8", "replace"))
