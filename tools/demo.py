"""The main job on real data: from training a Keras model to inference on an emulated microcontroller.

Trains a small CNN on scikit-learn's digits, prunes half of its channels, quantises it to int8, compiles it
for a Cortex-M4 board, boots that in QEMU and sends it the test images over serial. Every stage is one call of
the SDK.
"""

from __future__ import annotations

import argparse
import io
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

from microwright import _output, _tensorflow, data, load, ops, pipeline, report
from microwright.cli._progress import Bars
from microwright.comparison import Comparison, compare
from microwright.compress import channels, fine_tune, prune_channels
from microwright.data import Data
from microwright.emit import arrays
from microwright.errors import MicrowrightError, MismatchError, OutputError
from microwright.graph import Graph
from microwright.load import Model
from microwright.progress import Progress
from microwright.quantize import quantize
from microwright.report import Report

ROOT = Path(__file__).resolve().parents[1]
BOARD = "mps2-an386"
SPARSITY = 0.5
CALIBRATION_SAMPLES = 200
# int8 and pruning may cost this much accuracy; more means that something is broken.
TOLERANCE = 0.03


@dataclass(frozen=True)
class Split:
    """The digits in three parts without a common image.

    `train` fits weights and calibrates, `validation` selects the epoch, `test` is only measured with.
    """

    train: Data
    validation: Data
    test: Data


@dataclass(frozen=True)
class Stage:
    """A model, float and int8, and how both do on the test images."""

    model: Model
    graph: Graph
    result: Comparison


def digits() -> Split:
    """1797 images of 8x8 pixels, scaled to [0, 1]."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    images = (bunch.images / 16.0).astype(np.float32)[..., np.newaxis]
    rest, test = data.split(data.make((images,), bunch.target), 0.8, seed=0)
    train, validation = data.split(rest, 0.9, seed=1)
    return Split(train, validation, test)


def network() -> Any:
    """An untrained CNN: three convolutions, one of them depthwise separable, with batch normalisation."""
    keras = _tensorflow.keras()
    layers = keras.layers
    keras.utils.set_random_seed(0)
    stack = [keras.Input((8, 8, 1))]
    for convolution in (
        layers.Conv2D(24, 3, padding="same", use_bias=False, name="conv1"),
        layers.DepthwiseConv2D(3, padding="same", use_bias=False, name="depthwise"),
        layers.Conv2D(32, 1, use_bias=False, name="pointwise"),
        layers.MaxPooling2D(name="pool1"),
        layers.Conv2D(48, 3, padding="same", use_bias=False, name="conv2"),
        layers.MaxPooling2D(name="pool2"),
    ):
        stack.append(convolution)
        if "pool" not in convolution.name:
            stack += [layers.BatchNormalization(), layers.ReLU()]
    stack += [layers.Flatten(), layers.Dropout(0.2), layers.Dense(10, activation="softmax", name="classes")]
    return keras.Sequential(stack, name="digits")


def npz(samples: Data) -> bytes:
    """Samples and labels as the file that `microwright --data` takes."""
    content = io.BytesIO()
    np.savez(content, x=samples.inputs[0], y=np.asarray(samples.labels))
    return content.getvalue()


def train(model: Any, split: Split, what: str, progress: Progress) -> Any:
    """The trained model; the bar names what is trained."""
    return fine_tune(
        model,
        split.train,
        validation=split.validation,
        epochs=25,
        learning_rate=4e-3,
        progress=lambda _, done, total: progress(what, done, total),
    )


def to_int8(keras_model: Any, split: Split, progress: Progress) -> Stage:
    """Quantise a model, and compare both forms on the test images."""
    model = load.from_keras(keras_model, "digits")
    calibration = data.take(split.train, np.arange(CALIBRATION_SAMPLES))
    graph = quantize(model, calibration, progress=progress)
    int8 = Model(Path("digits.tflite"), graph.name, graph.sha256, "tflite", None, graph.flatbuffer)
    return Stage(model, graph, compare(model, int8, split.test, progress=progress))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    default = ROOT / "build" / "demo"
    parser.add_argument(
        "-o", dest="out", type=Path, metavar="DIR", default=default, help="default: build/demo"
    )
    out: Path = parser.parse_args().out
    console = Console(highlight=False)
    try:
        with Bars() as progress:
            run(out, console, progress)
    except MicrowrightError as error:
        print(f"error: {error.message}\nhint: {error.hint}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)


def run(out: Path, console: Console, progress: Progress) -> None:
    """The job. Raises MicrowrightError; MismatchError where the device differs from the reference."""
    if out.exists() and not out.is_dir():
        raise OutputError(f"{out} is no folder", "give a folder with -o")
    split = digits()
    console.print(
        f"digits: {split.train.samples} images to train, {split.validation.samples} to select, "
        f"{split.test.samples} to test"
    )
    full = train(network(), split, "train", progress)
    before = to_int8(full, split, progress)
    console.print(f"trained: {before.result.accuracy:.2%} of the test images right")
    cut = prune_channels(full, sparsity=SPARSITY, granularity=4)
    after = to_int8(train(cut, split, "fine-tune", progress), split, progress)
    console.print(
        f"pruned and fine-tuned: {after.result.accuracy:.2%}, int8 {after.result.other_accuracy:.2%}"
    )

    tflite, samples, project = out / "digits.tflite", out / "test.npz", out / "project"
    load.save(before.model.keras, out / "digits.keras")
    load.save(after.model.keras, out / "digits-pruned.keras")
    _output.write(tflite, after.graph.flatbuffer)
    for name, text in arrays.emit(after.graph).items():
        _output.write(out / "arrays" / name, text.encode())
    _output.write(samples, npz(split.test))
    console.print(f"measure on {BOARD} in QEMU")
    measured = pipeline.deploy(tflite, BOARD, out=project, data=samples, progress=progress)

    console.print(summary(before, after, measured))
    for what, path in (
        ("project", project),
        ("ELF", project / "build" / "firmware.elf"),
        ("C arrays", out / "arrays"),
        ("report", project / pipeline.REPORT),
    ):
        console.print(f"{what:9} {path}", soft_wrap=True, markup=False)
    judge(before.result.accuracy, measured)


def summary(before: Stage, after: Stage, measured: Report) -> Table:
    """One table: what pruning and int8 changed, and what was measured."""
    table = Table(box=box.SIMPLE, pad_edge=False)
    table.add_column("", no_wrap=True)
    table.add_column("trained", justify="right", no_wrap=True)
    table.add_column("pruned", justify="right", no_wrap=True)
    table.add_column("")
    for what, trained, pruned in (
        ("channels", _channels(before), _channels(after)),
        ("MACs", ops.macs(before.graph), ops.macs(after.graph)),
        ("int8 model, bytes", len(before.graph.flatbuffer), len(after.graph.flatbuffer)),
    ):
        table.add_row(what, f"{trained:,}", f"{pruned:,}", f"{pruned / trained - 1:+.0%}")

    one, other, agreement = before.result, after.result, measured.agreement
    assert agreement is not None  # `compare` has used the reference already
    same = f"{other.same_class} of {other.samples} images as float"
    differ = f"{agreement.mismatched_bytes} of {agreement.compared_bytes:,} bytes differ from "
    table.add_section()
    table.add_row("accuracy, float", f"{one.accuracy:.2%}", f"{other.accuracy:.2%}")
    table.add_row("accuracy, int8", f"{one.other_accuracy:.2%}", f"{other.other_accuracy:.2%}", same)
    table.add_row("accuracy, device", "", f"{measured.accuracy:.2%}", differ + agreement.reference)

    latency, memory = measured.latency, measured.memory
    table.add_section()
    spread = f"{latency.unit}, {latency.kind}; median of {latency.runs}"
    table.add_row("latency", "", f"{latency.median:,.0f}", spread)
    for what, size, where in (
        ("arena, bytes", memory.arena_bytes, "RAM"),
        ("stack, bytes", memory.stack_bytes, "RAM, of an inference"),
        ("static, bytes", memory.static_ram_bytes, "RAM, other variables"),
        ("code, bytes", memory.code_bytes, "flash"),
        ("weights, bytes", memory.weights_bytes, "flash, with other constants of the model"),
    ):
        table.add_row(what, "", "unknown" if size is None else f"{size:,}", where)
    return table


def _channels(stage: Stage) -> int:
    return sum(channels(stage.model.keras).values())


def judge(trained_accuracy: float | None, measured: Report) -> None:
    """Raise MismatchError unless the device gives the reference's bytes and the accuracy holds."""
    report.require_agreement(measured.agreement, measured.board)
    assert trained_accuracy is not None
    assert measured.accuracy is not None
    if measured.accuracy < trained_accuracy - TOLERANCE:
        raise MismatchError(
            f"accuracy fell from {trained_accuracy:.2%} to {measured.accuracy:.2%} on {measured.board}",
            "this is a bug of Microwright; please report it",
        )


if __name__ == "__main__":
    main()
