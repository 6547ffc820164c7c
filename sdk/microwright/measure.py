"""What a device does with samples: outputs, times and memory use."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from microwright import culprit, system
from microwright.agent import Agent
from microwright.build import Image
from microwright.dialogue import Device, Run, array_of, bytes_of
from microwright.errors import DeviceError, DeviceFault, InputError, MicrowrightError
from microwright.graph import Array, Tensor
from microwright.latency import Latency
from microwright.link import Connect, Link, ignore
from microwright.progress import Progress, silent
from microwright.runners import Emulation
from microwright.system import System


@dataclass(frozen=True)
class LayerLatency:
    """Time of one layer, in the unit of the measurement's latency."""

    index: int
    latency: int | float


@dataclass(frozen=True, eq=False)
class Measurement:
    """What a device did with the inputs.

    `outputs` has one tuple a sample, one array a model output; none where `on_outputs` took them. `layers`
    come from a run that timed each layer apart; empty when not asked for. `stack_bytes` is what an inference
    uses, `stack_peak_bytes` the most that anything used since start, `arena_peak_bytes` how far the arena was
    written; None where the device cannot tell. `hello` is what the device says about itself. `complete` is
    false of what was measured before Ctrl-C or an error: the runs so far, and nothing that comes behind them.
    `error` is that error. `system` is the machine of an agent, None of other devices.
    """

    outputs: tuple[tuple[Array, ...], ...]
    latency: Latency
    layers: tuple[LayerLatency, ...]
    stack_bytes: int | None
    stack_peak_bytes: int | None
    arena_peak_bytes: int | None
    hello: Mapping[str, str]
    complete: bool = True
    error: MicrowrightError | None = None
    system: System | None = None


def measure(
    image: Image,
    url: str,
    inputs: Sequence[tuple[Array, ...]],
    *,
    emulation: Emulation | None = None,
    warmup: int = 1,
    runs: int | None = None,
    layers: bool = False,
    sustained_s: int = 0,
    compare_clock: bool = True,
    on_outputs: Callable[[int, tuple[Array, ...]], None] | None = None,
    on_partial: Callable[[Measurement], None] | None = None,
    progress: Progress = silent,
    on_log: Callable[[str], None] = ignore,
    connect: Connect = Link,
) -> Measurement:
    """Run the model on the device at `url`: `warmup` times, and then `runs` times with the samples in turn.

    By default each sample is run once. The model's state is reset before each run, but for the second and
    later samples of a stream. `layers` adds a run that times each layer apart. An agent is asked for its
    machine's facts, too, and for inferences back to back, also for `sustained_s` seconds.

    A sample is one array a model input, in the input's type. `on_outputs` gets the number of each sample and
    its outputs as they come; without it, the measurement keeps all of them. A sample that runs again has to
    give the same. Where Ctrl-C or an error ends it after some runs, `on_partial` gets those.

    Times are microseconds of the device's timer, or what `emulation` tells that an emulator's counts;
    where time is real, `compare_clock` holds the device's clock against the host's, for some seconds.
    `connect` opens the line: a Link, or one of a Recorder or a Replay. Raises StaleFirmware when the device
    runs other firmware than the image, InputError for arrays that do not fit the model and for runs
    that do not fit the samples, and the link's errors: NoPort, DeviceTimeout, DeviceFault, LinkCorrupt,
    DeviceError.
    """
    graph = image.project.graph
    turns = _turns(len(inputs), runs, graph.streams)
    clock = emulation or Emulation(unit="us")
    for sample in inputs:
        _check(sample, [graph.tensors[i] for i in graph.inputs])
    kept: list[tuple[Array, ...]] = []
    with culprit.named(image), connect(url, image.project.board.serial.baud, on_log) as link:
        linux = image.project.board.linux is not None
        device = Agent(link, graph, image.build_id) if linux else Device(link, graph, image.build_id)
        before = device.facts() if isinstance(device, Agent) else None
        warm = [device.run(bytes_of(inputs[0]), reset=True) for _ in range(warmup)]
        done: list[Run] = []

        def time(ticks: int) -> int | float:
            return clock.count(ticks, device.timer.hz)

        def so_far() -> Measurement:
            return Measurement(
                outputs=tuple(kept),
                latency=Latency(
                    kind="measured" if emulation is None else "emulated",
                    unit=clock.unit,
                    samples=tuple(time(run.ticks) for run in done),
                    inputs=turns[: len(done)],
                    first=time((warm or done)[0].ticks),
                    first_since_boot=device.fresh,
                    timer=device.timer,
                ),
                layers=(),
                stack_bytes=max(run.stack_bytes for run in done) or None,
                stack_peak_bytes=None,
                arena_peak_bytes=None,
                hello=device.hello,
                complete=False,
            )

        try:
            for turn in turns:
                progress("measure", len(done), len(turns))
                run = device.run(bytes_of(inputs[turn]), reset=not graph.streams or not done)
                if len(done) < len(inputs):
                    pairs = zip(run.outputs, graph.outputs, strict=True)
                    outputs = tuple(array_of(data, graph.tensors[i]) for data, i in pairs)
                    if on_outputs is None:
                        kept.append(outputs)
                    else:
                        on_outputs(turn, outputs)
                elif run.crc != done[turn].crc:
                    raise DeviceError(
                        f"the device gives other outputs for sample {turn} than it gave before",
                        "check its power supply, and that nothing else writes to the model's arena",
                    )
                done.append(replace(run, outputs=()))
            progress("measure", len(turns), len(turns))
            layer_ticks = device.layer_ticks(bytes_of(inputs[0])) if layers else ()
            stack_bytes, arena_bytes = device.peaks(bytes_of(inputs[0]))
            machine = None
            if isinstance(device, Agent) and before is not None:
                machine = system.observe(
                    device,
                    before,
                    bytes_of(inputs[0]),
                    # An emulator's inferences back to back tell of nothing but the emulator.
                    warm=emulation is None,
                    sustained_s=sustained_s,
                    progress=progress,
                )
            ratio = device.clock_ratio() if emulation is None and compare_clock else None
        except (MicrowrightError, KeyboardInterrupt, SystemExit) as stop:
            if done and on_partial is not None:
                error = stop if isinstance(stop, MicrowrightError) else None
                if isinstance(error, DeviceFault):
                    error = culprit.located(image, error)
                on_partial(replace(so_far(), error=error))
            raise
    runs_alone = so_far()
    return replace(
        runs_alone,
        latency=replace(runs_alone.latency, timer=replace(device.timer, clock_ratio=ratio)),
        layers=tuple(LayerLatency(index, time(ticks)) for index, ticks in enumerate(layer_ticks)),
        stack_peak_bytes=stack_bytes or None,
        arena_peak_bytes=arena_bytes or None,
        complete=True,
        system=machine,
    )


def _turns(samples: int, runs: int | None, streams: bool) -> tuple[int, ...]:
    """The sample of each run."""
    if not samples:
        raise InputError("no inputs to measure with", "give at least one sample")
    runs = samples if runs is None else runs
    if runs < samples:
        raise InputError(
            f"{runs} runs are fewer than the {samples} samples",
            "each sample is run once at least: ask for as many runs, or give fewer samples",
        )
    if runs > samples and streams:
        raise InputError(
            f"{runs} runs of {samples} samples: the model's samples are one stream, which cannot begin again",
            "leave the number of runs out, or give as many samples",
        )
    return tuple(run % samples for run in range(runs))


def _check(sample: tuple[Array, ...], tensors: Sequence[Tensor]) -> None:
    if len(sample) != len(tensors):
        raise InputError(
            f"a sample has {len(sample)} arrays, the model has {len(tensors)} inputs",
            "give one array a model input",
        )
    for array, tensor in zip(sample, tensors, strict=True):
        if array.dtype != tensor.dtype or array.size != tensor.elements:
            expected = f"{tensor.dtype} {tensor.shape}"
            raise InputError(
                f"input {tensor.name[:80]!r}: got {array.dtype} {array.shape}, expected {expected}",
                "convert the samples with microwright.data.to_input",
            )
