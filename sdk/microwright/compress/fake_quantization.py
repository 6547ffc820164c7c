"""Quantisation-aware training: a model that computes in real numbers with the rounding of int8.

Weights are rounded as the converter rounds them, symmetrically and for each output channel; activations to
256 values between bounds that follow what training sees. Gradients pass as if nothing was rounded. A batch
normalisation behind a layer only scales its channels, which leaves their rounding as it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from microwright import _tensorflow
from microwright.compress import copies
from microwright.compress.inline import ends
from microwright.compress.losses import activation
from microwright.compress.trace import calls

# How fast the bounds of activations follow; the share that each batch leaves of them.
_MOMENTUM = 0.95
# Layers whose output has the input's quantisation.
_TRANSPARENT = frozenset(
    (
        *("ActivityRegularization", "AveragePooling1D", "AveragePooling2D", "Dropout", "Flatten"),
        *(
            "GaussianDropout",
            "GaussianNoise",
            "Identity",
            "MaxPooling1D",
            "MaxPooling2D",
            "Permute",
            "Reshape",
        ),
        *("SpatialDropout1D", "SpatialDropout2D", "UpSampling2D", "ZeroPadding1D", "ZeroPadding2D"),
    )
)
_WEIGHTED = frozenset(
    (
        *("Conv1D", "Conv2D", "Dense", "DepthwiseConv1D", "DepthwiseConv2D"),
        *("SeparableConv1D", "SeparableConv2D"),
    )
)


def quantized(model: Any) -> Any:
    """A copy of a model without models inside it that rounds as its int8 form would, to be trained."""
    keras = _tensorflow.keras()
    weights, values = _layers()
    rounded = {layer.name for layer in _materialised(model)}

    def copy(layer: Any) -> Any:
        made = copies.layer(layer)
        return weights(made, name=layer.name) if type(layer).__name__ in _WEIGHTED else made

    inputs: dict[int, Any] = {}

    def entered(value: Any) -> Any:
        """The rounded input, where a layer reads an input of the model."""
        history = getattr(value, "_keras_history", None)
        if history is None or not isinstance(history.operation, keras.layers.InputLayer):
            return value
        return inputs.setdefault(id(value), values()(value))

    def call(layer: Any, *arguments: Any, **options: Any) -> Any:
        arguments, options = keras.tree.map_structure(entered, (arguments, options))
        output = layer(*arguments, **options)
        return values()(output) if layer.name in rounded else output

    functional = keras.Model(*ends(model), name=model.name)
    made = keras.models.clone_model(functional, clone_function=copy, call_function=call)
    transfer(model, made)
    return made


def transfer(source: Any, destination: Any) -> None:
    """Give a model the weights of its copy, with or without rounding."""
    inner = {name: getattr(layer, "rounded", layer) for name, layer in _named(source)}
    for name, layer in _named(destination):
        if name in inner and layer.weights:
            copies.weights(inner[name], getattr(layer, "rounded", layer))


def _named(model: Any) -> Iterator[tuple[str, Any]]:
    return ((layer.name, layer) for layer in model.layers)


def _materialised(model: Any) -> Iterator[Any]:
    """The layers whose outputs the int8 model has as tensors with bounds of their own."""
    readers: dict[int, list[Any]] = {}
    made: list[tuple[Any, Any]] = []
    for layer, _, inputs, outputs in calls(model):
        for tensor in inputs:
            readers.setdefault(id(tensor), []).append(layer)
        made += [(layer, tensor) for tensor in outputs]
    for layer, tensor in made:
        kind, behind = type(layer).__name__, readers.get(id(tensor), [])
        if kind in _TRANSPARENT or activation(tensor) in ("softmax", "sigmoid"):
            continue
        fused = len(behind) == 1 and (
            (kind in _WEIGHTED and activation(tensor) == "linear" and _folds(behind[0]))
            or (kind in ("BatchNormalization", "Add") and _is_relu(behind[0]))
        )
        if not fused:
            yield layer


def _folds(layer: Any) -> bool:
    return type(layer).__name__ == "BatchNormalization" or _is_relu(layer)


def _is_relu(layer: Any) -> bool:
    name = getattr(getattr(layer, "activation", None), "__name__", "")
    return type(layer).__name__ == "ReLU" or (type(layer).__name__ == "Activation" and "relu" in name)


@cache
def _layers() -> tuple[Any, Any]:
    """The classes of layers that round their weights and their input."""
    keras = _tensorflow.keras()
    ops = keras.ops

    class RoundedWeights(keras.layers.Layer):  # type: ignore[misc, name-defined]  # keras is not typed
        """A layer whose kernels are rounded to 255 values for each output channel."""

        def __init__(self, rounded: Any, **options: Any) -> None:
            super().__init__(**options)
            self.rounded = rounded

        def build(self, shape: Any) -> None:
            if not self.rounded.built:
                self.rounded.build(shape)

        def compute_output_shape(self, shape: Any) -> Any:
            return self.rounded.compute_output_shape(shape)

        def call(self, inputs: Any) -> Any:
            names = ("kernel", "depthwise_kernel", "pointwise_kernel")
            kernels = [(name, getattr(self.rounded, name)) for name in names if hasattr(self.rounded, name)]
            depthwise = "Depthwise" in type(self.rounded).__name__
            mapping = [
                (kernel, _round(ops.convert_to_tensor(kernel), depthwise or name == "depthwise_kernel"))
                for name, kernel in kernels
            ]
            with keras.StatelessScope(state_mapping=mapping):
                return self.rounded.call(inputs)

    def _round(kernel: Any, depthwise: bool) -> Any:
        axes = tuple(range(kernel.ndim - 2)) if depthwise else tuple(range(kernel.ndim - 1))
        scale = ops.stop_gradient(ops.max(ops.abs(kernel), axis=axes, keepdims=True)) / 127.0
        scale = ops.where(scale > 0, scale, ops.ones_like(scale))
        return kernel + ops.stop_gradient(ops.round(kernel / scale) * scale - kernel)

    class RoundedValues(keras.layers.Layer):  # type: ignore[misc, name-defined]
        """Rounds to 256 values between the bounds that training saw, zero among them."""

        def build(self, shape: Any) -> None:
            self.low = self.add_weight(shape=(), initializer="zeros", trainable=False, name="low")
            self.high = self.add_weight(shape=(), initializer="zeros", trainable=False, name="high")

        def call(self, inputs: Any, training: bool = False) -> Any:
            if training:
                seen = ops.minimum(ops.min(inputs), 0.0), ops.maximum(ops.max(inputs), 0.0)
                first = ops.equal(self.high - self.low, 0.0)
                for bound, value in zip((self.low, self.high), seen, strict=True):
                    follow = _MOMENTUM * bound.value + (1 - _MOMENTUM) * value
                    bound.assign(ops.stop_gradient(ops.where(first, value, follow)))
            scale = (self.high.value - self.low.value) / 255.0
            known = scale > 0
            scale = ops.where(known, scale, 1.0)
            zero = ops.round(-self.low.value / scale)
            clipped = ops.clip(inputs, -zero * scale, (255.0 - zero) * scale)
            rounded = ops.round(clipped / scale) * scale
            return ops.where(known, clipped + ops.stop_gradient(rounded - clipped), inputs)

    return RoundedWeights, RoundedValues
