"""What a set of calibration samples leaves out, and what else speaks against trusting a quantised model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from microwright.data import Data, Input
from microwright.graph import Array, Graph, Tensor

# With fewer, a range depends on which samples they happen to be.
ENOUGH_SAMPLES = 100
# Values this far outside the calibrated range, as a part of it, are more than what other samples bring.
FAR = 0.1
_SHOWN = 4


@dataclass(frozen=True)
class Caution:
    """Something that a user should know of a model or a figure, no error. `name` stays the same."""

    name: str
    message: str
    hint: str


def ignore(caution: Caution) -> None:
    """Cautions go nowhere."""


def of_graph(graph: Graph) -> tuple[Caution, ...]:
    """What the model itself tells of its calibration."""
    if not graph.calibrated_randomly:
        return ()
    return (
        Caution(
            "random-calibration",
            f"{graph.name} was calibrated with random samples: what it computes is not representative",
            "sizes and latency are right; for accuracy quantise it with --calibration SAMPLES",
        ),
    )


def unused(given: bool) -> tuple[Caution, ...]:
    """What to say where a model was trained with all of its ranges, and samples are given to set some."""
    if not given:
        return ()
    return (
        Caution(
            "calibration-unused",
            "the model was trained with all of its ranges, calibration samples set none",
            "leave --calibration and --calibrate-randomly out",
        ),
    )


def of_data(graph: Graph, data: Data) -> tuple[Caution, ...]:
    """Real values of samples far beyond what the model's inputs can hold."""
    cautions: list[Caution] = []
    for position, (index, samples) in enumerate(zip(graph.inputs, data.inputs, strict=False)):
        tensor = _quantized(graph, index)
        if tensor is None or samples.dtype.kind != "f":
            continue
        # As in `_exceeded`, the ends of the range are values that it holds.
        limits = np.iinfo(tensor.dtype)
        scale, zero_point = tensor.quantization.scales[0], tensor.quantization.zero_points[0]  # type: ignore[union-attr]
        low, high = (scale * (int(end) - zero_point) for end in (limits.min, limits.max))
        where = f"input {position} ({graph.tensors[index].name[:80]})"
        cautions += _exceeded(where, "samples", samples, "model's input", low, high)
    return tuple(cautions)


def examine(calibration: Data, inputs: tuple[Input, ...], validation: Data | None) -> tuple[Caution, ...]:
    """What calibration samples leave out: too few of them, features that never change, a single class, and
    ranges that the validation samples go beyond by more than a tenth.
    """
    cautions = []
    if calibration.samples < ENOUGH_SAMPLES:
        cautions.append(
            Caution(
                "few-samples",
                f"{calibration.samples} calibration samples: ranges depend on which ones they are",
                "give a few hundred samples",
            )
        )
    labels = calibration.labels
    if labels is not None and labels.dtype.kind == "i" and (labels == labels[0]).all():
        number = int(labels[0])
        name = f" ({calibration.classes[number]})" if calibration.classes else ""
        cautions.append(
            Caution(
                "one-class",
                f"all {calibration.samples} calibration samples are of class {number}{name}",
                "give samples of all classes",
            )
        )
    for position, wanted in enumerate(inputs):
        where = f"input {position} ({wanted.name[:80]})"
        cautions += _constant(where, calibration.inputs[position])
        if validation is not None:
            known = calibration.inputs[position]
            low, high = float(known.min()), float(known.max())
            given = validation.inputs[position]
            cautions += _exceeded(where, "validation samples", given, "calibration samples", low, high)
    return tuple(cautions)


def _constant(where: str, samples: Array) -> list[Caution]:
    never = np.argwhere((samples == samples[0]).all(axis=0))
    if not len(never):
        return []
    shown = ", ".join(f"[{', '.join(map(str, index))}]" for index in never[:_SHOWN].tolist())
    more = ", ..." if len(never) > _SHOWN else ""
    return [
        Caution(
            "constant-feature",
            f"{where}: {len(never)} of {samples[0].size} features never change in the calibration samples: "
            f"{shown}{more}",
            "if they change on the device, give samples in which they do",
        )
    ]


def _exceeded(where: str, what: str, samples: Array, holder: str, low: float, high: float) -> list[Caution]:
    lowest, highest = float(samples.min()), float(samples.max())
    if max(low - lowest, highest - high) <= FAR * (high - low):
        return []
    outside = float(np.mean(np.less(samples, low) | np.greater(samples, high)))
    return [
        Caution(
            "range-exceeded",
            f"{where}: the {what} reach from {lowest:.4g} to {highest:.4g}, the {holder} from {low:.4g} to "
            f"{high:.4g}: {outside:.1%} of the values are cut off",
            "scale all samples the same way, and calibrate with some that have such values",
        )
    ]


def _quantized(graph: Graph, index: int) -> Tensor | None:
    """The input, or where it is float what it is quantised to; None for a float model."""
    tensor = graph.tensors[index]
    if tensor.quantization is not None:
        return tensor
    outputs = [node.outputs[0] for node in graph.nodes if node.op == "QUANTIZE" and node.inputs[0] == index]
    return graph.tensors[outputs[0]] if outputs else None
