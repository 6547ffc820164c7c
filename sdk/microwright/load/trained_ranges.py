"""Models that tensorflow-model-optimization trained for int8: its layers, as they compute once trained.

Its wrappers keep a minimum and a maximum for weights and values, which become the scales of the int8 model:
TensorFlow Lite's converter takes them from the fake quantisation here. The order in which the variables
are made is the order in which files have them.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from microwright import _tensorflow
from microwright.errors import InputError

WRAPPERS = frozenset(("QuantizeLayer", "QuantizeWrapper", "QuantizeWrapperV2"))
NAMES = WRAPPERS | {"QuantizeAwareActivation"}
# What says which weights and values of a layer have ranges; the first has one for each output channel.
_PER_CHANNEL = "Default8BitConvQuantizeConfig"
_ACTIVATION = "Default8BitActivationQuantizeConfig"
_CONFIGS = frozenset(
    (
        *(_PER_CHANNEL, _ACTIVATION, "Default8BitQuantizeConfig", "Default8BitOutputQuantizeConfig"),
        *("Default8BitConvTransposeQuantizeConfig", "NoOpQuantizeConfig"),
    )
)
# Activations whose input has a range, and those whose output has one.
_BEFORE = frozenset(("softmax", "sigmoid", "tanh", "gelu"))
_AFTER = frozenset(("linear", "relu", "swish", "gelu"))
_AFTER_ALONE = frozenset(("relu", "relu6", "swish", "gelu"))
_NO_ACTIVATION = "NoOpActivation"
_FLATTEN = (
    "train the model for int8 with `microwright compress --max-drop`, or give it without these wrappers"
)


@dataclass(frozen=True)
class _Trained:
    """Variables of a wrapper, kept where Keras does not look for variables: it would count them again."""

    ranges: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    weights: dict[str, Any] = field(default_factory=dict)


@cache
def stand_ins(keras: Any) -> Mapping[str, Any]:
    """The wrappers' classes for Keras 2, by name. They compute as after training; they are not trained."""
    tf = _tensorflow.tensorflow()

    def make_range(layer: Any, name: str, shape: tuple[int, ...] = ()) -> tuple[Any, Any]:
        low, high = (
            layer.add_weight(name=f"{name}_{end}", shape=shape, trainable=False, initializer="zeros")
            for end in ("min", "max")
        )
        layer.trained.ranges[name] = low, high
        return low, high

    def rounded(x: Any, bounds: tuple[Any, Any], *, weights: bool = False) -> Any:
        quantization = tf.quantization
        fake = quantization.fake_quant_with_min_max_vars
        if len(bounds[0].shape):
            fake = quantization.fake_quant_with_min_max_vars_per_channel
        # Weights are symmetric in int8: -127 to 127.
        return fake(x, *bounds, num_bits=8, narrow_range=weights)

    class QuantizeLayer(keras.layers.Layer):  # type: ignore[misc]
        def __init__(self, quantizer: Any = None, **options: Any) -> None:
            super().__init__(**options)
            self.quantizer, self.trained = quantizer, _Trained()

        def build(self, input_shape: Any) -> None:
            if self.quantizer:
                _require_8_bits(self.name, self.quantizer)
                make_range(self, self.name)
            self.add_weight(name="optimizer_step", shape=(), dtype="int32", trainable=False)
            super().build(input_shape)

        def call(self, inputs: Any) -> Any:
            return rounded(inputs, self.trained.ranges[self.name]) if self.quantizer else inputs

    class QuantizeWrapperV2(keras.layers.Wrapper):  # type: ignore[misc]
        def __init__(self, layer: Any, quantize_config: Any, activation: str | None, **options: Any) -> None:
            super().__init__(layer, **options)
            self.activation, self.trained = activation, _Trained()
            self.kind, self.options = quantize_config["class_name"], quantize_config.get("config") or {}
            if self.kind not in _CONFIGS:
                raise InputError(f"layer {self.name!r} has the unknown {str(self.kind)[:80]}", _FLATTEN)

        @classmethod
        def from_config(cls, config: Any) -> Any:
            config = dict(config)
            layer, activation = _plain(config.pop("layer"))
            return cls(layer=keras.layers.deserialize(layer), activation=activation, **config)

        def build(self, input_shape: Any) -> None:
            super().build(input_shape)
            self.trained.weights.update(
                (name, getattr(self.layer, name)) for name in self._listed("weight_attrs")
            )
            self._trainable_weights += self._own_order()
            self.add_weight(name="optimizer_step", shape=(), dtype="int32", trainable=False)
            for name, weight in self.trained.weights.items():
                make_range(self, name, weight.shape[-1:] if self.kind == _PER_CHANNEL else ())
            self._ranges_of_values()

        def call(self, inputs: Any, training: Any = None, **options: Any) -> Any:
            for name, weight in self.trained.weights.items():
                setattr(self.layer, name, rounded(weight, self.trained.ranges[name], weights=True))
            if "training" in inspect.signature(type(self.layer).call).parameters:
                options["training"] = False
            outputs = self.layer.call(inputs, **options)
            return self._rounded(outputs, "output")

        def _own_order(self) -> list[Any]:
            """Its layer's trainable weights, then those with ranges a second time."""
            return [*self.layer.trainable_weights, *self.trained.weights.values()]

        def _listed(self, name: str) -> list[str]:
            return list(self.options.get(name) or ())

        def _rounded(self, x: Any, name: str) -> Any:
            return rounded(x, self.trained.ranges[name]) if name in self.trained.ranges else x

        def _ranges_of_values(self) -> None:
            if "activation" in self._listed("activation_attrs") and self.activation != _NO_ACTIVATION:
                if self.activation not in _BEFORE | _AFTER:
                    raise InputError(f"layer {self.name!r}: the activation has no trained range", _FLATTEN)
                for name, where in (("pre_activation", _BEFORE), ("post_activation", _AFTER)):
                    if self.activation in where:
                        make_range(self, name)
                function = self.layer.activation

                def rounded_activation(x: Any) -> Any:
                    return self._rounded(function(self._rounded(x, "pre_activation")), "post_activation")

                self.layer.activation = rounded_activation
            alone = self.kind != _ACTIVATION or self.activation in _AFTER_ALONE
            if self.options.get("quantize_output", self.kind.endswith("OutputQuantizeConfig")) and alone:
                make_range(self, "output")

        @property
        def trainable_weights(self) -> list[Any]:
            weights: list[Any] = self._trainable_weights + self.layer.trainable_weights
            return list({id(weight): weight for weight in weights}.values())

        @property
        def non_trainable_weights(self) -> list[Any]:
            return [*self.layer.non_trainable_weights, *self._non_trainable_weights]

    class QuantizeWrapper(QuantizeWrapperV2):
        """The one of older versions has the weights with ranges behind its layer's others."""

        def _own_order(self) -> list[Any]:
            own = {id(weight) for weight in self.trained.weights.values()}
            others = [weight for weight in self.layer.trainable_weights if id(weight) not in own]
            return [*others, *self.trained.weights.values()]

    return {made.__name__: made for made in (QuantizeLayer, QuantizeWrapper, QuantizeWrapperV2)}


def check(path: Path, model: Any) -> None:
    """Raise InputError where a range of a model of stand-ins is empty: it was not trained."""
    for layer in model._flatten_layers():
        trained = getattr(layer, "trained", None)
        for name, (low, high) in trained.ranges.items() if isinstance(trained, _Trained) else ():
            if not (low.numpy() < high.numpy()).all():
                raise InputError(
                    f"{path}: layer {layer.name!r}: the range of {name} is empty",
                    "train the model, for one epoch at least, and save it again",
                )


def _plain(layer: Any) -> tuple[Any, str | None]:
    """A layer's configuration with its activation as Keras knows it, and the activation's name."""
    options = dict(layer["config"])
    activation = options.get("activation")
    if isinstance(activation, dict) and activation.get("class_name") == "QuantizeAwareActivation":
        activation = activation["config"]["activation"]
    name = activation.get("class_name") if isinstance(activation, dict) else activation
    if name == "function" and isinstance(activation, dict):
        name = activation.get("config")
    if name == _NO_ACTIVATION:
        activation = "linear"
    return {**layer, "config": {**options, **({"activation": activation} if activation else {})}}, name


def _require_8_bits(layer: str, quantizer: Any) -> None:
    bits = (quantizer.get("config") or {}).get("num_bits", 8)
    if bits != 8:
        raise InputError(f"layer {layer!r} was trained for {bits} bits", "train it for 8")
