"""Instructions, cycles, RAM and flash of models on emulated boards, beside those of another engine.

Builds the firmware of each model for each board, runs it in QEMU, compares the outputs with the reference
interpreter, and prints one row each. The same tree gives the same numbers.

    ./tools/bench                                  all models of ../shared/models on all boards
    ./tools/bench --models DIR --json FILE         other models; everything as JSON
    ./tools/bench kws --board mps2-an386           one model, one board
    ./tools/bench --profile kws --board mps2-an386 where its instructions go
    ./tools/bench --write-docs                     the tables of docs/performance.md
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import anchors
import instruction_profile
import pages
import performance_page
from anchors import Anchors
from instruction_profile import Profile, Run
from pages import on_terminal
from rich.console import Console

from microwright import (
    __version__,
    _output,
    _run,
    board,
    build,
    comparison,
    costs,
    graph,
    project,
    report,
    runners,
    samples,
    target,
    verify,
)
from microwright.board import Board, did_you_mean
from microwright.cli._progress import Bars
from microwright.costs import Estimate
from microwright.errors import InputError, MicrowrightError
from microwright.graph import Graph
from microwright.measure import measure
from microwright.progress import Progress, silent
from microwright.report import Layer, Report
from microwright.target import Optimize

ROOT = Path(__file__).resolve().parents[1]
SCHEMA = 1
# One a core.
BOARDS = ("mps2-an386", "mps3-an547", "mps2-an500", "mps2-an505", "mps2-an385", "mps2-an385-m0plus")
SAMPLES = 3
WIDTH = 130


@dataclass(frozen=True, eq=False)
class Result:
    """A model that was measured on a board, and what it executed."""

    board: Board
    report: Report
    profile: Profile


def run(model: Graph, on: Board, *, optimize: Optimize = "balanced", samples_count: int = SAMPLES) -> Result:
    """Build, emulate, compare. Raises MicrowrightError."""
    with tempfile.TemporaryDirectory(prefix="microwright-") as name:
        folder = Path(name)
        image = build.build(project.create(folder / "project", model, on, optimize=optimize))
        made = image.project
        plugin, counts = instruction_profile.compile_plugin(folder), folder / "counts"
        inputs = samples.random(made.graph, samples_count).inputs
        options = instruction_profile.options(image, plugin, counts)
        with runners.start(image, runner="qemu", options=options) as device:
            measured = measure(image, device.url, inputs, emulation=device.emulation, layers=True)
        profile = instruction_profile.read(image, counts)
        judge = verify.reference(model)
        agreement = None
        if judge is not None:
            expected = comparison.run_reference(judge, inputs, silent)
            agreement = verify.agreement(judge.name, expected, measured.outputs)
        return Result(on, report.make(image, measured, agreement, None), profile)


def to_json(result: Result, beside: Anchors) -> dict[str, Any]:
    """One row: the numbers with their kind and unit, those of the other engine where there are any."""
    made, core = result.report, result.board.cpu.core
    return {
        "model": asdict(made.model),
        "board": result.board.id,
        "core": core,
        "latency": {
            "kind": made.latency.kind,
            "unit": made.latency.unit,
            "value": made.latency.median,
        },
        "estimated": asdict(_estimate(result, result.profile.whole)),
        "memory": asdict(made.memory),
        "agreement": None if made.agreement is None else asdict(made.agreement),
        "anchor": beside.of(made.model.name, made.model.sha256, core),
        "layers": [
            {
                **asdict(layer),
                "estimated_cycles": _estimate(result, runs).value,
            }
            for layer, runs in _layers(result)
        ],
    }


def _layers(result: Result) -> Iterable[tuple[Layer, tuple[Run, ...]]]:
    return zip(result.report.layers, result.profile.layers, strict=True)


def _estimate(result: Result, runs: Iterable[Run]) -> Estimate:
    cpu = result.board.cpu
    return costs.estimate((run.block for run in runs), cpu.core, cpu.clock_hz)


def find_models(folder: Path | None, names: Sequence[str]) -> list[Path]:
    """The models of a folder, or those of these names. Raises InputError."""
    folder = ROOT.parent / "shared" / "models" if folder is None else folder
    paths = {path.stem: path for path in sorted(folder.glob("*.tflite"))}
    if not paths:
        raise InputError(f"there is no .tflite in {folder}", "give a folder that has some with --models")
    for name in names:
        if name not in paths:
            raise InputError(
                f"there is no model {name[:80]!r} in {folder}" + did_you_mean(name, paths),
                "its models are: " + ", ".join(paths),
            )
    return [paths[name] for name in names or paths]


def read_model(path: Path) -> Graph:
    """A model under the name of its file. Raises InputError, UnsupportedOp."""
    return graph.read(path.read_bytes(), path.stem)


def find_boards(ids: Sequence[str]) -> list[Board]:
    """Boards of these ids, or one a core. Raises BoardError, InputError."""
    known = board.all_ids()
    found = [board.load(name) for name in ids or [name for name in BOARDS if name in known]]
    for on in found:
        if "qemu" not in on.runners or on.cpu.core not in costs.CORES:
            raise InputError(f"board {on.id} is not emulated", "give one of: " + ", ".join(BOARDS))
    return found


def measure_all(
    models: Sequence[Path],
    on: Sequence[Board],
    beside: Anchors,
    *,
    optimize: Optimize = "balanced",
    progress: Progress = silent,
) -> tuple[dict[str, Any], list[tuple[str, MicrowrightError]]]:
    """The whole content of the JSON file, and what went wrong: the rest is measured all the same."""
    results: list[dict[str, Any]] = []
    failures: list[tuple[str, MicrowrightError]] = []
    toolchain = ""
    for number, (path, each) in enumerate((m, b) for m in models for b in on):
        progress("measure models on boards", number, len(models) * len(on))
        where = f"{path.name} on {each.id}"
        try:
            result = run(read_model(path), each, optimize=optimize)
            toolchain = result.report.toolchain
            results.append(to_json(result, beside))
            report.require_agreement(result.report.agreement, where)
        except MicrowrightError as error:
            failures.append((where, error))
    progress("measure models on boards", 1, 1)
    content = {
        "schema": SCHEMA,
        "microwright_version": __version__,
        "optimize": optimize,
        "toolchain": toolchain,
        "emulator": _run.run(["qemu-system-arm", "--version"]).out.partition("\n")[0],
        "anchors": list(beside.what),
        "results": results,
    }
    return content, failures


def print_profile(result: Result, layer: int | None, blocks: int, console: Console) -> None:
    """Layers, functions and hottest blocks of an inference, or of one layer."""
    core = result.board.cpu.core
    if layer is not None and not 0 <= layer < len(result.profile.layers):
        raise InputError(
            f"there is no layer {layer}", f"the layers are 0 to {len(result.profile.layers) - 1}"
        )
    runs = result.profile.whole if layer is None else result.profile.layers[layer]
    total = instruction_profile.instructions(runs)
    what = result.report.model.name if layer is None else f"layer {layer} of {result.report.model.name}"
    estimated = _estimate(result, runs)
    console.print(
        f"{what} on {result.board.id}: {total:,} instructions (emulated), "
        f"{estimated.value:,} cycles (estimated for {core})"
    )
    if layer is None:
        rows = []
        for each, executed in _layers(result):
            count = instruction_profile.instructions(executed)
            rows.append(
                (
                    str(each.index),
                    each.op,
                    ", ".join(each.kernels),
                    f"{each.macs:,}",
                    f"{count / each.macs:.2f}" if each.macs else "",
                    *_numbers(result, executed, total),
                )
            )
        console.print(on_terminal(("layer", "op", "kernel", "MACs", "per MAC", *_NUMBERS), rows, text=(1, 2)))
    functions = instruction_profile.by_function(runs)
    console.print(
        on_terminal(
            ("function", *_NUMBERS),
            [(name, *_numbers(result, each, total)) for name, each in functions.items()],
            text=(0,),
        )
    )
    for hot in instruction_profile.hottest(runs)[:blocks]:
        hot_instructions, share, cycles = _numbers(result, (hot,), total)
        first = hot.lines[0]
        console.print(
            f"{first.function} at {first.address:#x}: {len(hot.lines)} instructions, {hot.runs:,} runs, "
            f"{hot_instructions} ({share}), {cycles} cycles"
        )
        each_cycles = costs.each(hot.block.instructions, core)
        for line, takes in zip(hot.lines, each_cycles, strict=True):
            mnemonic, operands = line.instruction.mnemonic, line.instruction.operands
            console.print(f"  {line.address:8x} {takes:4g}  {mnemonic:12} {operands}")


_NUMBERS = ("instructions", "share", "cycles, est.")


def _numbers(result: Result, runs: Sequence[Run], total: int) -> tuple[str, str, str]:
    count = instruction_profile.instructions(runs)
    return f"{count:,}", f"{count / total:.1%}", f"{_estimate(result, runs).value:,}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="MODEL", help="names of models; default: all")
    parser.add_argument(
        "--models", type=Path, metavar="DIR", help="folder of .tflite files; default: ../shared/models"
    )
    parser.add_argument(
        "--board", action="append", default=[], metavar="ID", help="a board; may be repeated; default: all"
    )
    parser.add_argument("--optimize", choices=target.OPTIMIZE, default="balanced", help="default: balanced")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything here")
    parser.add_argument(
        "--anchors",
        type=Path,
        metavar="FILE",
        help="another engine's numbers; default: peer.json here and ../shared/anchors.json",
    )
    parser.add_argument("--profile", metavar="MODEL", help="show where the instructions of a model go")
    parser.add_argument("--layer", type=int, metavar="N", help="with --profile: of this layer only")
    parser.add_argument(
        "--blocks", type=int, default=5, metavar="N", help="with --profile: disassemble so many; default: 5"
    )
    parser.add_argument("--write-docs", action="store_true", help="write docs/performance.{md,json}")
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
    on = find_boards(arguments.board)
    if arguments.profile is not None:
        (path,) = find_models(arguments.models, [arguments.profile])
        result = run(read_model(path), on[0], optimize=arguments.optimize, samples_count=1)
        print_profile(result, arguments.layer, arguments.blocks, console)
        return
    models = find_models(arguments.models, arguments.names)
    with Bars() as progress:
        content, failures = measure_all(
            models,
            on,
            anchors.read(arguments.anchors),
            optimize=arguments.optimize,
            progress=progress,
        )
    for table in performance_page.tables(content):
        console.print(table.title)
        console.print(on_terminal(table.header, table.rows, text=range(table.names)))
    if arguments.json is not None:
        _output.write(arguments.json, pages.as_json(content))
    for where, error in failures:
        print(f"error: {where}: {error.message}\nhint: {error.hint}", file=sys.stderr)
    if failures:
        sys.exit(failures[0][1].exit_code)
    if arguments.write_docs:
        performance_page.write(content)


if __name__ == "__main__":
    main()
