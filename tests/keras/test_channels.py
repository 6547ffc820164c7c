"""Channel pruning: smaller layers, the same function where the removed channels are dead."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from microwright import _tensorflow
from microwright.compress import channels, prune_channels
from microwright.errors import InputError

keras = _tensorflow.keras()
L = keras.layers


def randomise(model: Any, seed: int = 0) -> None:
    """Weights as after training: none is at its initial value, variances are positive."""
    rng = np.random.default_rng(seed)
    for layer in model.layers:
        for weight in layer.weights:
            values = rng.normal(scale=0.5, size=weight.shape)
            weight.assign(np.abs(values) + 0.1 if "variance" in weight.path else values)


def kill(layer: Any, dead: np.ndarray) -> None:
    """Make the output channels `dead` of a layer zero for every input."""
    for weight in layer.weights:
        name = weight.path.split("/")[-1]
        values = np.array(weight)
        if name == "kernel" and "Transpose" in type(layer).__name__:
            values[..., dead, :] = 0
        elif name != "depthwise_kernel" and not (name == "kernel" and "Depthwise" in type(layer).__name__):
            values[..., dead] = 0
        weight.assign(values)


def same_outputs(before: Any, after: Any) -> None:
    rng = np.random.default_rng(1)
    x = [rng.normal(size=(4, *t.shape[1:])).astype(np.float32) for t in before.inputs]
    expected, actual = (model(x if len(x) > 1 else x[0], training=False) for model in (before, after))
    for a, b in zip(*((y if isinstance(y, list) else [y]) for y in (expected, actual)), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-6 * max(1, np.abs(a).max()))


def parameters(model: Any) -> int:
    return int(sum(np.prod(w.shape) for w in model.weights))


def small_cnn() -> Any:
    return keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            L.Conv2D(8, 3, padding="same", use_bias=False, name="conv1"),
            L.BatchNormalization(name="bn1"),
            L.ReLU(),
            L.DepthwiseConv2D(3, name="dw", bias_initializer="zeros"),
            L.BatchNormalization(name="bn2"),
            L.Conv2D(12, 1, activation="relu", name="conv2"),
            L.MaxPooling2D(),
            L.Flatten(),
            L.Dense(16, activation="relu", name="dense1"),
            L.Dense(5, activation="softmax", name="dense2"),
        ]
    )


def test_layers_get_smaller_and_the_output_stays() -> None:
    model = small_cnn()
    pruned = prune_channels(model, sparsity=0.5)
    assert channels(model) == {"conv1": 8, "conv2": 12, "dense1": 16}
    assert channels(pruned) == {"conv1": 4, "conv2": 6, "dense1": 8}
    assert pruned.get_layer("dw").kernel.shape == (3, 3, 4, 1)
    assert pruned.get_layer("dense1").kernel.shape == (3 * 3 * 6, 8)
    assert pruned.output_shape == model.output_shape
    assert parameters(pruned) < 0.4 * parameters(model)
    assert channels(model) == {"conv1": 8, "conv2": 12, "dense1": 16}, "the model itself is left as it was"


def test_dead_channels_go_first_and_leave_the_output_equal() -> None:
    model = small_cnn()
    randomise(model)
    dead = {"conv1": [0, 3, 5, 6], "conv2": [1, 2, 4, 8, 9, 11], "dense1": [0, 1, 2, 3, 8, 12, 14, 15]}
    for name, positions in dead.items():
        kill(model.get_layer(name), np.array(positions))
    for name in ("bn1", "bn2", "dw"):
        kill(model.get_layer(name), np.array(dead["conv1"]))
    pruned = prune_channels(model, sparsity=0.5)
    same_outputs(model, pruned)
    kept = np.delete(np.array(model.get_layer("conv1").kernel), dead["conv1"], axis=-1)
    np.testing.assert_array_equal(pruned.get_layer("conv1").kernel, kept)


def random_model(seed: int) -> tuple[Any, list[Any]]:
    """A random network with branches, and its layers with channels of their own."""
    rng = np.random.default_rng(seed)
    makers: list[Any] = []

    def widths() -> int:
        return int(rng.integers(2, 5)) * 4

    def make(layer: Any, x: Any) -> Any:
        makers.append(layer)
        return layer(x)

    def conv(x: Any, filters: int) -> Any:
        kind = rng.integers(3)
        if kind == 0:
            return make(L.Conv2D(filters, 3, padding="same"), x)
        if kind == 1:
            return make(
                L.SeparableConv2D(filters, 3, padding="same", depth_multiplier=int(rng.integers(1, 3))), x
            )
        return make(L.Conv2DTranspose(filters, 3, padding="same"), x)

    x = entry = keras.Input((6, 6, 2))
    x = conv(x, widths())
    for _ in range(rng.integers(2, 6)):
        kind, width = rng.integers(7), x.shape[-1]
        if kind == 0:
            x = L.Add()([conv(x, width), x])
        elif kind == 1:
            x = L.Concatenate()([conv(x, widths()), x, conv(x, widths())])
        elif kind == 2:
            x = L.ReLU()(make(L.BatchNormalization(), x))
        elif kind == 3:
            x = make(L.DepthwiseConv2D(3, padding="same", depth_multiplier=int(rng.integers(1, 3))), x)
        elif kind == 4:
            gate = make(L.Dense(width), L.GlobalAveragePooling2D(keepdims=True)(x))
            x = L.Multiply()([x, gate])
        elif kind == 5:
            x = L.PReLU(shared_axes=[1, 2])(L.ZeroPadding2D()(L.MaxPooling2D(2, strides=1)(x)))
        else:
            x = L.Dropout(0.3)(L.Activation("tanh")(conv(x, widths())))
    x = L.Flatten()(x) if rng.integers(2) else L.Reshape((-1,))(L.AveragePooling2D(2)(x))
    x = make(L.Dense(widths(), activation="relu"), x)
    outputs = [L.Dense(3)(x)]
    if rng.integers(2):
        outputs.append(L.Dense(2, activation="softmax")(L.Reshape((1, 1, -1))(x)))
    return keras.Model(entry, outputs), makers


@pytest.mark.parametrize("seed", range(12))
def test_random_architectures(seed: int) -> None:
    """The channels that pruning removed do not matter when they are made zero beforehand."""
    model, makers = random_model(seed)
    randomise(model, seed)
    # Which channels went shows in the biases, all of which differ.
    pruned = prune_channels(model, sparsity=0.5, granularity=2)
    assert parameters(pruned) < 0.7 * parameters(model)
    assert all(count % 2 == 0 for count in channels(pruned).values())
    for layer in makers:
        smaller = pruned.get_layer(layer.name)
        bias = "beta" if hasattr(layer, "beta") else "bias"
        before, after = np.array(getattr(layer, bias)), np.array(getattr(smaller, bias))
        kill(layer, np.flatnonzero(~np.isin(before, after)))
    same_outputs(model, pruned)
    same_outputs(pruned, prune_channels(pruned, sparsity=0))


def test_ranking_sees_batch_normalisation() -> None:
    x = entry = keras.Input((4, 4, 1))
    x = L.Conv2D(4, 1, use_bias=False, name="conv")(x)
    x = L.BatchNormalization(name="bn")(x)
    model = keras.Model(entry, L.Dense(1)(L.GlobalAveragePooling2D()(x)))
    model.get_layer("conv").kernel.assign(np.array([9.0, 1.0, 1.0, 8.0]).reshape(1, 1, 1, 4))
    model.get_layer("bn").gamma.assign([0.01, 1.0, 2.0, 0.02])
    for importance, kept in (("l2", [1.0, 1.0]), ("l1", [1.0, 1.0]), ("gamma", [1.0, 1.0])):
        pruned = prune_channels(model, sparsity=0.5, importance=importance)
        assert np.array(pruned.get_layer("conv").kernel).ravel().tolist() == kept, importance


@pytest.mark.parametrize(
    ("options", "left"),
    [
        ({"sparsity": 0.5}, 5),
        ({"sparsity": 0.5, "granularity": 4}, 8),
        ({"sparsity": 0.9, "granularity": 4}, 4),
        ({"sparsity": 0.99}, 1),
        ({"sparsity": 0.99, "minimum": 3}, 3),
        ({"sparsity": 0.1, "granularity": 16}, 10),
        ({"sparsity": 0.0}, 10),
    ],
)
def test_how_many_stay(options: dict[str, Any], left: int) -> None:
    model = keras.Sequential([keras.Input((6,)), L.Dense(10, name="hidden"), L.Dense(2)])
    assert prune_channels(model, **options).get_layer("hidden").units == left


def test_a_layer_called_twice_is_cut_once() -> None:
    entry = keras.Input((6, 6, 4))
    first = L.Conv2D(8, 1, name="first")(entry)
    shared, relu = L.Conv2D(8, 3, padding="same", name="shared"), L.ReLU()
    x = relu(shared(relu(shared(first))))
    model = keras.Model(entry, L.Dense(2)(L.GlobalMaxPooling2D()(relu(L.Conv2D(6, 1, name="other")(x)))))
    randomise(model)
    pruned = prune_channels(model, sparsity=0.5)
    assert channels(pruned) == {"first": 4, "shared": 4, "other": 3}
    assert pruned.get_layer("shared").kernel.shape == (3, 3, 4, 4)
    for name in channels(pruned):
        layer = model.get_layer(name)
        kill(layer, np.flatnonzero(~np.isin(np.array(layer.bias), np.array(pruned.get_layer(name).bias))))
    same_outputs(model, pruned)


def test_dropout_gets_less_with_what_it_drops_from() -> None:
    """Also where one layer drops from two others, which stay free of each other."""
    drop = L.Dropout(0.4, name="drop")
    given = keras.Input((8,))
    a, b = (drop(L.Dense(units, activation="relu", name=f"d{units}")(given)) for units in (16, 24))
    model = keras.Model(given, L.Dense(3)(L.Concatenate()([a, b])))
    after = prune_channels(model, sparsity=0.75)
    assert [after.get_layer(name).units for name in ("d16", "d24")] == [4, 6]
    assert after.get_layer("drop").rate == pytest.approx(0.1)
    assert model.get_layer("drop").rate == 0.4


def test_softmax_and_layer_normalisation_keep_their_channels() -> None:
    x = entry = keras.Input((8,))
    x = L.LayerNormalization()(L.Dense(8, name="normalised")(x))
    x = L.Dense(8, activation="softmax", name="attention")(x)
    x = L.Dense(8, activation="relu", name="free")(x)
    model = keras.Model(entry, L.Dense(2)(x))
    randomise(model)
    pruned = prune_channels(model, sparsity=0.5)
    assert channels(pruned) == {"free": 4}
    assert pruned.get_layer("normalised").units == 8


def test_layers_without_a_rule_stay_as_they_are() -> None:
    entry = keras.Input((8, 6))
    x = L.Conv1D(8, 3, activation="relu", name="before")(entry)
    x = L.Conv1D(8, 3, name="embedded")(x)
    x = L.Add()([x, L.MultiHeadAttention(2, 4)(x, x)])
    x = L.Bidirectional(L.LSTM(4))(L.Dense(8, name="read")(x))
    model = keras.Model(entry, L.Dense(2)(L.Dense(8, activation="relu", name="after")(x)))
    randomise(model)
    same_outputs(model, prune_channels(model, sparsity=0))
    assert channels(prune_channels(model, sparsity=0.5)) == {"before": 4, "after": 4}


def test_operations_of_tensors_are_followed() -> None:
    """a + b is what Add()([a, b]) is; an array among the operands keeps its channels."""
    entry = keras.Input((6, 6, 3))
    x = keras.ops.relu(L.Conv2D(8, 3, padding="same", name="one")(entry))
    x = 2.0 * x + L.Conv2D(8, 1, name="other")(entry)
    x = L.Conv2D(6, 1, name="scaled")(x) * np.arange(6, dtype=np.float32)
    model = keras.Model(entry, L.Dense(2)(L.GlobalAveragePooling2D()(x)))
    randomise(model)
    pruned = prune_channels(model, sparsity=0.5)
    assert channels(pruned) == {"one": 4, "other": 4}
    for name in ("one", "other"):
        layer = model.get_layer(name)
        kill(layer, np.flatnonzero(~np.isin(np.array(layer.bias), np.array(pruned.get_layer(name).bias))))
    same_outputs(model, pruned)


def test_the_copy_can_be_saved_and_pruned_again(tmp_path: Any) -> None:
    model = small_cnn()
    randomise(model)
    pruned = prune_channels(prune_channels(model, sparsity=0.25), sparsity=0.5)
    pruned.save(tmp_path / "pruned.keras")
    same_outputs(pruned, keras.models.load_model(tmp_path / "pruned.keras"))


def test_models_inside_models_are_pruned() -> None:
    """An inner model called twice is one set of layers; names that are taken twice are told apart."""
    inner = keras.Sequential(
        [keras.Input((4, 4, 6)), L.Conv2D(12, 3, padding="same", activation="relu"), L.Conv2D(6, 1)],
        name="inner",
    )
    inner.layers[0].name = "conv"
    entry = keras.Input((4, 4, 6))
    x = L.Conv2D(6, 1, name="conv")(entry)
    x = L.Add()([inner(x), inner(inner(x))])
    model = keras.Model(entry, L.Dense(2)(L.GlobalAveragePooling2D()(x)))
    randomise(model)
    same_outputs(model, prune_channels(model, sparsity=0))
    assert channels(model)["conv"] == 6
    pruned = prune_channels(model, sparsity=0.5)
    assert not any(isinstance(layer, keras.Model) for layer in pruned.layers)
    assert sorted(channels(pruned).values()) == [3, 3, 6]
    assert parameters(pruned) < 0.4 * parameters(model)


def test_groups_of_a_convolution_lose_the_same_channels() -> None:
    entry = keras.Input((5, 5, 3))
    x = L.Conv2D(8, 1, activation="relu", name="before")(entry)
    x = L.Conv2D(12, 3, groups=2, activation="relu", name="grouped")(x)
    model = keras.Model(entry, L.Dense(2)(L.GlobalAveragePooling2D()(x)))
    randomise(model)
    pruned = prune_channels(model, sparsity=0.5)
    assert channels(pruned) == {"before": 4, "grouped": 6}
    assert pruned.get_layer("grouped").kernel.shape == (3, 3, 2, 6)
    for name in ("before", "grouped"):
        layer = model.get_layer(name)
        kill(layer, np.flatnonzero(~np.isin(np.array(layer.bias), np.array(pruned.get_layer(name).bias))))
    same_outputs(model, pruned)


def test_several_inputs_and_outputs() -> None:
    image, vector = keras.Input((6, 6, 2)), keras.Input((5,))
    x = L.GlobalAveragePooling2D()(L.Conv2D(8, 3, activation="relu", name="conv")(image))
    x = L.Concatenate()([x, L.Dense(6, activation="tanh", name="dense")(vector)])
    model = keras.Model([image, vector], [L.Dense(3)(x), L.Dense(1, activation="sigmoid")(x)])
    randomise(model)
    pruned = prune_channels(model, sparsity=0.5)
    assert channels(pruned) == {"conv": 4, "dense": 3}
    for name in ("conv", "dense"):
        layer = model.get_layer(name)
        kill(layer, np.flatnonzero(~np.isin(np.array(layer.bias), np.array(pruned.get_layer(name).bias))))
    same_outputs(model, pruned)


class Unknown(L.Conv2D):
    pass


@pytest.mark.parametrize(
    ("build", "what"),
    [
        (lambda x: Unknown(4, 1, name="mine")(x), "layer 'mine' is a Unknown"),
        (lambda x: keras.ops.flip(L.Conv2D(4, 1)(x)), "whose channels cannot be followed"),
        (
            lambda x: L.LSTM(4, return_state=True, name="state")(L.Reshape((16, 4))(x))[0],
            "layer 'state' is a",
        ),
        (
            lambda x: L.MaxPooling2D(data_format="channels_first", name="pool")(x),
            "layer 'pool' has its channels",
        ),
    ],
)
def test_what_cannot_be_followed_is_named(build: Any, what: str) -> None:
    entry = keras.Input((4, 4, 4))
    model = keras.Model(entry, L.Dense(2)(L.Flatten()(build(entry))))
    with pytest.raises(InputError) as error:
        prune_channels(model, sparsity=0.5)
    assert what in error.value.message
    assert "\n" not in error.value.message + error.value.hint


@pytest.mark.parametrize("sparsity", [-0.1, 1.0, float("nan")])
def test_sparsity_out_of_range(sparsity: float) -> None:
    with pytest.raises(InputError, match="sparsity"):
        prune_channels(small_cnn(), sparsity=sparsity)


def test_channels_without_a_number() -> None:
    entry = keras.Input((None,), name="any")
    model = keras.Model(entry, L.Dense(2)(L.GlobalMaxPooling1D()(L.Conv1D(4, 1)(L.Reshape((-1, 1))(entry)))))
    with pytest.raises(InputError, match="layer 'any' has outputs of shape"):
        prune_channels(model, sparsity=0.5)


def test_nothing_to_prune() -> None:
    model = keras.Sequential([keras.Input((4,)), L.Dense(2)])
    with pytest.raises(InputError, match="no channel can be removed"):
        prune_channels(model, sparsity=0.5)
    with pytest.raises(InputError, match="only Keras 3"):
        prune_channels(keras.Sequential([L.Dense(2)]), sparsity=0.5)
