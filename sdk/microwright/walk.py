"""An inference layer by layer on a device, its tensors held against those of another one."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, TypeVar

import numpy as np

from microwright import accuracy, verify
from microwright.dialogue import Device, array_of, bytes_of, checksums_of
from microwright.graph import Array, Tensor
from microwright.plan import Plan
from microwright.progress import Progress

_SHOWN = 8

Role: TypeAlias = Literal["input", "output", "state", "overwritten"]
Number: TypeAlias = int | float | str
# What each layer writes, and all states behind it, by roots; at 0, inputs and states.
Values: TypeAlias = Sequence[Mapping[int, bytes]]

_T = TypeVar("_T")


@dataclass(frozen=True)
class Element:
    """One element of a tensor as both have it; where it is quantised, also what it stands for.

    Floats that are not finite are texts: `nan`, `inf`, `-inf`.
    """

    index: tuple[int, ...]
    device: Number
    host: Number
    device_real: Number | None
    host_real: Number | None


@dataclass(frozen=True)
class Difference:
    """A tensor that differs; `first` has the first elements that do.

    `role`: what the tensor is to the layer behind which it differs: its output, a state that it keeps, or
    `overwritten`, a tensor that was right before and that the layer should not have touched.
    """

    tensor: str
    role: Role
    dtype: str
    shape: tuple[int, ...]
    size_bytes: int
    differing_bytes: int
    differing_elements: int
    first: tuple[Element, ...]


@dataclass(frozen=True)
class Layer:
    """A layer after which `tensors` tensors of `size_bytes` bytes were compared.

    `index`, `op` and `name` are those of the model as it was given; index -1 and op INPUT are what lay there
    before the first layer. `shape` is that of its first output, `kernels` are those that the device uses.
    `inputs_equal`: all that it read was the same on both sides.
    """

    index: int
    op: str
    name: str
    shape: tuple[int, ...]
    kernels: tuple[str, ...]
    inputs_equal: bool
    tensors: int
    size_bytes: int
    differences: tuple[Difference, ...]


class Side:
    """A device, and what lies where in its arena.

    written  how many layers have run when a root of the plan holds its values: 0 for inputs and states
    needed   how many have run when it is read for the last time
    """

    def __init__(self, device: Device, plan: Plan) -> None:
        self.device = device
        self.plan = plan
        self.graph = graph = plan.graph
        self.layers = len(graph.nodes)
        roots = plan.roots
        self.written = {roots[i]: 0 for i in (*graph.inputs, *graph.states)}
        needed: dict[int, int] = {}
        for call in plan.calls:
            needed.update({roots[i]: call.node for i in call.step.inputs})
            for i in call.step.outputs:
                self.written.setdefault(roots[i], call.node + 1)
        needed.update({roots[i]: self.layers for i in (*graph.outputs, *graph.states)})
        self._needed = needed

    def held(self, done: int) -> list[int]:
        """The roots whose values are there, and needed, once so many layers have run."""
        return [
            root
            for root, written in self.written.items()
            if root in self.plan.offsets and written <= done <= self._needed.get(root, -1)
        ]

    def place(self, root: int) -> tuple[int, int]:
        """Offset and size in bytes."""
        return self.plan.offsets[root], self.graph.tensors[root].size_bytes


def outputs(side: Side, sample: tuple[Array, ...], reset: bool) -> tuple[Array, ...]:
    """What a whole inference gives."""
    run = side.device.run(bytes_of(sample), reset=reset)
    tensors = (side.graph.tensors[i] for i in side.graph.outputs)
    return tuple(array_of(data, tensor) for data, tensor in zip(run.outputs, tensors, strict=True))


def through(side: Side, inputs: Sequence[tuple[Array, ...]], chosen: int, visit: Callable[[], _T]) -> _T:
    """What `visit` sees of a sample, layer by layer; of a stream, after all samples before it."""
    before = range(chosen) if side.graph.streams else range(0)
    for number in before:
        side.device.run(bytes_of(inputs[number]), reset=number == 0)
    return side.device.walk(bytes_of(inputs[chosen]), visit, reset=not before)


def values(side: Side, last: int) -> Values:
    """What the layers up to `last` leave."""
    values: list[Mapping[int, bytes]] = []
    for done in range(last + 1):
        side.device.advance(done)
        new = [i for i in side.held(done) if side.written[i] == done or i in side.graph.states]
        values.append({root: side.device.fetch(*side.place(root)) for root in new})
    return values


def layers(
    side: Side,
    values: Values,
    tolerance: float | None,
    every: bool,
    progress: Progress,
) -> list[Layer]:
    """Goes through the layers of a device as far as there are values, and compares with these.

    Ends behind the first layer that differs, unless all are wanted.
    """
    layers: list[Layer] = []
    expected: dict[int, bytes] = {}
    wrong: set[int] = set()
    for done in range(len(values)):
        progress("compare the layers", done, len(values))
        side.device.advance(done)
        expected.update(values[done])
        read = _operands(side, done)
        inputs_equal = not wrong & read
        found: list[Difference] = []
        held = side.held(done)
        for root in held:
            place = side.place(root)
            if side.device.checksums(*place) == checksums_of(expected[root]):
                wrong.discard(root)
                continue
            fetched = side.device.fetch(*place)
            if fetched == expected[root]:  # it was the checksum that had gone wrong
                wrong.discard(root)
                continue
            tensor = side.graph.tensors[root]
            ours, theirs = (array_of(x, tensor) for x in (expected[root], fetched))
            if tolerance is not None and verify.is_close(ours, theirs, tolerance):
                continue
            role = _role(side, root, done)
            if root not in wrong or role != "overwritten":
                found.append(_difference(tensor, role, ours, theirs))
            wrong.add(root)
        if done or found:
            layers.append(_layer(side, done, held, inputs_equal, found))
        if found and not every:
            break
    progress("compare the layers", len(values), len(values))
    return layers


def _operands(side: Side, done: int) -> set[int]:
    """The roots that the last of so many layers reads, states included."""
    steps = [call.step for call in side.plan.calls if call.node == done - 1]
    return {side.plan.roots[i] for step in steps for i in (*step.inputs, *step.states)}


def _role(side: Side, root: int, done: int) -> Role:
    if done == 0:
        return "state" if root in side.graph.states else "input"
    node = side.graph.nodes[done - 1]
    if root in side.graph.states:
        return "state" if root in _operands(side, done) | {*node.inputs, *node.outputs} else "overwritten"
    return "output" if side.written[root] == done else "overwritten"


def _layer(
    side: Side, done: int, held: Sequence[int], inputs_equal: bool, found: Sequence[Difference]
) -> Layer:
    size = sum(side.graph.tensors[root].size_bytes for root in held)
    if done == 0:
        return Layer(-1, "INPUT", "", (), (), True, len(held), size, tuple(found))
    node = side.graph.nodes[done - 1]
    kernels = dict.fromkeys(call.step.kernel for call in side.plan.calls if call.node == done - 1)
    shape = side.graph.tensors[node.outputs[0]].shape if node.outputs else ()
    return Layer(
        node.index, node.op, node.name, shape, tuple(kernels), inputs_equal, len(held), size, tuple(found)
    )


def _difference(tensor: Tensor, role: Role, ours: Array, theirs: Array) -> Difference:
    bytes_differ = (verify.as_bytes(a) for a in (ours, theirs))
    a, b = bytes_differ
    different = (a != b).reshape(-1, ours.itemsize).any(axis=1)
    elements = np.flatnonzero(different)
    positions = [tuple(int(i) for i in np.unravel_index(e, tensor.shape)) for e in elements[:_SHOWN]]
    is_quantized = tensor.quantization is not None and ours.dtype.kind != "f"
    reals = [accuracy.real(x, tensor) for x in (theirs, ours)] if is_quantized else None
    return Difference(
        tensor.name,
        role,
        tensor.dtype,
        tensor.shape,
        ours.nbytes,
        int(np.count_nonzero(a != b)),
        len(elements),
        tuple(
            Element(
                at,
                _plain(theirs[at]),
                _plain(ours[at]),
                None if reals is None else _plain(reals[0][at]),
                None if reals is None else _plain(reals[1][at]),
            )
            for at in positions
        ),
    )


def _plain(value: np.generic) -> Number:
    number: int | float = value.item()
    return number if math.isfinite(number) else str(number)
