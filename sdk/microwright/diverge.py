"""Where a device departs from this computer: the first layer whose tensors differ, with the bytes.

The same model, compiled for this computer, and the device run the same samples. One whose outputs differ,
else the first, runs on both layer by layer; behind each layer, all tensors that are still needed are compared
where they lie in the arena, so that a layer is found, too, that writes over another one's output.
"""

from __future__ import annotations

import contextlib
import hashlib
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np

from microwright import board as boards
from microwright import build as builds
from microwright import culprit, library, manifest, project, verify, walk
from microwright.build import Image
from microwright.device import reach
from microwright.dialogue import Device, array_of
from microwright.errors import InputError, ToolMissing
from microwright.graph import Array, Graph
from microwright.link import Connect, Link, ignore
from microwright.plan import Plan
from microwright.progress import Progress, silent
from microwright.project import Project
from microwright.verify import STAND_IN, Agreement
from microwright.walk import Layer, Side, Values

SCHEMA = 1

_HOST = "this computer"

Fault: TypeAlias = Literal["none", "device", "host", "engine", "device and engine", "unsteady"]


@dataclass(frozen=True)
class Divergence:
    """What a comparison came to.

    inputs         samples that ran whole on both sides
    input          the one that ran layer by layer
    outputs_equal  of all samples that ran whole
    layers         in order, up to the first that differs, or all
    fault          whose fault it is, as far as the reference interpreter can tell
    agreement      of this computer's outputs with the reference's; None where none is installed
    engine_layer   the first layer on this computer that differs from LiteRT's reference kernels, as "index op
                   name"; only looked for where the engine is at fault
    advice         what to try
    """

    model: str
    board: str
    build_id: str
    inputs: int
    input: int
    outputs_equal: bool
    layers: tuple[Layer, ...]
    fault: Fault
    agreement: Agreement | None
    engine_layer: str | None
    advice: str

    @property
    def first(self) -> Layer | None:
        """The first layer that differs."""
        return next((layer for layer in self.layers if layer.differences), None)


def to_json(found: Divergence) -> Mapping[str, object]:
    """The comparison under schema 1; `first` is the position in `layers` of the first layer that differs."""
    first = None if found.first is None else found.layers.index(found.first)
    return {"schema": SCHEMA, **asdict(found), "first": first}


def locate(
    image: Image,
    inputs: Sequence[tuple[Array, ...]],
    *,
    url: str | None = None,
    runner: str | None = None,
    probe: str | None = None,
    every: bool = False,
    progress: Progress = silent,
    on_log: Callable[[str], None] = ignore,
    connect: Connect = Link,
) -> Divergence:
    """Compare a device that runs the image with this computer.

    The device is the one at `url`, or one that `runner` flashes or starts, see `device.reach`. A sample is
    one array a model input, in the input's type. With `every`, layers behind the first that differs are
    compared, too. Raises InputError where the project is of another version of Microwright, ToolMissing
    without a compiler for this computer, StaleFirmware, and the link's errors.
    """
    made = image.project
    if made.optimize == "size":
        raise InputError(
            f"{made.directory} was generated with --optimize size: its firmware shows no layers",
            "generate it with --optimize balanced",
        )
    plan = _plan(made)
    with tempfile.TemporaryDirectory(prefix="microwright-") as folder:
        native = builds.build(
            project.create(Path(folder, "project"), made.model, boards.load("host"), optimize=made.optimize),
            progress,
        )
        with (
            reach(native) as program,
            Link(program.url, native.project.board.serial.baud) as native_link,
            reach(image, url, runner, probe, progress) as reached,
            culprit.named(image),
            connect(reached.url, made.board.serial.baud, on_log) as link,
        ):
            host = Side(Device(native_link, native.project.graph, native.build_id), _plan(native.project))
            device = Side(Device(link, image.project.graph, image.build_id), plan)
            return _compare(image, device, host, inputs, every, progress)


def _plan(made: Project) -> Plan:
    """Where the project's tensors lie: the plan that it was generated from, made again."""
    compiled = library.compile_model(made.model, made.board, engine=made.engine, optimize=made.optimize)
    source = "model/mw_model.c"
    if made.files.get(source) != hashlib.sha256(compiled.files[source]).hexdigest():
        raise InputError(
            f"{made.directory} was generated by another version of Microwright: "
            "where its tensors lie is not known",
            "generate, build and flash the project again",
        )
    return compiled.plan


def _compare(
    image: Image,
    device: Side,
    host: Side,
    inputs: Sequence[tuple[Array, ...]],
    every: bool,
    progress: Progress,
) -> Divergence:
    model = image.project.model
    tolerance = verify.tolerance(model)
    whole = _run_whole(model, device, host, inputs, progress)

    def look(number: int, last: int) -> tuple[Values, list[Layer]]:
        values = walk.through(host, inputs, number, lambda: walk.values(host, last))
        compared = walk.through(
            device, inputs, number, lambda: walk.layers(device, values, tolerance, every, progress)
        )
        return values, compared

    chosen = whole.chosen
    values, layers = look(chosen, device.layers)
    if device.graph.streams and layers and layers[0].index < 0:
        # The state was wrong already: the inference that left it so is between a right and a wrong one.
        right = 0
        while chosen - right > 1:
            middle = (right + chosen) // 2
            right, chosen = (right, middle) if look(middle, 0)[1] else (middle, chosen)
        chosen = right
        values, layers = look(chosen, device.layers)
    first = next((layer for layer in layers if layer.differences), None)
    fault = _fault(first is not None, whole)
    engine_layer = None
    if fault in ("engine", "device and engine") and not device.graph.streams:
        with contextlib.suppress(ToolMissing, InputError):
            engine_layer = _engine_layer(model, host, values, inputs[chosen])
    return Divergence(
        model=model.name,
        board=image.project.board.id,
        build_id=image.build_id,
        inputs=whole.inputs,
        input=chosen,
        outputs_equal=whole.outputs_equal,
        layers=tuple(layers),
        fault=fault,
        agreement=whole.agreement,
        engine_layer=engine_layer,
        advice=_advice(image.project, fault, first),
    )


@dataclass(frozen=True)
class _Whole:
    """What the samples gave, up to the first whose outputs differ; `chosen` is the one to look into.

    `device_right`: what the device gave for it is what the reference has.
    """

    inputs: int
    chosen: int
    outputs_equal: bool
    agreement: Agreement | None
    device_right: bool


def _run_whole(
    model: Graph, device: Side, host: Side, inputs: Sequence[tuple[Array, ...]], progress: Progress
) -> _Whole:
    judge = verify.reference(model)
    tolerance = verify.tolerance(model)
    outputs = verify.Tally(_HOST, tolerance)
    name = "" if judge is None else judge.name
    engine, other = verify.Tally(name, tolerance), verify.Tally(name, tolerance)
    wrong = None
    if judge is not None:
        judge.reset()
    for number, sample in enumerate(inputs):
        progress("compare the outputs", number, len(inputs))
        reset = not model.streams or number == 0
        ours, theirs = (walk.outputs(side, sample, reset) for side in (host, device))
        outputs.add(ours, theirs)
        if judge is not None:
            expected = judge.run(sample)
            engine.add(expected, ours)
            other.add(expected, theirs)
        if wrong is None and _differs(engine):
            wrong = number
        if _differs(outputs):
            wrong = number
            break
    progress("compare the outputs", len(inputs), len(inputs))
    return _Whole(
        inputs=outputs.agreement.inputs,
        chosen=wrong or 0,
        outputs_equal=not _differs(outputs),
        agreement=None if judge is None else engine.agreement,
        device_right=judge is not None and not _differs(other),
    )


def _differs(tally: verify.Tally) -> bool:
    found = tally.agreement
    return found.mismatched_bytes > 0 and found.tolerance is None


def _fault(departed: bool, whole: _Whole) -> Fault:
    """Whose fault it is; without a reference that has to be equal, this computer is taken to be right."""
    agreement = whole.agreement
    engine = (
        agreement is not None
        and agreement.mismatched_bytes > 0
        and agreement.tolerance is None
        and STAND_IN not in agreement.reference
    )
    if not departed:
        return "unsteady" if not whole.outputs_equal else "engine" if engine else "none"
    if not engine:
        return "device"
    return "host" if whole.device_right else "device and engine"


def _engine_layer(model: Graph, host: Side, values: Values, sample: tuple[Array, ...]) -> str | None:
    """The first layer on this computer whose output is not that of LiteRT's reference kernels, as a text.

    Compared are the outputs that the model as it was given has, too. Raises ToolMissing, InputError.
    """
    pairs = [
        (node, root)
        for node in host.graph.nodes
        for root in node.outputs
        if root < len(model.tensors)
        and host.plan.roots[root] == root
        and _same_tensor(model, host.graph, root)
    ]
    theirs = verify.tensors(model, [root for _, root in pairs]).run(sample)
    known = {root: data for step in values for root, data in step.items()}
    for (node, root), wanted in zip(pairs, theirs, strict=True):
        data = known.get(root)
        if data is not None and not np.array_equal(
            verify.as_bytes(array_of(data, host.graph.tensors[root])), verify.as_bytes(wanted)
        ):
            return f"{node.index} {node.op} {node.name}"
    return None


def _same_tensor(model: Graph, graph: Graph, index: int) -> bool:
    a, b = model.tensors[index], graph.tensors[index]
    return (a.dtype, a.shape, a.quantization) == (b.dtype, b.shape, b.quantization) and a.state is None


def _advice(made: Project, fault: Fault, first: Layer | None) -> str:
    edited = manifest.edited(made.directory, made.files)
    bug = "it is a bug of Microwright; please report it with the model and --json"
    if fault == "none":
        return ""
    if edited:
        shown = ", ".join(edited[:3]) + (", ..." if len(edited) > 3 else "")
        return (
            f"{shown}: not as generated; generate the project again (--force drops edits), build and flash it"
        )
    if fault == "unsteady":
        return (
            "run it again; if outputs change from run to run, check the power supply, the clock, the flash's "
            "wait states, and that the stack does not reach the arena (measure shows its peak)"
        )
    if fault == "engine":
        return bug
    if fault == "host":
        return "the device agrees with the reference: try another compiler on this computer"
    if first is not None and any(each.role == "overwritten" for each in first.differences):
        return (
            "something wrote over a tensor that was right: the layer's kernel, an interrupt, or the stack "
            "(measure shows its peak); if another --optimize, thus other kernels, does not help, " + bug
        )
    return (
        "flash it again; then generate the project with another --optimize, thus other kernels and options "
        "of the compiler: if that is right, the kernel or the compiler is at fault, else the core or its "
        "memory; report it with the model and --json"
    )


def summary(found: Divergence) -> str:
    """What differs, in one line; empty where nothing does."""
    first, agreement = found.first, found.agreement
    if first is not None:
        each = first.differences[0]
        what = f"tensor {each.tensor[:80]!r}" if each.role == "overwritten" else f"its {each.role}"
        where = "before the first layer" if first.index < 0 else f"layer {first.index} {first.op}"
        return (
            f"input {found.input}, {where} {first.name[:80]!r}: {each.differing_bytes} of {each.size_bytes} "
            f"bytes of {what} differ between {found.board} and this computer; at fault: {found.fault}"
        )
    if found.fault == "unsteady":
        return (
            f"input {found.input}: outputs of {found.board} differ, but not where the same inference runs "
            "layer by layer"
        )
    if found.fault == "none" or agreement is None:
        return ""
    where = f", first in layer {found.engine_layer}" if found.engine_layer else ""
    return (
        f"{found.board} and this computer agree, but {agreement.mismatched_bytes} of "
        f"{agreement.compared_bytes} output bytes differ from {agreement.reference}{where}"
    )
