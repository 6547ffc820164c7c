"""Compression that pays on the device, on real data: accuracy, bytes, MACs and instructions before and after.

Trains a network on data that scikit-learn brings, compresses it with `compress_model`, quantises it to int8,
and runs all test samples on an emulated Cortex-M4, once a seed. The seed draws the initial weights, the order
of training, and which samples train and which validate; the test samples are the same for all seeds, and
nothing is trained, calibrated or chosen with them.

    ./tools/bench_compression                      digits (a CNN) and binary (a dense network), three seeds
    ./tools/bench_compression binary --seeds 1     one case, one seed
    ./tools/bench_compression --json FILE          everything as JSON
    ./tools/bench_compression --plot DIR           methods and sparsities of one network, as PNG and SVG too
    ./tools/bench_compression --write-docs         docs/compression.json, its page, its plot
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean
from typing import Any

import compression_page
import pages
from compression_cases import CASES, Case, Goal, Split, Training
from rich.console import Console

from microwright import (
    __version__,
    _output,
    _run,
    _tensorflow,
    board,
    build,
    load,
    pipeline,
    project,
    report,
    samples,
)
from microwright.cli._progress import Bars
from microwright.compress import Teacher, compress_model, feed, fine_tune
from microwright.compress.checkpoint import Step
from microwright.compress.finetune import score
from microwright.compress.schedule import Method
from microwright.errors import InputError, MicrowrightError, MismatchError
from microwright.progress import Progress
from microwright.quantize import quantize
from microwright.report import Report

SCHEMA = 1
BOARD = "mps2-an386"
SEEDS = 3
WIDTH = 130
FLOAT32_BYTES = 4
CALIBRATION_SAMPLES = 500
# Percentage points that int8 may cost on the validation data before the network is trained with its rounding.
INT8_DROP = 0.5
# Sparsities of each method in the sweep.
SWEEP: Mapping[Method, tuple[float, ...]] = {
    "channel": (0.5, 0.75, 0.9, 0.95, 0.98),
    "block": (0.5, 0.75, 0.9),
    "unstructured": (0.5, 0.75, 0.9),
}
SWEEP_NETWORK, SWEEP_ROUNDS, SWEEP_TRAINING = "digits", 2, Training(4, 3e-3)


@dataclass(frozen=True)
class Row:
    """A network on the way: float, or on the device.

    `bytes` are the float32 weights, or all constants of the model in the device's flash. `estimated` are
    instructions by the cost model, `emulated` those that were executed. Accuracies are 0 to 1.
    """

    what: str
    bytes: int
    parameters: int
    macs: int
    estimated_instructions: int | None
    emulated_instructions: float | None
    accuracy_validation: float | None
    accuracy_test: float


@dataclass(frozen=True, eq=False)
class Chain:
    """The networks of one seed, each made of the one before it, the first as it was trained.

    `steps` tell of them; `accuracies` are on the validation samples, at the ends in int8.
    """

    seed: int
    parts: Split
    networks: tuple[Any, ...]
    steps: tuple[Step, ...]
    accuracies: tuple[float, ...]


def begin(name: str, case: Case, seed: int, progress: Progress) -> Chain:
    """The float network, trained."""
    parts = case.split(seed)
    _tensorflow.keras().utils.set_random_seed(seed)
    network = fine_tune(
        case.network(),
        parts.train,
        validation=parts.validation,
        **asdict(case.begin),
        seed=seed,
        progress=_named(progress, f"{name}, seed {seed}: train"),
    )
    accuracy = score(network, parts.validation).accuracy
    assert accuracy is not None
    return Chain(seed, parts, (network,), (), (accuracy,))


def shrink(name: str, case: Case, chain: Chain, share: float, progress: Progress) -> Chain:
    """With one more network: channels pruned down to a share of the float network's MACs, trained."""
    end = share in case.ends
    # A step may have gone further than it had to.
    part = 1.0 if not chain.steps else chain.steps[-1].cost.macs / chain.steps[0].cost.macs
    done = compress_model(
        chain.networks[-1],
        chain.parts.train,
        validation=chain.parts.validation,
        target_macs=min(share / part, 0.99),
        rank_by="macs",
        board=board.load(BOARD),
        rounds=1,
        **asdict(case.at_end if end else case.on_way),
        teacher=Teacher(chain.networks[0], weight=0.9),
        max_drop=INT8_DROP if end else None,
        seed=chain.seed,
        progress=_named(progress, f"{name}, seed {chain.seed}: {share:.1%} of the MACs"),
    )
    accuracy = done.int8_accuracy if end else done.steps[-1].accuracy
    assert accuracy is not None
    return Chain(
        chain.seed,
        chain.parts,
        (*chain.networks, done.model),
        (*(chain.steps or done.steps[:1]), done.steps[-1]),
        (*chain.accuracies, accuracy),
    )


def compress(
    name: str, case: Case, chains: list[Chain], progress: Progress
) -> tuple[list[Chain], list[dict[str, Any]]]:
    """The networks of each seed from the float one to the one that is taken, and the ends that were tried.

    All seeds take the same step, so that few validation samples decide less by chance.
    """
    for share in case.way:
        chains = [shrink(name, case, chain, share, progress) for chain in chains]
    taken: list[Chain] = []
    ends: list[dict[str, Any]] = []
    for share in case.ends:
        chains = [shrink(name, case, chain, share, progress) for chain in chains]
        lost = 100 * mean(chain.accuracies[0] - chain.accuracies[-1] for chain in chains)
        small = all(_small(case.goal, chain.steps[0], chain.steps[-1]) for chain in chains)
        holds = lost <= case.tolerance
        if small and (holds or not taken):
            taken = chains
        ends.append({"share": share, "small": small, "points_lost": lost, "holds": holds})
        if small and not holds:
            break
    return taken or chains, ends


def _small(goal: Goal, full: Step, step: Step) -> bool:
    return (
        step.cost.macs <= goal.macs_ratio * full.cost.macs
        and step.cost.flash_bytes <= goal.bytes_ratio * FLOAT32_BYTES * full.parameters
    )


def on_device(network: Any, parts: Split, progress: Progress) -> Report:
    """The int8 form of a network on the emulated device, with the test samples.

    Raises MismatchError where it differs from the reference interpreter.
    """
    calibration = feed.some(network, parts.train, CALIBRATION_SAMPLES)
    graph = quantize(load.from_keras(network, network.name), calibration, progress=progress)
    wanted = samples.of_data(graph, parts.test)
    with tempfile.TemporaryDirectory(prefix="microwright-") as folder:
        made = project.create(Path(folder, "project"), graph, board.load(BOARD))
        result = pipeline.evaluate(build.build(made, progress), wanted, progress=progress)
    report.require_agreement(result.agreement, f"{graph.name} on {BOARD}")
    return result


def record(name: str, chain: Chain, progress: Progress) -> tuple[dict[str, Any], str]:
    """What the JSON holds of a seed, and the toolchain."""
    progress = _named(progress, f"{name}, seed {chain.seed}: measure")
    before, after = (on_device(chain.networks[i], chain.parts, progress) for i in (0, -1))
    shares = [step.cost.instructions / chain.steps[0].cost.instructions for step in chain.steps]
    floats = [
        _float_row("float" if not i else f"channels pruned, step {i}", chain, i) for i in range(len(shares))
    ]
    rows = [
        floats[0],
        _device_row("int8 on the device", chain, 0, before),
        *floats[1:],
        _device_row("compressed, int8 on the device", chain, -1, after),
    ]
    assert before.accuracy is not None and after.accuracy is not None
    return {
        "bytes_ratio": after.memory.weights_bytes / floats[0].bytes,
        "macs_ratio": after.model.macs / before.model.macs,
        "instructions_ratio": after.latency.median / before.latency.median,
        "accuracy_float": floats[0].accuracy_test,
        "accuracy_device": after.accuracy,
        "test_samples": chain.parts.test.samples,
        "steps": [asdict(row) for row in rows],
    }, after.toolchain


def _float_row(what: str, chain: Chain, index: int) -> Row:
    step, network = chain.steps[index], chain.networks[index]
    accuracy = score(network, chain.parts.test).accuracy
    assert accuracy is not None
    return Row(
        what,
        FLOAT32_BYTES * step.parameters,
        step.parameters,
        step.cost.macs,
        round(step.cost.instructions),
        None,
        step.accuracy,
        accuracy,
    )


def _device_row(what: str, chain: Chain, index: int, measured: Report) -> Row:
    assert measured.accuracy is not None
    return Row(
        what,
        measured.memory.weights_bytes,
        chain.steps[index].parameters,
        measured.model.macs,
        None,
        measured.latency.median,
        None,
        measured.accuracy,
    )


def sweep(chain: Chain, progress: Progress) -> list[dict[str, Any]]:
    """One float network, compressed by each method to each of its sparsities, on the device."""
    network, parts = chain.networks[0], chain.parts
    points = [_point("none", 0.0, network, parts, progress)]
    for method, sparsities in SWEEP.items():
        for sparsity in sparsities:
            done = compress_model(
                network,
                parts.train,
                validation=parts.validation,
                method=method,
                sparsity=sparsity,
                board=board.load(BOARD),
                rounds=SWEEP_ROUNDS,
                **asdict(SWEEP_TRAINING),
                teacher=Teacher(network, weight=0.9),
                progress=_named(progress, f"sweep: {method}, {sparsity:.0%}"),
            )
            points.append(_point(method, sparsity, done.model, parts, progress))
    return points


def _point(method: str, sparsity: float, network: Any, parts: Split, progress: Progress) -> dict[str, Any]:
    measured = on_device(network, parts, _named(progress, f"sweep: {method}, {sparsity:.0%}: measure"))
    return {
        "method": method,
        "sparsity": sparsity,
        "bytes": measured.memory.weights_bytes,
        "macs": measured.model.macs,
        "instructions": measured.latency.median,
        "accuracy": measured.accuracy,
    }


def judge(name: str, goal: Goal, records: Mapping[str, Mapping[str, Any]]) -> None:
    """Raise MismatchError where a seed of a case misses its goal."""
    for seed, record in records.items():
        drop = record["accuracy_float"] - record["accuracy_device"]
        for what, value, limit in (
            ("bytes, part of the float network's", record["bytes_ratio"], goal.bytes_ratio),
            ("MACs, part of the float network's", record["macs_ratio"], goal.macs_ratio),
            ("percentage points of accuracy lost", 100 * drop, goal.drop),
            ("errors on the device", 1 - record["accuracy_device"], 1 - goal.accuracy),
            ("errors of the float network", 1 - record["accuracy_float"], 1 - goal.float_accuracy),
        ):
            if value > limit + 1e-9:
                raise MismatchError(
                    f"{name}, seed {seed}: {what}: {value:.4g}, more than {limit:.4g}",
                    "train for longer, or report it if the code was not changed",
                )


def _named(progress: Progress, name: str) -> Progress:
    return lambda _, done, total: progress(name, done, total)


def main() -> None:
    # How many cores share a sum decides its last bits: with one, every machine trains the same network.
    os.environ["TF_NUM_INTRAOP_THREADS"] = "1"
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("cases", nargs="*", metavar="CASE", help="digits, binary; default: both")
    parser.add_argument("--seeds", type=int, default=SEEDS, metavar="N", help=f"default: {SEEDS}")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything here")
    parser.add_argument(
        "--plot", type=Path, metavar="DIR", help="sweep methods and sparsities; the plot goes here"
    )
    parser.add_argument("--write-docs", action="store_true", help="write docs/compression.*, with the sweep")
    arguments = parser.parse_args()
    # A pipe has no width: the tables keep theirs.
    console = Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else WIDTH)
    try:
        _do(arguments, console)
    except MicrowrightError as error:
        print(f"error: {error.message}\nhint: {error.hint}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)


def _do(arguments: argparse.Namespace, console: Console) -> None:
    for name in arguments.cases:
        if name not in CASES:
            raise InputError(f"there is no case {name[:80]!r}", "the cases are: " + ", ".join(CASES))
    if arguments.seeds < 1:
        raise InputError(f"{arguments.seeds} seeds", "give at least 1")
    if arguments.write_docs and (arguments.cases or arguments.seeds < SEEDS):
        raise InputError(
            "the documentation shows all cases", f"leave out cases, and give {SEEDS} seeds or more"
        )
    content: dict[str, Any] = {
        "schema": SCHEMA,
        "microwright_version": __version__,
        "board": BOARD,
        "emulator": _run.run(["qemu-system-arm", "--version"]).out.partition("\n")[0],
    }
    names = [name for name in CASES if not arguments.cases or name in arguments.cases]
    plotted = arguments.plot is not None or arguments.write_docs
    if plotted and SWEEP_NETWORK not in names:
        raise InputError(f"the plot is of {SWEEP_NETWORK}", f"add {SWEEP_NETWORK} to the cases")
    with Bars() as progress:
        for name in names:
            case = CASES[name]
            begun = [begin(name, case, seed, progress) for seed in range(arguments.seeds)]
            chains, ends = compress(name, case, begun, progress)
            records = {}
            for chain in chains:
                records[str(chain.seed)], content["toolchain"] = record(name, chain, progress)
            content[name] = records
            content.setdefault("ends", {})[name] = ends
            for table in compression_page.of_case(name, records, ends):
                _show(table, console)
            if name == SWEEP_NETWORK and plotted:
                content["sweep"] = sweep(begun[0], progress)
                _show(compression_page.of_sweep(content["sweep"]), console)
    if arguments.json is not None:
        _output.write(arguments.json, pages.as_json(content))
    if arguments.plot is not None:
        compression_page.plot(content["sweep"], arguments.plot)
    for name in names:
        judge(name, CASES[name].goal, content[name])
    if arguments.write_docs:
        compression_page.write(content)


def _show(table: pages.Table, console: Console) -> None:
    console.print(table.title)
    console.print(pages.on_terminal(table.header, table.rows, text=range(table.names)))


if __name__ == "__main__":
    main()
