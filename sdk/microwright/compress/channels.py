"""Channel pruning: a Keras model with smaller layers, not with masks.

Every channel that a layer makes is followed through the model to where it is read. Channels that have to go
together (the two sides of an Add, the filters of a layer used twice) form one class; removing a class removes
its slices from all weights that make or read it. Channels stay that reach an output or a layer that mixes
channels (LayerNormalization, softmax, grouped convolutions).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from microwright import _tensorflow
from microwright.errors import InputError
from microwright.progress import Progress, silent

Importance: TypeAlias = Literal["l1", "l2", "gamma"]

# One id per position along a tensor's last axis: which channel lies there.
_Ids: TypeAlias = npt.NDArray[np.int64]

# Activations that make each channel of that channel alone.
_ELEMENTWISE = frozenset(
    (
        *("celu", "elu", "exponential", "gelu", "hard_sigmoid", "hard_silu", "hard_swish", "hard_tanh"),
        *("leaky_relu", "linear", "mish", "relu", "relu6", "selu", "sigmoid", "silu", "softplus", "softsign"),
        *("swish", "tanh"),
    )
)


def prune_channels(
    model: Any,
    *,
    sparsity: float,
    importance: Importance = "l2",
    granularity: int = 1,
    minimum: int = 1,
    progress: Progress = silent,
) -> Any:
    """A copy of a Keras 3 model (Sequential or functional) without its least important channels.

    sparsity     fraction of channels to remove from each group of layers that depend on each other, rounded
                 down
    importance   a channel's rank in its group: the "l1" or "l2" norm of its filter and bias, times the scale
                 of the batch normalisation and depthwise filter that follow; "gamma", that scale alone where
                 there is one
    granularity  the number of channels that stay is a multiple of it (SIMD lanes), where there are enough
    minimum      channels that stay at least

    Removing channels whose weights, biases and batch normalisation are all zero leaves the outputs as they
    are. The copy is not compiled. Raises InputError for layers whose channels cannot be followed, and where
    nothing can go.
    """
    if not 0 <= sparsity < 1:
        raise InputError(
            f"sparsity {sparsity:g} is not in [0, 1)", "give the fraction of channels to remove, e.g. 0.5"
        )
    if granularity < 1 or minimum < 1:
        raise InputError(
            f"granularity {granularity} and minimum {minimum} have to be at least 1",
            "give 1 for no constraint",
        )
    trace = _follow(model)
    groups = trace.groups()
    if not groups:
        raise InputError(
            f"{model.name}: no channel can be removed, all reach an output or a layer that mixes channels",
            "prune a model with at least one hidden convolution or dense layer",
        )
    score = _scores(trace, importance)
    keep = np.ones(len(trace.parent), bool)
    for roots in groups.values():
        count = len(roots)
        stay = max(minimum, count - int(sparsity * count + 1e-9))
        stay = min(count, -(-stay // granularity) * granularity)
        order = np.argsort(score[roots], kind="stable")
        keep[roots[order[: count - stay]]] = False
    return _rebuild(model, trace, keep[trace.roots()], progress)


def channels(model: Any) -> dict[str, int]:
    """Number of channels of each layer, by name, that has some that could be removed."""
    trace = _follow(model)
    names = {name for group in trace.groups() for name in group}
    return {name: len(made) for name, made in trace.producers.items() if name in names}


@dataclass
class _Slices:
    """How a layer shrinks.

    `inputs` are the ids that its first call read, `output` those that it makes; `weights` has the ids along
    the axes of each weight, `options` the new value of each option of its configuration, given what stays.
    """

    layer: Any
    inputs: list[_Ids]
    output: _Ids
    weights: Mapping[str, Mapping[int, _Ids]] = field(default_factory=dict)
    options: Mapping[str, Callable[[npt.NDArray[np.bool_]], Any]] = field(default_factory=dict)


class _Trace:
    """Channels of a model as they are followed: a union-find of ids."""

    def __init__(self) -> None:
        self.parent: list[int] = []
        self.pinned: list[_Ids] = []
        self.producers: dict[str, _Ids] = {}
        # (ids, factor per id) of batch normalisation and depthwise filters.
        self.scales: list[tuple[_Ids, npt.NDArray[np.float64]]] = []
        self.slices: dict[str, _Slices] = {}

    def fresh(self, count: int) -> _Ids:
        start = len(self.parent)
        self.parent += range(start, start + count)
        return np.arange(start, start + count)

    def root(self, channel: int) -> int:
        while self.parent[channel] != channel:
            self.parent[channel] = self.parent[self.parent[channel]]
            channel = self.parent[channel]
        return channel

    def roots(self) -> _Ids:
        return np.array([self.root(channel) for channel in range(len(self.parent))], np.int64)

    def tie(self, one: _Ids, other: _Ids) -> None:
        for a, b in zip(one.tolist(), other.tolist(), strict=True):
            self.parent[self.root(b)] = self.root(a)

    def pin(self, ids: _Ids) -> None:
        self.pinned.append(ids)

    def groups(self) -> dict[tuple[str, ...], _Ids]:
        """Roots of the classes that may go, by the names of the layers that make their channels.

        Classes made by the same layers shrink each of them by the same number of channels.
        """
        roots = self.roots()
        stays = set(roots[np.concatenate(self.pinned)].tolist())
        makers: dict[int, list[str]] = {}
        for name, made in self.producers.items():
            for root in dict.fromkeys(roots[made].tolist()):
                makers.setdefault(root, []).append(name)
        groups: dict[tuple[str, ...], list[int]] = {}
        for root, names in makers.items():
            if root not in stays:
                groups.setdefault(tuple(names), []).append(root)
        return {names: np.array(members, np.int64) for names, members in groups.items()}


def _follow(model: Any) -> _Trace:
    keras = _tensorflow.keras()
    if not isinstance(model, keras.Model) or not getattr(model, "outputs", None):
        raise InputError(
            "only Keras 3 Sequential and functional models with a known input shape can be pruned",
            "build the model with keras.Sequential or keras.Model, starting with keras.Input",
        )
    trace = _Trace()
    ids: dict[tuple[int, int, int], _Ids] = {}
    for layer, node_index, inputs, outputs in _calls(model):
        if not inputs:
            for position, tensor in enumerate(outputs):
                ids[id(layer), node_index, position] = trace.fresh(tensor.shape[-1])
                trace.pin(ids[id(layer), node_index, position])
            continue
        if len(outputs) != 1:
            raise _unknown(keras, layer)
        read = [ids[_key(tensor)] for tensor in inputs]
        slices = trace.slices.get(layer.name)
        if slices is None or not (slices.weights or slices.options):
            shapes = [tuple(tensor.shape[1:]) for tensor in inputs]
            slices = _rule(keras, layer)(trace, layer, read, shapes, tuple(outputs[0].shape[1:]))
            _check_weights(slices)
            trace.slices[layer.name] = slices
        else:
            # A layer called again has one set of weights for all that it reads.
            for one, other in zip(slices.inputs, read, strict=True):
                trace.tie(one, other)
        ids[id(layer), node_index, 0] = slices.output
    for tensor in model.outputs:
        trace.pin(ids[_key(tensor)])
    return trace


def _key(tensor: Any) -> tuple[int, int, int]:
    history = tensor._keras_history
    return id(history.operation), history.node_index, history.tensor_index


def _calls(model: Any) -> Iterator[tuple[Any, int, list[Any], list[Any]]]:
    """(layer, node index, input tensors, output tensors) of every call, inputs before their readers."""
    done: set[tuple[int, int]] = set()
    pending = list(reversed(model.outputs))
    while pending:
        history = pending[-1]._keras_history
        layer, index = history.operation, history.node_index
        node = layer._inbound_nodes[index]
        waiting = [tensor for tensor in node.input_tensors if _key(tensor)[:2] not in done]
        if (id(layer), index) in done:
            pending.pop()
        elif waiting:
            pending += reversed(waiting)
        else:
            pending.pop()
            done.add((id(layer), index))
            yield layer, index, list(node.input_tensors), list(node.output_tensors)


def _scores(trace: _Trace, importance: Importance) -> npt.NDArray[np.float64]:
    """Importance of each class, at its root: summed over the layers that make it, each layer's mean 1."""
    scale = np.ones(len(trace.parent))
    scaled = np.zeros(len(trace.parent), bool)
    for ids, factors in trace.scales:
        # A flattened map repeats its channels.
        unique, inverse = np.unique(ids, return_inverse=True)
        scale[unique] *= np.bincount(inverse, weights=factors) / np.bincount(inverse)
        scaled[unique] = True
    roots = trace.roots()
    score = np.zeros(len(trace.parent))
    for name, made in trace.producers.items():
        norm = _norms(trace.slices[name], 1 if importance == "l1" else 2)
        if importance == "gamma":
            norm = np.where(scaled[made], 1.0, norm)
        norm *= scale[made]
        np.add.at(score, roots[made], norm / (norm.mean() or 1.0))
    return score


def _norms(slices: _Slices, order: int) -> npt.NDArray[np.float64]:
    """Norm of what makes each output channel: all weights with an axis of them."""
    total = np.zeros(len(slices.output))
    for name, axes in slices.weights.items():
        for axis, ids in axes.items():
            if ids is slices.output:
                values = np.asarray(getattr(slices.layer, name), np.float64)
                others = tuple(i for i in range(values.ndim) if i != axis)
                total += (np.abs(values) ** order).sum(axis=others)
    return total if order == 1 else np.sqrt(total)


def _rebuild(model: Any, trace: _Trace, keep: npt.NDArray[np.bool_], progress: Progress) -> Any:
    keras = _tensorflow.keras()

    def shrink(layer: Any) -> Any:
        config = layer.get_config()
        slices = trace.slices.get(layer.name)
        if slices is not None:
            config |= {option: count(keep) for option, count in slices.options.items()}
        return type(layer).from_config(config)

    pruned = keras.models.clone_model(model, clone_function=shrink)
    for done, (name, slices) in enumerate(trace.slices.items()):
        progress("prune", done, len(trace.slices))
        target = pruned.get_layer(name)
        if not slices.weights:
            store: dict[str, Any] = {}
            slices.layer.save_own_variables(store)
            target.load_own_variables(store)
        for weight, axes in slices.weights.items():
            values = np.asarray(getattr(slices.layer, weight))
            for axis, ids in axes.items():
                values = np.compress(keep[ids], values, axis=axis)
            getattr(target, weight).assign(values)
    progress("prune", len(trace.slices), len(trace.slices))
    return pruned


def _check_weights(slices: _Slices) -> None:
    """A layer with more weights than its rule knows (LoRA, quantised) cannot be cut."""
    if slices.weights and len(slices.weights) != len(slices.layer.weights):
        raise InputError(
            f"layer {slices.layer.name!r} has weights that pruning does not know",
            "merge LoRA weights before pruning",
        )


# How the channels of each kind of layer depend on its inputs' channels.

_Shape: TypeAlias = tuple[int, ...]
_Rule: TypeAlias = Callable[[_Trace, Any, list[_Ids], list[_Shape], _Shape], _Slices]


def _made(trace: _Trace, layer: Any, count: int) -> _Ids:
    made = trace.fresh(count)
    trace.producers[layer.name] = made
    _pin_mixed(trace, layer, made)
    return made


def _pin_mixed(trace: _Trace, layer: Any, ids: _Ids) -> None:
    """An activation such as softmax reads all channels to make one."""
    if getattr(layer.activation, "__name__", "") not in _ELEMENTWISE:
        trace.pin(ids)


def _with_bias(layer: Any, weights: dict[str, dict[int, _Ids]], made: _Ids) -> dict[str, dict[int, _Ids]]:
    return weights | {"bias": {0: made}} if layer.use_bias else weights


def _count(ids: _Ids) -> Callable[[npt.NDArray[np.bool_]], int]:
    return lambda keep: int(keep[ids].sum())


def _dense(trace: _Trace, layer: Any, read: list[_Ids], shapes: list[_Shape], shape: _Shape) -> _Slices:
    made = _made(trace, layer, layer.units)
    weights = _with_bias(layer, {"kernel": {0: read[0], 1: made}}, made)
    return _Slices(layer, read, made, weights, {"units": _count(made)})


def _conv(trace: _Trace, layer: Any, read: list[_Ids], shapes: list[_Shape], shape: _Shape) -> _Slices:
    if layer.groups != 1:
        return _mixing(trace, layer, read, shapes, shape)
    made = _made(trace, layer, layer.filters)
    rank = layer.kernel.ndim
    weights = _with_bias(layer, {"kernel": {rank - 2: read[0], rank - 1: made}}, made)
    return _Slices(layer, read, made, weights, {"filters": _count(made)})


def _conv_transpose(
    trace: _Trace, layer: Any, read: list[_Ids], shapes: list[_Shape], shape: _Shape
) -> _Slices:
    made = _made(trace, layer, layer.filters)
    rank = layer.kernel.ndim
    weights = _with_bias(layer, {"kernel": {rank - 2: made, rank - 1: read[0]}}, made)
    return _Slices(layer, read, made, weights, {"filters": _count(made)})


def _depthwise(trace: _Trace, layer: Any, read: list[_Ids], shapes: list[_Shape], shape: _Shape) -> _Slices:
    made = np.repeat(read[0], layer.depth_multiplier)
    _pin_mixed(trace, layer, made)
    kernel = np.asarray(layer.kernel, np.float64)
    trace.scales.append((read[0], np.sqrt((kernel**2).sum(axis=(*range(kernel.ndim - 2), -1)))))
    weights = _with_bias(layer, {"kernel": {kernel.ndim - 2: read[0]}}, made)
    return _Slices(layer, read, made, weights)


def _separable(trace: _Trace, layer: Any, read: list[_Ids], shapes: list[_Shape], shape: _Shape) -> _Slices:
    made = _made(trace, layer, layer.filters)
    rank = layer.depthwise_kernel.ndim
    between = np.repeat(read[0], layer.depth_multiplier)
    weights = {
        "depthwise_kernel": {rank - 2: read[0]},
        "pointwise_kernel": {rank - 2: between, rank - 1: made},
    }
    return _Slices(layer, read, made, _with_bias(layer, weights, made), {"filters": _count(made)})


def _batch_norm(trace: _Trace, layer: Any, read: list[_Ids], shapes: list[_Shape], shape: _Shape) -> _Slices:
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
    return _Slices(layer, read, read[0], {name: {0: read[0]} for name in names})


def _prelu(trace: _Trace, layer: Any, read: list[_Ids], shapes: list[_Shape], shape: _Shape) -> _Slices:
    last = layer.alpha.ndim - 1
    shared = layer.alpha.shape[last] != len(read[0])
    return _Slices(layer, read, read[0], {"alpha": {} if shared else {last: read[0]}})


def _same(trace: _Trace, layer: Any, read: list[_Ids], shapes: list[_Shape], shape: _Shape) -> _Slices:
    return _Slices(layer, read, read[0])


def _activation(trace: _Trace, layer: Any, read: list[_Ids], shapes: list[_Shape], shape: _Shape) -> _Slices:
    _pin_mixed(trace, layer, read[0])
    return _Slices(layer, read, read[0])


def _mixing(trace: _Trace, layer: Any, read: list[_Ids], shapes: list[_Shape], shape: _Shape) -> _Slices:
    """A layer that stays as it is, and everything that it reads."""
    for ids in read:
        trace.pin(ids)
    made = trace.fresh(shape[-1])
    trace.pin(made)
    return _Slices(layer, read, made)


def _rescaling(trace: _Trace, layer: Any, read: list[_Ids], shapes: list[_Shape], shape: _Shape) -> _Slices:
    scalar = np.ndim(layer.scale) == 0 and np.ndim(layer.offset) == 0
    return (_same if scalar else _mixing)(trace, layer, read, shapes, shape)


def _flatten(trace: _Trace, layer: Any, read: list[_Ids], shapes: list[_Shape], shape: _Shape) -> _Slices:
    return _Slices(layer, read, np.tile(read[0], int(np.prod(shapes[0][:-1]))))


def _reshape(trace: _Trace, layer: Any, read: list[_Ids], shapes: list[_Shape], shape: _Shape) -> _Slices:
    if shape[-1:] == shapes[0][-1:]:
        made = read[0]
    elif len(shape) == 1:
        made = np.tile(read[0], int(np.prod(shapes[0][:-1])))
    else:
        return _mixing(trace, layer, read, shapes, shape)
    count = _count(made)
    return _Slices(layer, read, made, {}, {"target_shape": lambda keep: (*shape[:-1], count(keep))})


def _permute(trace: _Trace, layer: Any, read: list[_Ids], shapes: list[_Shape], shape: _Shape) -> _Slices:
    last_stays = layer.dims[-1] == len(layer.dims)
    return (_same if last_stays else _mixing)(trace, layer, read, shapes, shape)


def _elementwise(trace: _Trace, layer: Any, read: list[_Ids], shapes: list[_Shape], shape: _Shape) -> _Slices:
    # Fresh ids: what scales the sum does not scale each of its terms.
    made = trace.fresh(max(len(ids) for ids in read))
    for ids in read:
        if len(ids) == len(made):
            trace.tie(made, ids)
        else:
            # One channel that is broadcast over all.
            trace.pin(ids)
    return _Slices(layer, read, made)


def _concatenate(trace: _Trace, layer: Any, read: list[_Ids], shapes: list[_Shape], shape: _Shape) -> _Slices:
    if layer.axis in (-1, len(shapes[0])):
        return _Slices(layer, read, np.concatenate(read))
    return _elementwise(trace, layer, read, shapes, shape)


_RULES: Mapping[str, _Rule] = {
    "Activation": _activation,
    "ActivityRegularization": _same,
    "Add": _elementwise,
    "AlphaDropout": _same,
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
    "Dropout": _same,
    "ELU": _same,
    "Flatten": _flatten,
    "GaussianDropout": _same,
    "GaussianNoise": _same,
    "GlobalAveragePooling1D": _same,
    "GlobalAveragePooling2D": _same,
    "GlobalMaxPooling1D": _same,
    "GlobalMaxPooling2D": _same,
    "GroupNormalization": _mixing,
    "Identity": _same,
    "LayerNormalization": _mixing,
    "LeakyReLU": _same,
    "MaxPooling1D": _same,
    "MaxPooling2D": _same,
    "Maximum": _elementwise,
    "Minimum": _elementwise,
    "Multiply": _elementwise,
    "Normalization": _mixing,
    "PReLU": _prelu,
    "Permute": _permute,
    "ReLU": _same,
    "Rescaling": _rescaling,
    "Reshape": _reshape,
    "SeparableConv1D": _separable,
    "SeparableConv2D": _separable,
    "Softmax": _mixing,
    "SpatialDropout1D": _same,
    "SpatialDropout2D": _same,
    "Subtract": _elementwise,
    "UnitNormalization": _mixing,
    "UpSampling1D": _same,
    "UpSampling2D": _same,
    "ZeroPadding1D": _same,
    "ZeroPadding2D": _same,
}


def _rule(keras: Any, layer: Any) -> _Rule:
    name = type(layer).__name__
    if getattr(layer, "data_format", None) == "channels_first":
        raise InputError(
            f"layer {layer.name!r} has its channels first", "build the model with data_format='channels_last'"
        )
    # By the exact class: a subclass may do anything.
    if name not in _RULES or getattr(keras.layers, name, None) is not type(layer):
        raise _unknown(keras, layer)
    return _RULES[name]


def _unknown(keras: Any, layer: Any) -> InputError:
    hint = "replace it by standard layers, or prune the model before the layer is added"
    if isinstance(layer, keras.Model):
        hint = "write the layers of the inner model into the outer one"
    elif not isinstance(layer, keras.layers.Layer):
        hint = "use the layer instead of the operation, e.g. keras.layers.Add()([a, b]) for a + b"
    return InputError(
        f"layer {layer.name!r} is a {type(layer).__name__}, whose channels cannot be followed", hint
    )
