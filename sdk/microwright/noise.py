"""Where a quantised model loses precision: the noise of its activations, layer by layer."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from microwright import accuracy, comparison, load, samples, verify
from microwright import data as datas
from microwright.data import Data
from microwright.errors import InputError
from microwright.graph import Array, Graph, Node, Tensor
from microwright.load import Model
from microwright.progress import Progress, silent
from microwright.quantize import to_float

MAX_SAMPLES = 100
_WORST = 3
# int8 over a range of four times the root mean square to either side has 41 dB; a layer with more does well.
_GOOD_DB = 40.0
_CLIPPED = 1e-3
# Here int8 has 31 dB left.
_OUTLIERS = 12.0
_INT16 = "keep its values in int16 (quantize --scheme int16x8)"
_TRAIN = "train with int8's rounding (compress --max-drop 0)"
_CONVERSIONS = ("QUANTIZE", "DEQUANTIZE")

_Reals = npt.NDArray[np.float64]


@dataclass(frozen=True)
class LayerNoise:
    """What quantisation did to the output of a layer of the quantised model.

    `sqnr_db` is the signal-to-quantisation-noise ratio 10 log10(sum x^2 / sum (x - q)^2) over all elements
    and samples, x from the float model, q the dequantised value of the same tensor (as defined by Lin,
    Talathi, Annapureddy: Fixed Point Quantization of Deep Convolutional Networks, ICML 2016). It holds the
    noise of all layers before, too; `own_db` is what it would be without that of the layer's worst input,
    noises taken as independent. Both are None where there is no noise or no signal.

    `clipped` is the share, 0 to 1, of x beyond the ends of the quantised tensor's range; `peak` the largest
    |x| over the root mean square of x. `advice` is what to try, empty where the layer does not stand out.
    """

    index: int
    op: str
    name: str
    sqnr_db: float | None
    own_db: float | None
    clipped: float
    peak: float
    advice: str


@dataclass
class _Sums:
    """Over all samples of a tensor, float and dequantised."""

    tensor: Tensor
    elements: int = 0
    signal: float = 0.0
    noise: float = 0.0
    largest: float = 0.0
    clipped: int = 0

    def add(self, x: Array, quantized: Array) -> None:
        exact: _Reals = x.astype(np.float64).reshape(-1)
        self.elements += exact.size
        self.signal += float(np.square(exact).sum())
        self.noise += float(np.square(exact - accuracy.real(quantized, self.tensor).reshape(-1)).sum())
        self.largest = max(self.largest, float(np.abs(exact).max()))
        low, high = _range(self.tensor)
        self.clipped += int(np.count_nonzero((exact < low) | (exact > high)))

    @property
    def part(self) -> float:
        """Noise as a part of the signal."""
        return self.noise / self.signal if self.signal > 0 else 0.0

    @property
    def rounding(self) -> float:
        """What rounding to the tensor's steps adds to the noise, step^2 / 12, as a part of the signal."""
        if self.tensor.quantization is None or self.signal == 0:
            return 0.0
        return self.tensor.quantization.scales[0] ** 2 / 12 * self.elements / self.signal

    @property
    def peak(self) -> float:
        return self.largest / math.sqrt(self.signal / self.elements) if self.signal > 0 else 0.0


def measure(model: Model, other: Model, data: Data, *, progress: Progress = silent) -> tuple[LayerNoise, ...]:
    """The noise of each layer of `other`, a quantised `.tflite`, whose tensor the float `model` has, too.

    The float model is converted as it is quantised; both run on LiteRT's reference kernels, on up to
    `MAX_SAMPLES` of the samples. Layers are the same where their tensors have the same name, or, in a
    `.tflite` of another converter, where operators and shapes follow each other in the same order.

    Raises InputError for data or models that do not fit, ToolMissing where LiteRT or TensorFlow is missing.
    """
    if data.samples > MAX_SAMPLES:
        data = datas.take(data, np.linspace(0, data.samples - 1, MAX_SAMPLES).round().astype(np.int64))
    quantized = comparison.graph_of(other)
    if model.flatbuffer is not None or quantized is None:
        raise InputError(
            f"{model.path} and {other.path}: layers are compared of a Keras model and a .tflite",
            "give the Keras model first, then its int8 .tflite",
        )
    exact = to_float(model)
    pairs = _pairs(quantized, exact)
    indices = [*quantized.inputs, *(pair[0].outputs[0] for pair in pairs)]
    exact_indices = [*exact.inputs, *(pair[1].outputs[0] for pair in pairs)]
    sums = {index: _Sums(quantized.tensors[index]) for index in indices}
    given = samples.of_data(quantized, Data(data.inputs, None)).inputs
    exact_given = load.inputs_of(model, data)
    ours = verify.tensors(quantized, indices)
    theirs = verify.tensors(exact, exact_indices, trusted=True)
    for number, sample in enumerate(given):
        progress("compare the layers", number, len(given))
        values = ours.run(sample)
        exact_values = theirs.run(tuple(array[number : number + 1] for array in exact_given))
        for index, value, exact_value in zip(indices, values, exact_values, strict=True):
            sums[index].add(exact_value, value)
    progress("compare the layers", len(given), len(given))
    return _layers(quantized, sums)


def worst(layers: tuple[LayerNoise, ...]) -> tuple[LayerNoise, ...]:
    """The layers that hurt most, the worst first: those with advice."""
    return tuple(sorted((layer for layer in layers if layer.advice), key=_own))


def _pairs(quantized: Graph, exact: Graph) -> list[tuple[Node, Node]]:
    """Nodes of both graphs whose first outputs are the same tensor but for quantisation."""
    ours, theirs = (
        [node for node in graph.nodes if node.op not in _CONVERSIONS and _comparable(graph, node)]
        for graph in (quantized, exact)
    )
    named = {node.name for node in ours} & {node.name for node in theirs}
    by_name = 2 * len(named) > len(ours)

    def key(graph: Graph, node: Node) -> object:
        return node.name if by_name else (node.op, graph.tensors[node.outputs[0]].shape)

    matcher = difflib.SequenceMatcher(
        None, [key(quantized, node) for node in ours], [key(exact, node) for node in theirs], autojunk=False
    )
    return [
        (ours[block.a + i], theirs[block.b + i])
        for block in matcher.get_matching_blocks()
        for i in range(block.size)
        if _shape(quantized, ours[block.a + i]) == _shape(exact, theirs[block.b + i])
    ]


def _shape(graph: Graph, node: Node) -> tuple[int, ...]:
    return graph.tensors[node.outputs[0]].shape


def _comparable(graph: Graph, node: Node) -> bool:
    tensor = graph.tensors[node.outputs[0]]
    return tensor.dtype == "float32" or tensor.quantization is not None


def _range(tensor: Tensor) -> tuple[float, float]:
    """The real values that a tensor can hold, and two steps more: 1.0 is just beyond an int8 softmax's."""
    if tensor.quantization is None:
        return -math.inf, math.inf
    scale, zero_point = tensor.quantization.scales[0], tensor.quantization.zero_points[0]
    limits = np.iinfo(tensor.dtype)
    return scale * (int(limits.min) - zero_point - 2), scale * (int(limits.max) - zero_point + 2)


def _layers(graph: Graph, sums: Mapping[int, _Sums]) -> tuple[LayerNoise, ...]:
    # Noise as a part of the signal. What a tensor without a partner has is what its inputs have.
    noise = {index: sums[index].part for index in graph.inputs}
    layers = []
    for node in graph.nodes:
        before = max((noise[index] for index in node.inputs if index in noise), default=0.0)
        noise.update(dict.fromkeys(node.outputs, before))
        found = sums.get(node.outputs[0])
        if found is None:
            continue
        noise[node.outputs[0]] = found.part
        layer = LayerNoise(
            node.index,
            node.op,
            node.name,
            _decibels(found.part),
            _decibels(found.part - before),
            found.clipped / found.elements,
            found.peak,
            advice="",
        )
        layers.append(layer)
    hurting = sorted(layers, key=_own)[:_WORST]
    return tuple(
        replace(layer, advice=_advice(graph, layer, sums)) if layer in hurting else layer for layer in layers
    )


def _decibels(part: float) -> float | None:
    return -10 * math.log10(part) if part > 0 else None


def _own(layer: LayerNoise) -> float:
    return math.inf if layer.own_db is None else layer.own_db


def _advice(graph: Graph, layer: LayerNoise, sums: Mapping[int, _Sums]) -> str:
    own = _own(layer)
    if own >= _GOOD_DB:
        return ""
    if layer.clipped > _CLIPPED:
        return (
            f"{layer.clipped:.1%} of its values are cut off: calibrate with more samples, like the device's"
        )
    node = graph.nodes[layer.index]
    peak = max(layer.peak, *(sums[index].peak for index in node.inputs if index in sums), 0.0)
    if peak > _OUTLIERS:
        return (
            f"the largest value of it or its input is {peak:.0f} times the usual: clip outliers, by ReLU6 in "
            f"the model, leave out the calibration samples that have them, or {_INT16}"
        )
    if sums[node.outputs[0]].rounding >= 10 ** (-own / 10) / 2:
        return f"its output has too few steps: {_INT16}, or {_TRAIN}"
    return f"its weights have too few steps: {_TRAIN}"
