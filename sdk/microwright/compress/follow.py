"""Follow the channels of a Keras model from the layers that make them to those that read them.

There is a rule for each kind of layer whose channels can go. Channels stay that reach an output, or a layer
without a rule (LayerNormalization, LSTM, attention), which stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from microwright import _tensorflow
from microwright.compress.trace import Call, Ids, Shape, Slices, Trace, calls, key, require_model
from microwright.errors import InputError

# Activations that make each channel of that channel alone.
_ELEMENTWISE = frozenset(
    (
        *("celu", "elu", "exponential", "gelu", "hard_sigmoid", "hard_silu", "hard_swish", "hard_tanh"),
        *("leaky_relu", "linear", "mish", "relu", "relu6", "selu", "sigmoid", "silu", "softplus", "softsign"),
        *("swish", "tanh"),
    )
)


def follow(model: Any) -> Trace:
    """The channels of a Keras 3 model without models inside it (see `inline`). Raises InputError."""
    keras = _tensorflow.keras()
    require_model(model)
    trace = Trace()
    ids: dict[tuple[int, int, int], Ids] = {}
    for layer, node_index, inputs, outputs in calls(model):
        for tensor in outputs:
            if tensor.shape[-1] is None:
                raise InputError(
                    f"layer {layer.name!r} has outputs of shape {tuple(tensor.shape)}: no fixed channels",
                    "fix the size of every axis but the batch (keras.Input(shape=...))",
                )
        if not inputs:
            for position, tensor in enumerate(outputs):
                ids[id(layer), node_index, position] = trace.fresh(tensor.shape[-1])
                trace.pin(ids[id(layer), node_index, position])
            continue
        if len(outputs) != 1:
            raise _unknown(keras, layer)
        read = [ids[key(tensor)] for tensor in inputs]
        shapes, shape = [tuple(tensor.shape[1:]) for tensor in inputs], tuple(outputs[0].shape[1:])
        slices, rule = trace.slices.get(layer.name), _rule(keras, layer, node_index)
        # A rate ties nothing: the last call's channels decide on it.
        if slices is None or rule is _dropout or not (slices.weights or slices.options):
            slices = rule(trace, layer, read, shapes, shape)
            _check_weights(slices)
            trace.slices[layer.name] = slices
        else:
            # A layer called again has one set of weights for all that it reads.
            for one, other in zip(slices.inputs, read, strict=True):
                trace.tie(one, other)
        ids[id(layer), node_index, 0] = slices.output
        trace.calls.append(Call(layer, tuple(read), slices.output, tuple(shapes), shape))
    for tensor in model.outputs:
        trace.pin(ids[key(tensor)])
    return trace


def _reads_constants(keras: Any, layer: Any, node_index: int) -> bool:
    """Whether a call has arrays among its arguments, which keep their channels."""
    arguments = layer._inbound_nodes[node_index].arguments
    values = keras.tree.flatten((arguments.args, arguments.kwargs))
    return any(np.ndim(value) > 0 for value in values if not isinstance(value, keras.KerasTensor))


def _check_weights(slices: Slices) -> None:
    """A layer with more weights than its rule knows (LoRA, quantised) cannot be cut."""
    if slices.weights and len(slices.weights) != len(slices.layer.weights):
        raise InputError(
            f"layer {slices.layer.name!r} has weights that pruning does not know",
            "merge LoRA weights before pruning",
        )


# How the channels of each kind of layer depend on its inputs' channels.

_Rule: TypeAlias = Callable[[Trace, Any, list[Ids], list[Shape], Shape], Slices]


def _made(trace: Trace, layer: Any, count: int) -> Ids:
    made = trace.fresh(count)
    trace.producers[layer.name] = made
    _pin_mixed(trace, layer, made)
    return made


def _pin_mixed(trace: Trace, layer: Any, ids: Ids) -> None:
    """An activation such as softmax reads all channels to make one."""
    if getattr(layer.activation, "__name__", "") not in _ELEMENTWISE:
        trace.pin(ids)


def _with_bias(layer: Any, weights: dict[str, dict[int, Ids]], made: Ids) -> dict[str, dict[int, Ids]]:
    return weights | {"bias": {0: made}} if layer.use_bias else weights


def _count(ids: Ids) -> Callable[[npt.NDArray[np.bool_]], int]:
    return lambda keep: int(keep[ids].sum())


def _dense(trace: Trace, layer: Any, read: list[Ids], shapes: list[Shape], shape: Shape) -> Slices:
    made = _made(trace, layer, layer.units)
    weights = _with_bias(layer, {"kernel": {0: read[0], 1: made}}, made)
    return Slices(layer, read, made, weights, {"units": _count(made)})


def _conv(trace: Trace, layer: Any, read: list[Ids], shapes: list[Shape], shape: Shape) -> Slices:
    made = _made(trace, layer, layer.filters)
    rank = layer.kernel.ndim
    # A kernel has the inputs of one group only: channels go from all groups or from none.
    by_group = read[0].reshape(layer.groups, -1)
    for channels in (by_group, made.reshape(layer.groups, -1)):
        for other in channels[1:]:
            trace.tie(channels[0], other)
    weights = _with_bias(layer, {"kernel": {rank - 2: by_group[0], rank - 1: made}}, made)
    return Slices(layer, read, made, weights, {"filters": _count(made)})


def _conv_transpose(trace: Trace, layer: Any, read: list[Ids], shapes: list[Shape], shape: Shape) -> Slices:
    made = _made(trace, layer, layer.filters)
    rank = layer.kernel.ndim
    weights = _with_bias(layer, {"kernel": {rank - 2: made, rank - 1: read[0]}}, made)
    return Slices(layer, read, made, weights, {"filters": _count(made)})


def _depthwise(trace: Trace, layer: Any, read: list[Ids], shapes: list[Shape], shape: Shape) -> Slices:
    made = np.repeat(read[0], layer.depth_multiplier)
    _pin_mixed(trace, layer, made)
    kernel = np.asarray(layer.kernel, np.float64)
    trace.scales.append((read[0], np.sqrt((kernel**2).sum(axis=(*range(kernel.ndim - 2), -1)))))
    weights = _with_bias(layer, {"kernel": {kernel.ndim - 2: read[0]}}, made)
    return Slices(layer, read, made, weights)


def _separable(trace: Trace, layer: Any, read: list[Ids], shapes: list[Shape], shape: Shape) -> Slices:
    made = _made(trace, layer, layer.filters)
    rank = layer.depthwise_kernel.ndim
    between = np.repeat(read[0], layer.depth_multiplier)
    weights = {
        "depthwise_kernel": {rank - 2: read[0]},
        "pointwise_kernel": {rank - 2: between, rank - 1: made},
    }
    return Slices(layer, read, made, _with_bias(layer, weights, made), {"filters": _count(made)})


def _batch_norm(trace: Trace, layer: Any, read: list[Ids], shapes: list[Shape], shape: Shape) -> Slices:
    axis = layer.axis[0] if isinstance(layer.axis, (list, tuple)) else layer.axis
    if axis not in (-1, len(shapes[0])):
        raise InputError(
            f"layer {layer.name!r} normalises axis {axis}, not the last", "put channels last (NHWC)"
        )
    factor = 1.0 / np.sqrt(np.asarray(layer.moving_variance, np.float64) + layer.epsilon)
    names = ["moving_mean", "moving_variance"]
    if layer.scale:
        names.append("gamma")
        factor *= np.abs(np.asarray(layer.gamma, np.float64))
    if layer.center:
        names.append("beta")
    trace.scales.append((read[0], factor))
    return Slices(layer, read, read[0], {name: {0: read[0]} for name in names})


def _prelu(trace: Trace, layer: Any, read: list[Ids], shapes: list[Shape], shape: Shape) -> Slices:
    last = layer.alpha.ndim - 1
    shared = layer.alpha.shape[last] != len(read[0])
    return Slices(layer, read, read[0], {"alpha": {} if shared else {last: read[0]}})


def _same(trace: Trace, layer: Any, read: list[Ids], shapes: list[Shape], shape: Shape) -> Slices:
    return Slices(layer, read, read[0])


def _dropout(trace: Trace, layer: Any, read: list[Ids], shapes: list[Shape], shape: Shape) -> Slices:
    """A smaller layer overfits less: its rate falls with the channels that are left (S. Han et al., "Learning
    both Weights and Connections for Efficient Neural Networks", 2015).
    """
    ids = read[0]
    return Slices(layer, read, ids, {}, {"rate": lambda keep: layer.rate * float(keep[ids].mean())})


def _activation(trace: Trace, layer: Any, read: list[Ids], shapes: list[Shape], shape: Shape) -> Slices:
    _pin_mixed(trace, layer, read[0])
    return Slices(layer, read, read[0])


def _mixing(trace: Trace, layer: Any, read: list[Ids], shapes: list[Shape], shape: Shape) -> Slices:
    """A layer that stays as it is, and everything that it reads."""
    for ids in read:
        trace.pin(ids)
    made = trace.fresh(shape[-1])
    trace.pin(made)
    return Slices(layer, read, made)


def _rescaling(trace: Trace, layer: Any, read: list[Ids], shapes: list[Shape], shape: Shape) -> Slices:
    scalar = np.ndim(layer.scale) == 0 and np.ndim(layer.offset) == 0
    return (_same if scalar else _mixing)(trace, layer, read, shapes, shape)


def _flatten(trace: Trace, layer: Any, read: list[Ids], shapes: list[Shape], shape: Shape) -> Slices:
    return Slices(layer, read, np.tile(read[0], int(np.prod(shapes[0][:-1]))))


def _reshape(trace: Trace, layer: Any, read: list[Ids], shapes: list[Shape], shape: Shape) -> Slices:
    if shape[-1:] == shapes[0][-1:]:
        made = read[0]
    elif len(shape) == 1:
        made = np.tile(read[0], int(np.prod(shapes[0][:-1])))
    else:
        return _mixing(trace, layer, read, shapes, shape)
    count = _count(made)
    return Slices(layer, read, made, {}, {"target_shape": lambda keep: (*shape[:-1], count(keep))})


def _permute(trace: Trace, layer: Any, read: list[Ids], shapes: list[Shape], shape: Shape) -> Slices:
    last_stays = layer.dims[-1] == len(layer.dims)
    return (_same if last_stays else _mixing)(trace, layer, read, shapes, shape)


def _elementwise(trace: Trace, layer: Any, read: list[Ids], shapes: list[Shape], shape: Shape) -> Slices:
    # Fresh ids: what scales the sum does not scale each of its terms.
    made = trace.fresh(max(len(ids) for ids in read))
    for ids in read:
        if len(ids) == len(made):
            trace.tie(made, ids)
        else:
            # One channel that is broadcast over all.
            trace.pin(ids)
    return Slices(layer, read, made)


def _concatenate(trace: Trace, layer: Any, read: list[Ids], shapes: list[Shape], shape: Shape) -> Slices:
    if layer.axis in (-1, len(shapes[0])):
        return Slices(layer, read, np.concatenate(read))
    return _elementwise(trace, layer, read, shapes, shape)


_RULES: Mapping[str, _Rule] = {
    "Activation": _activation,
    "ActivityRegularization": _same,
    "Add": _elementwise,
    "AlphaDropout": _dropout,
    "Average": _elementwise,
    "AveragePooling1D": _same,
    "AveragePooling2D": _same,
    "BatchNormalization": _batch_norm,
    "Concatenate": _concatenate,
    "Conv1D": _conv,
    "Conv1DTranspose": _conv_transpose,
    "Conv2D": _conv,
    "Conv2DTranspose": _conv_transpose,
    "Cropping1D": _same,
    "Cropping2D": _same,
    "Dense": _dense,
    "DepthwiseConv1D": _depthwise,
    "DepthwiseConv2D": _depthwise,
    "Dropout": _dropout,
    "ELU": _same,
    "Flatten": _flatten,
    "GaussianDropout": _dropout,
    "GaussianNoise": _same,
    "GlobalAveragePooling1D": _same,
    "GlobalAveragePooling2D": _same,
    "GlobalMaxPooling1D": _same,
    "GlobalMaxPooling2D": _same,
    "Identity": _same,
    "LeakyReLU": _same,
    "MaxPooling1D": _same,
    "MaxPooling2D": _same,
    "Maximum": _elementwise,
    "Minimum": _elementwise,
    "Multiply": _elementwise,
    "PReLU": _prelu,
    "Permute": _permute,
    "ReLU": _same,
    "Rescaling": _rescaling,
    "Reshape": _reshape,
    "SeparableConv1D": _separable,
    "SeparableConv2D": _separable,
    "SpatialDropout1D": _dropout,
    "SpatialDropout2D": _dropout,
    "Subtract": _elementwise,
    "UpSampling1D": _same,
    "UpSampling2D": _same,
    "ZeroPadding1D": _same,
    "ZeroPadding2D": _same,
}


# Operations of tensors, such as a + b, that are what a layer is.
_OPERATIONS: Mapping[str, _Rule] = {
    "Add": _elementwise,
    "Maximum": _elementwise,
    "Minimum": _elementwise,
    "Multiply": _elementwise,
    "Relu": _same,
    "Relu6": _same,
    "Sigmoid": _same,
    "Silu": _same,
    "Subtract": _elementwise,
    "Tanh": _same,
}


def _rule(keras: Any, layer: Any, node_index: int) -> _Rule:
    name = type(layer).__name__
    if _reads_constants(keras, layer, node_index):
        return _mixing
    if type(layer).__module__.startswith("keras.src.ops.") and name in _OPERATIONS:
        return _OPERATIONS[name]
    if getattr(layer, "data_format", None) == "channels_first":
        raise InputError(
            f"layer {layer.name!r} has its channels first", "build the model with data_format='channels_last'"
        )
    # By the exact class: a subclass may do anything.
    if getattr(keras.layers, name, None) is not type(layer):
        raise _unknown(keras, layer)
    return _RULES.get(name, _mixing)


def _unknown(keras: Any, layer: Any) -> InputError:
    hint = "replace it by standard layers, or prune the model before the layer is added"
    if not isinstance(layer, keras.layers.Layer):
        hint = "use the layer instead of the operation, e.g. keras.layers.Add()([a, b]) for a + b"
    return InputError(
        f"layer {layer.name!r} is a {type(layer).__name__}, whose channels cannot be followed", hint
    )
