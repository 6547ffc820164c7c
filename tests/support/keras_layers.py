"""Every layer of Keras that a model for a microcontroller may have, each in a model as small as shows it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from microwright import _tensorflow, data, load, ops, passes, quantize
from microwright.data import Data
from microwright.errors import InputError
from microwright.graph import Array, Graph
from microwright.plan import plan
from tests.support.native import assert_equal_to_reference
from tests.support.operands import random_data

Shape: TypeAlias = tuple[int, ...]

IMAGE: Shape = (8, 8, 4)
SEQUENCE: Shape = (8, 4)
VECTOR: Shape = (10,)


class Case(NamedTuple):
    """What is put on inputs of these shapes: from `keras` and the input tensors to the output."""

    shapes: tuple[Shape, ...]
    build: Callable[..., Any]


def _layer(name: str, shape: Shape, *arguments: Any, **options: Any) -> Case:
    """A layer of one input."""
    return Case((shape,), lambda keras, x: getattr(keras.layers, name)(*arguments, **options)(x))


def _of_two(name: str, shape: Shape = IMAGE, *, second: Shape | None = None, **options: Any) -> Case:
    """A layer of a list of two inputs."""
    return Case(
        (shape, second or shape), lambda keras, *both: getattr(keras.layers, name)(**options)(list(both))
    )


def _activation(name: str) -> Case:
    return _layer("Activation", VECTOR, name)


def _recurrent(name: str, **options: Any) -> Case:
    return _layer(name, SEQUENCE, 5, unroll=True, **options)


CONVOLUTIONS: Mapping[str, Case] = {
    "Conv1D": _layer("Conv1D", SEQUENCE, 6, 3),
    "Conv1D, causal": _layer("Conv1D", SEQUENCE, 6, 3, padding="causal"),
    "Conv1D, dilated": _layer("Conv1D", SEQUENCE, 6, 3, dilation_rate=2),
    "Conv1D, dilated, same": _layer("Conv1D", SEQUENCE, 6, 3, dilation_rate=2, padding="same"),
    "Conv1D, grouped": _layer("Conv1D", SEQUENCE, 6, 3, groups=2),
    "Conv1D, strided": _layer("Conv1D", SEQUENCE, 6, 3, strides=2, padding="same"),
    "Conv1DTranspose": _layer("Conv1DTranspose", SEQUENCE, 3, 4, strides=2, padding="same"),
    "Conv2D": _layer("Conv2D", IMAGE, 6, 3, activation="relu"),
    "Conv2D, 1x1": _layer("Conv2D", IMAGE, 6, 1),
    "Conv2D, dilated": _layer("Conv2D", IMAGE, 6, 3, dilation_rate=2),
    "Conv2D, dilated, same": _layer("Conv2D", IMAGE, 6, 3, dilation_rate=2, padding="same"),
    "Conv2D, grouped": _layer("Conv2D", IMAGE, 6, 3, groups=2),
    "Conv2D, strided": _layer("Conv2D", IMAGE, 6, 3, strides=2, padding="same"),
    "Conv2DTranspose": _layer("Conv2DTranspose", IMAGE, 3, 3, strides=2, padding="same"),
    "Conv2DTranspose, valid": _layer("Conv2DTranspose", IMAGE, 3, 3),
    "DepthwiseConv1D": _layer("DepthwiseConv1D", SEQUENCE, 3),
    "DepthwiseConv2D": _layer("DepthwiseConv2D", IMAGE, 3, padding="same"),
    "DepthwiseConv2D, dilated": _layer("DepthwiseConv2D", IMAGE, 3, dilation_rate=2),
    "DepthwiseConv2D, multiplier": _layer("DepthwiseConv2D", IMAGE, 3, depth_multiplier=2, strides=2),
    "SeparableConv1D": _layer("SeparableConv1D", SEQUENCE, 6, 3),
    "SeparableConv2D": _layer("SeparableConv2D", IMAGE, 6, 3, padding="same"),
}

DENSE: Mapping[str, Case] = {
    "Dense": _layer("Dense", VECTOR, 6, activation="relu"),
    "Dense, linear": _layer("Dense", VECTOR, 6, activation="linear"),
    "Dense, of a sequence": _layer("Dense", SEQUENCE, 6),
    "Dense, without bias": _layer("Dense", VECTOR, 6, use_bias=False),
    "EinsumDense": _layer("EinsumDense", SEQUENCE, "abc,cd->abd", output_shape=(None, 6), bias_axes="d"),
    "TimeDistributed": Case(
        (SEQUENCE,), lambda keras, x: keras.layers.TimeDistributed(keras.layers.Dense(3))(x)
    ),
}

POOLS: Mapping[str, Case] = {
    "AdaptiveAveragePooling1D": _layer("AdaptiveAveragePooling1D", SEQUENCE, 4),
    "AdaptiveAveragePooling2D": _layer("AdaptiveAveragePooling2D", IMAGE, 4),
    "AdaptiveMaxPooling1D": _layer("AdaptiveMaxPooling1D", SEQUENCE, 4),
    "AdaptiveMaxPooling2D": _layer("AdaptiveMaxPooling2D", IMAGE, 4),
    "AveragePooling1D": _layer("AveragePooling1D", SEQUENCE, 2),
    "AveragePooling2D": _layer("AveragePooling2D", IMAGE, 2),
    "AveragePooling2D, same": _layer("AveragePooling2D", IMAGE, 3, strides=2, padding="same"),
    "GlobalAveragePooling1D": _layer("GlobalAveragePooling1D", SEQUENCE),
    "GlobalAveragePooling2D": _layer("GlobalAveragePooling2D", IMAGE),
    "GlobalMaxPooling1D": _layer("GlobalMaxPooling1D", SEQUENCE),
    "GlobalMaxPooling2D": _layer("GlobalMaxPooling2D", IMAGE, keepdims=True),
    "MaxPooling1D": _layer("MaxPooling1D", SEQUENCE, 2),
    "MaxPooling2D": _layer("MaxPooling2D", IMAGE, 2),
    "MaxPooling2D, same": _layer("MaxPooling2D", IMAGE, 3, strides=2, padding="same"),
}

RECURRENT: Mapping[str, Case] = {
    "Bidirectional": Case(
        (SEQUENCE,),
        lambda keras, x: keras.layers.Bidirectional(keras.layers.LSTM(3, unroll=True))(x),
    ),
    "GRU": _recurrent("GRU"),
    "GRU, reset before": _recurrent("GRU", reset_after=False),
    "GRU, sequences": _recurrent("GRU", return_sequences=True),
    "LSTM": _recurrent("LSTM"),
    "LSTM, sequences": _recurrent("LSTM", return_sequences=True),
    "RNN": Case((SEQUENCE,), lambda keras, x: keras.layers.RNN(keras.layers.GRUCell(4), unroll=True)(x)),
    "SimpleRNN": _recurrent("SimpleRNN"),
}

LOOPS: Mapping[str, Case] = {
    "Bidirectional, a loop": Case(
        (SEQUENCE,), lambda keras, x: keras.layers.Bidirectional(keras.layers.LSTM(3))(x)
    ),
    "ConvLSTM1D": _layer("ConvLSTM1D", (3, *SEQUENCE), 3, 3),
    "ConvLSTM2D": _layer("ConvLSTM2D", (3, *IMAGE), 3, 3),
    "GRU, a loop": _layer("GRU", SEQUENCE, 5),
    "LSTM, a loop": _layer("LSTM", SEQUENCE, 5),
    "SimpleRNN, a loop": _layer("SimpleRNN", SEQUENCE, 5),
}

NORMALIZATIONS: Mapping[str, Case] = {
    "BatchNormalization": _layer("BatchNormalization", IMAGE),
    "BatchNormalization, behind Conv2D": Case(
        (IMAGE,),
        lambda keras, x: keras.layers.BatchNormalization()(keras.layers.Conv2D(6, 3, use_bias=False)(x)),
    ),
    "GroupNormalization": _layer("GroupNormalization", IMAGE, 2),
    "LayerNormalization": _layer("LayerNormalization", SEQUENCE),
    "Normalization": _layer("Normalization", IMAGE, mean=(0.1, 0.2, 0.3, 0.4), variance=(1.0, 2.0, 3.0, 0.5)),
    "Rescaling": _layer("Rescaling", IMAGE, 0.5, offset=-1.0),
    "RMSNormalization": _layer("RMSNormalization", SEQUENCE),
    "SpectralNormalization": Case(
        (VECTOR,), lambda keras, x: keras.layers.SpectralNormalization(keras.layers.Dense(4))(x)
    ),
    "UnitNormalization": _layer("UnitNormalization", SEQUENCE),
}

ATTENTION: Mapping[str, Case] = {
    "AdditiveAttention": _of_two("AdditiveAttention", SEQUENCE),
    "Attention": _of_two("Attention", SEQUENCE),
    "Attention, scaled": _of_two("Attention", SEQUENCE, use_scale=True),
    "GroupedQueryAttention": Case(
        (SEQUENCE,), lambda keras, x: keras.layers.GroupQueryAttention(4, 4, 2, flash_attention=False)(x, x)
    ),
    "MultiHeadAttention": Case(
        (SEQUENCE,), lambda keras, x: keras.layers.MultiHeadAttention(2, 4, flash_attention=False)(x, x)
    ),
    "MultiHeadAttention, causal": Case(
        (SEQUENCE,),
        lambda keras, x: keras.layers.MultiHeadAttention(2, 4, flash_attention=False)(
            x, x, use_causal_mask=True
        ),
    ),
    "MultiHeadAttention, cross": Case(
        (SEQUENCE, (6, 4)), lambda keras, x, y: keras.layers.MultiHeadAttention(1, 4)(x, y)
    ),
}

SHAPES: Mapping[str, Case] = {
    "CenterCrop": _layer("CenterCrop", IMAGE, 6, 4),
    "Cropping1D": _layer("Cropping1D", SEQUENCE, (1, 2)),
    "Cropping2D": _layer("Cropping2D", IMAGE, ((1, 0), (2, 1))),
    "Flatten": _layer("Flatten", IMAGE),
    "Permute": _layer("Permute", IMAGE, (3, 1, 2)),
    "RepeatVector": _layer("RepeatVector", VECTOR, 3),
    "Reshape": _layer("Reshape", IMAGE, (16, 16)),
    "Resizing, bilinear": _layer("Resizing", IMAGE, 12, 12),
    "Resizing, nearest": _layer("Resizing", IMAGE, 16, 16, interpolation="nearest"),
    "UpSampling1D": _layer("UpSampling1D", SEQUENCE, 2),
    "UpSampling2D": _layer("UpSampling2D", IMAGE, 2),
    "UpSampling2D, bilinear": _layer("UpSampling2D", IMAGE, 2, interpolation="bilinear"),
    "ZeroPadding1D": _layer("ZeroPadding1D", SEQUENCE, 2),
    "ZeroPadding2D": _layer("ZeroPadding2D", IMAGE, ((0, 1), (2, 0))),
}

MERGES: Mapping[str, Case] = {
    "Add": _of_two("Add"),
    "Average": _of_two("Average"),
    "Concatenate": _of_two("Concatenate"),
    "Concatenate, of rows": _of_two("Concatenate", axis=1),
    "Dot": _of_two("Dot", VECTOR, axes=1),
    "Dot, normalized": _of_two("Dot", VECTOR, axes=1, normalize=True),
    "Dot, of sequences": _of_two("Dot", SEQUENCE, second=(6, 4), axes=2),
    "Maximum": _of_two("Maximum"),
    "Minimum": _of_two("Minimum"),
    "Multiply": _of_two("Multiply"),
    "Multiply, broadcast": _of_two("Multiply", second=(1, 1, 4)),
    "Subtract": _of_two("Subtract"),
}

ACTIVATION_LAYERS: Mapping[str, Case] = {
    "ELU": _layer("ELU", IMAGE, 0.5),
    "LeakyReLU": _layer("LeakyReLU", IMAGE, 0.1),
    "PReLU": Case(
        (IMAGE,),
        lambda keras, x: keras.layers.PReLU(
            alpha_initializer=keras.initializers.RandomUniform(0.1, 0.4), shared_axes=[1, 2]
        )(x),
    ),
    "ReLU": _layer("ReLU", IMAGE),
    "ReLU, up to 6": _layer("ReLU", IMAGE, max_value=6.0),
    "ReLU, with a slope": _layer("ReLU", IMAGE, negative_slope=0.2),
    "ReLU, with a threshold": _layer("ReLU", IMAGE, threshold=0.5),
    "Softmax": _layer("Softmax", VECTOR),
    "Softmax, of rows": _layer("Softmax", IMAGE, axis=1),
}

ACTIVATIONS: Mapping[str, Case] = {
    f'Activation("{name}")': _activation(name)
    for name in (
        "celu", "elu", "exponential", "gelu", "glu", "hard_shrink", "hard_sigmoid", "hard_silu", "hard_tanh",
        "leaky_relu", "log_sigmoid", "log_softmax", "mish", "relu", "relu6", "selu", "sigmoid",
        "silu", "soft_shrink", "softmax", "softplus", "softsign", "sparse_plus", "sparse_sigmoid",
        "sparsemax", "squareplus", "tanh", "tanh_shrink",
    )
}  # fmt: skip

TRAINING_ONLY: Mapping[str, Case] = {
    name: Case(
        (shape,),
        lambda keras, x, name=name, options=options: keras.layers.ReLU()(
            getattr(keras.layers, name)(**options)(x)
        ),
    )
    for name, shape, options in (
        ("ActivityRegularization", VECTOR, {"l2": 0.1}),
        ("AlphaDropout", VECTOR, {"rate": 0.3}),
        ("Dropout", VECTOR, {"rate": 0.3}),
        ("GaussianDropout", VECTOR, {"rate": 0.3}),
        ("GaussianNoise", VECTOR, {"stddev": 0.3}),
        ("Identity", VECTOR, {}),
        ("RandomBrightness", IMAGE, {"factor": 0.2}),
        ("RandomContrast", IMAGE, {"factor": 0.2}),
        ("RandomFlip", IMAGE, {}),
        ("RandomRotation", IMAGE, {"factor": 0.2}),
        ("RandomTranslation", IMAGE, {"height_factor": 0.2, "width_factor": 0.2}),
        ("RandomZoom", IMAGE, {"height_factor": 0.2}),
        ("SpatialDropout1D", SEQUENCE, {"rate": 0.3}),
        ("SpatialDropout2D", IMAGE, {"rate": 0.3}),
    )
}

OTHERS: Mapping[str, Case] = {
    "Embedding": _layer("Embedding", SEQUENCE[:1], 10, 3),
    "Masking": Case((SEQUENCE,), lambda keras, x: keras.layers.Masking()(x)),
    "Masking, LSTM": Case(
        (SEQUENCE,), lambda keras, x: keras.layers.LSTM(4, unroll=True)(keras.layers.Masking()(x))
    ),
    "ReversibleEmbedding": _layer("ReversibleEmbedding", SEQUENCE[:1], 10, 3),
    "TimeDistributed, of a convolution": Case(
        ((3, *IMAGE),), lambda keras, x: keras.layers.TimeDistributed(keras.layers.Conv2D(3, 3))(x)
    ),
}

GROUPS: Mapping[str, Mapping[str, Case]] = {
    "convolutions": CONVOLUTIONS,
    "dense": DENSE,
    "pools": POOLS,
    "recurrent": RECURRENT,
    "loops": LOOPS,
    "normalizations": NORMALIZATIONS,
    "attention": ATTENTION,
    "shapes": SHAPES,
    "merges": MERGES,
    "activation layers": ACTIVATION_LAYERS,
    "activations": ACTIVATIONS,
    "training only": TRAINING_ONLY,
    "others": OTHERS,
}


# One model of all of them would take long.
ONE_BY_ONE = ("recurrent", "loops", "attention")
# What the engine has no kernel for, or the converter no int8 form of: docs/layers.md says why.
REFUSED = frozenset({"Masking", "Masking, LSTM", 'Activation("sparsemax")'})

_VOLUMES = "volumes: no model of them fits a microcontroller"
_TEXT = "text and tables, prepared in front of the model"
_FEATURES = "features, computed in front of the model"
_AUGMENTATION = "augmentation, in front of the model while it is trained"
_NO_LAYER = "no layers to put into a model"
LEFT_OUT: Mapping[str, str] = {
    **dict.fromkeys(
        ("AdaptiveAveragePooling3D", "AdaptiveMaxPooling3D", "AveragePooling3D", "Conv3D", "Conv3DTranspose",
         "ConvLSTM3D", "Cropping3D", "GlobalAveragePooling3D", "GlobalMaxPooling3D", "MaxPooling3D",
         "SpatialDropout3D", "UpSampling3D", "ZeroPadding3D"),
        _VOLUMES,
    ),
    **dict.fromkeys(
        ("CategoryEncoding", "Discretization", "HashedCrossing", "Hashing", "IntegerLookup", "StringLookup",
         "TextVectorization"),
        _TEXT,
    ),
    **dict.fromkeys(("MelSpectrogram", "STFTSpectrogram"), _FEATURES),
    **dict.fromkeys(
        ("AugMix", "AutoContrast", "ContrastLimitedAdaptiveHistogramEqualization", "CutMix", "Equalization",
         "MaxNumBoundingBoxes", "MixUp", "Pipeline", "RandAugment", "RandomColorDegeneration",
         "RandomColorJitter", "RandomCrop", "RandomElasticTransform", "RandomErasing", "RandomGaussianBlur",
         "RandomGrayscale", "RandomHue", "RandomInvert", "RandomPerspective", "RandomPosterization",
         "RandomSaturation", "RandomSharpness", "RandomShear", "Solarization"),
        _AUGMENTATION,
    ),
    **dict.fromkeys(
        ("Activation", "FlaxLayer", "GRUCell", "InputLayer", "JaxLayer", "LSTMCell", "Lambda", "Layer",
         "SimpleRNNCell", "StackedRNNCells", "TFSMLayer", "TorchModuleWrapper", "Wrapper"),
        _NO_LAYER,
    ),
}  # fmt: skip


class Outcome(NamedTuple):
    """What becomes of a layer: the operators it is converted to, what they are compared with, the result."""

    operators: tuple[str, ...]
    compared_with: str
    result: str


def quantized(*cases: Case) -> Graph:
    """One int8 model of the cases side by side, random weights, calibrated with random data."""
    keras = _tensorflow.keras()
    keras.utils.set_random_seed(0)
    entries, outputs = [], []
    for case in cases:
        made = [keras.Input(shape) for shape in case.shapes]
        entries += made
        outputs.append(case.build(keras, *made))
    model = load.from_keras(keras.Model(entries, outputs), "layers")
    return quantize.quantize(model, _samples([shape for case in cases for shape in case.shapes]))


def inputs(graph: Graph) -> list[tuple[Array, ...]]:
    """Extreme inputs and random ones."""
    rng = np.random.default_rng(1)
    shapes = [graph.tensors[i].shape for i in graph.inputs]
    extreme = [tuple(np.full(shape, value, np.int8) for shape in shapes) for value in (-128, 127)]
    return [*extreme, *(tuple(random_data(rng, shape, "int8") for shape in shapes) for _ in range(4))]


def assert_equal(graph: Graph) -> None:
    """The compiled graph gives the reference's bytes."""
    assert_equal_to_reference(graph, inputs(graph))


def outcome(case: Case) -> Outcome:
    """A case alone. Raises AssertionError where the bytes are others than the reference's."""
    try:
        graph = quantized(case)
    except InputError as error:
        return Outcome((), "", f"not quantised: {error.message.partition(': ')[2]}")
    operators = tuple(sorted({node.op for node in graph.nodes}))
    try:
        plan(passes.run(graph))
    except InputError as error:
        return Outcome(operators, "", f"refused: {_without_names(error.message)}")
    assert_equal(graph)
    return Outcome(operators, _references(graph), "equal")


def _references(graph: Graph) -> str:
    """Whose bytes the graph's are: each node's by the reference that computes it."""
    by_litert = {node.op for node in graph.nodes if not ops.in_micro(replace(graph, nodes=(node,)))}
    if not by_litert:
        return "TensorFlow Lite Micro"
    if by_litert == {node.op for node in graph.nodes}:
        return "LiteRT"
    return "TensorFlow Lite Micro; LiteRT: " + ", ".join(f"`{op}`" for op in sorted(by_litert))


def _without_names(message: str) -> str:
    """A message about a node without the node's number and the layer's name, which depend on the process."""
    node, _, what = message.partition(": ")
    return f"{node.split()[2]}: {what.partition(', which comes')[0]}"


def _samples(shapes: list[Shape]) -> Data:
    """Random inputs to calibrate with."""
    rng = np.random.default_rng(0)
    return data.make(tuple(rng.normal(size=(20, *shape)).astype(np.float32) for shape in shapes))
