"""What a firmware answers beside Microwright's records: MLPerf Tiny's device protocol, for a model's form."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

import numpy as np

from microwright.errors import InputError
from microwright.graph import Graph, Tensor

MLPERF_TINY = "mlperf-tiny"

# How the runner sends an input: as the model's own bytes, as uint8, as float32.
Sent: TypeAlias = Literal["raw", "uint8", "float32"]
# What the device answers: the output's values, or the mean squared error of the output against the input.
Result: TypeAlias = Literal["values", "error"]

_MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}")
# What ends each of the device's answers, and so must be in no other line.
_READY = "m-ready"
_FLOAT_BYTES = 4


@dataclass(frozen=True)
class Form:
    """A benchmark's model: elements of its input and output, how inputs come, what the result is."""

    inputs: int
    outputs: int
    sent: Sent
    result: Result


# The benchmark's models (https://github.com/mlcommons/tiny, benchmark/evaluation/datasets/README.md).
MODELS: Mapping[str, Form] = {
    "kws01": Form(49 * 10, 12, "raw", "values"),
    "vww01": Form(96 * 96 * 3, 2, "uint8", "values"),
    "ic01": Form(32 * 32 * 3, 10, "uint8", "values"),
    "ad01": Form(5 * 128, 5 * 128, "float32", "error"),
}


@dataclass(frozen=True)
class MlperfTiny:
    """What a user says of the model; None: what its shapes say, or the defaults of a model of one's own."""

    model: str | None = None
    sent: Sent | None = None
    result: Result | None = None


@dataclass(frozen=True)
class Profile:
    """What the firmware is to MLPerf Tiny's runner. `input_bytes` is what the runner sends for an input."""

    model: str
    sent: Sent
    result: Result
    input_bytes: int


def settle(wanted: MlperfTiny, graph: Graph) -> Profile:
    """The profile of a model. Raises InputError for a model that cannot be what it is said to be."""
    if len(graph.inputs) != 1 or len(graph.outputs) != 1:
        raise _refusal(
            graph,
            f"it has {len(graph.inputs)} inputs and {len(graph.outputs)} outputs, and each has to be one",
            "leave the profile out",
        )
    source, output = graph.tensors[graph.inputs[0]], graph.tensors[graph.outputs[0]]
    name = _known(source, output) if wanted.model is None else wanted.model
    form = MODELS.get(name or "")
    if form is None:
        name = name or _own_name(graph.name)
        sent: Sent = wanted.sent or "raw"
        result: Result = wanted.result or "values"
    else:
        _check_form(graph, str(name), form, wanted)
        sent, result = form.sent, form.result
    if not _MODEL.fullmatch(str(name)) or _READY in str(name):
        raise InputError(
            f"{str(name)[:80]!r} is no name for MLPerf Tiny's runner",
            f"use up to 32 letters, digits, '.', '_' and '-', without {_READY!r}",
        )
    if _READY in graph.name:
        raise InputError(
            f"the model's name {graph.name[:80]!r} has {_READY!r} in it, which the runner waits for",
            "give the model's file another name",
        )
    _check_input(graph, source, sent)
    _check_output(graph, output, source, sent, result)
    size = source.elements * _FLOAT_BYTES if sent == "float32" else source.size_bytes
    return Profile(str(name), sent, result, size)


def of_manifest(content: Any) -> Profile | None:
    """The profile in a project's manifest, as JSON has it; None where there is none. Raises ValueError."""
    if content is None:
        return None
    if not (
        isinstance(content, dict)
        and content.keys() == {"name", "model", "sent", "result", "input_bytes"}
        and content["name"] == MLPERF_TINY
        and isinstance(content["model"], str)
        and _MODEL.fullmatch(content["model"])
        and content["sent"] in get_args(Sent)
        and content["result"] in get_args(Result)
        and isinstance(content["input_bytes"], int)
        and content["input_bytes"] > 0
    ):
        raise ValueError("no profile of Microwright")
    return Profile(content["model"], content["sent"], content["result"], content["input_bytes"])


def to_manifest(profile: Profile | None) -> dict[str, object] | None:
    """What `of_manifest` reads."""
    if profile is None:
        return None
    return {
        "name": MLPERF_TINY,
        "model": profile.model,
        "sent": profile.sent,
        "result": profile.result,
        "input_bytes": profile.input_bytes,
    }


def settings(profile: Profile, graph: Graph) -> dict[str, object]:
    """What the firmware's template takes of it."""
    source = graph.tensors[graph.inputs[0]]
    quantizes = profile.sent == "float32" and source.dtype != "float32"
    limits = np.iinfo(source.dtype) if quantizes else None
    return {
        "model": profile.model,
        "input_bytes": profile.input_bytes,
        "flips": profile.sent == "uint8" and source.dtype == "int8",
        "range": None if limits is None else (int(limits.min), int(limits.max)),
        "error": profile.result == "error",
    }


def _known(source: Tensor, output: Tensor) -> str | None:
    """The benchmark's model of these shapes."""
    sizes = (source.elements, output.elements)
    return next((name for name, form in MODELS.items() if (form.inputs, form.outputs) == sizes), None)


def _own_name(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).lstrip("._-")[:32] or "model"


def _check_form(graph: Graph, name: str, form: Form, wanted: MlperfTiny) -> None:
    """Raise InputError where a model cannot be one of the benchmark's."""
    source, output = graph.tensors[graph.inputs[0]], graph.tensors[graph.outputs[0]]
    own = "give it a name of its own with --mlperf-model"
    for what, has, needs in (
        ("input", source.elements, form.inputs),
        ("output", output.elements, form.outputs),
    ):
        if has != needs:
            raise _refusal(graph, f"{name}'s {what} has {needs} elements, this one {has}", own)
    for option, given, fixed in (
        ("input", wanted.sent, form.sent),
        ("result", wanted.result, form.result),
    ):
        if given not in (None, fixed):
            raise _refusal(graph, f"{name}'s {option} is {fixed}, not {given}", own)
    if name == "kws01" and source.dtype != "int8":
        raise _refusal(graph, f"{name}'s inputs are int8, the model takes {source.dtype}", own)


def _check_input(graph: Graph, source: Tensor, sent: Sent) -> None:
    if sent == "uint8" and source.dtype not in ("int8", "uint8"):
        raise _refusal(
            graph,
            f"the runner sends uint8, and the model takes {source.dtype}",
            "quantise the model with an int8 or uint8 input",
        )
    quantized = source.quantization is not None and len(source.quantization.scales) == 1
    if (
        sent == "float32"
        and source.dtype != "float32"
        and not (source.dtype in ("int8", "uint8", "int16") and quantized)
    ):
        raise _refusal(
            graph,
            f"the runner sends float32, which the input of type {source.dtype} has no scale for",
            "use the input raw",
        )


def _check_output(graph: Graph, output: Tensor, source: Tensor, sent: Sent, result: Result) -> None:
    quantized = output.quantization is not None and len(output.quantization.scales) == 1
    if output.dtype != "float32" and not (output.dtype in ("int8", "uint8", "int16") and quantized):
        raise _refusal(
            graph,
            f"its output is {output.dtype} without a scale, and results are real numbers",
            "give a model with a float32 or quantised output",
        )
    if result == "error" and (sent != "float32" or source.elements != output.elements):
        raise _refusal(
            graph,
            "the error of the output against the input takes float32 inputs and as many outputs",
            "use the result values, or the input float32",
        )


def _refusal(graph: Graph, why: str, hint: str) -> InputError:
    return InputError(f"{graph.name[:80]}: no model for MLPerf Tiny: {why}", hint)
