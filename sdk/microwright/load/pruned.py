"""Take the wrappers of tensorflow-model-optimization's pruning out of a model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

WRAPPER = "PruneLowMagnitude"
# What a wrapper adds to the weights of its layer.
_OWN = ("mask", "threshold", "pruning_step")


def stand_in(keras: Any) -> Any:
    """The wrapper's class for Keras 2, which loads a `.keras`; `apply_masks` then finishes it."""

    class PruneLowMagnitude(keras.layers.Wrapper):  # type: ignore[misc]
        def __init__(self, layer: Any, pruning_schedule: Any = None, **options: Any) -> None:
            names = ("block_size", "block_pooling_type", "sparsity_m_by_n")
            super().__init__(layer, **{k: v for k, v in options.items() if k not in names})
            self.masks: list[Any] = []

        def call(self, inputs: Any) -> Any:
            return self.layer(inputs)

        def load_own_variables(self, store: Any) -> None:
            """First the weights that are pruned, then a mask for each; thresholds and steps have no axis."""
            arrays = [np.asarray(store[key]) for key in sorted(store.keys(), key=int)]
            arrays = [array for array in arrays if array.ndim]
            self.masks = arrays[len(arrays) // 2 :]

    return PruneLowMagnitude


def apply_masks(model: Any) -> None:
    """Make zero in a model of stand-ins what their masks prune."""
    for wrapper in model._flatten_layers():
        masks = list(getattr(wrapper, "masks", ()))
        for weight in wrapper.layer.weights if masks else ():
            if masks and tuple(weight.shape) == masks[0].shape:
                weight.assign(weight * masks.pop(0))


def unwrap_config(config: Any) -> Mapping[str, str]:
    """Put the layers of a model's configuration in place of their wrappers; wrapper -> layer, by name."""
    names: dict[str, str] = {}
    pending = [config]
    while pending:
        value = pending.pop()
        if isinstance(value, list):
            pending += value
        elif isinstance(value, dict):
            if value.get("class_name") == WRAPPER and (layer := _wrapped(value)) is not None:
                names[value["config"]["name"]] = layer["config"]["name"]
                value.update(layer, **({"name": layer["config"]["name"]} if "name" in value else {}))
            pending += value.values()
    if names:
        _rename(config, names)
    return names


def unwrap_weights(group: Any, names: Mapping[str, str]) -> None:
    """The same for the group `model_weights` of the file: masks are applied, then go."""
    for wrapper, name in names.items():
        if wrapper not in group or name in group:
            continue
        group.move(wrapper, name)
        layer = group[name]
        weights = [_text(path) for path in layer.attrs.get("weight_names", ())]
        masks = [np.asarray(layer[path]) for path in weights if _stem(path) == "mask"]
        kept = [path for path in weights if _stem(path) not in _OWN]
        for path in kept:
            values = np.asarray(layer[path])
            if masks and values.shape == masks[0].shape:
                # The weights of a layer and their masks come in the same order.
                layer[path][...] = values * masks.pop(0)
        layer.attrs["weight_names"] = np.array([path.encode() for path in kept], dtype=bytes)
    order = [_text(name) for name in group.attrs["layer_names"]]
    group.attrs["layer_names"] = np.array([names.get(name, name).encode() for name in order], dtype=bytes)


def _wrapped(wrapper: Mapping[str, Any]) -> dict[str, Any] | None:
    """Configuration of the layer inside, None where the wrapper has none."""
    options = wrapper.get("config")
    layer = options.get("layer") if isinstance(options, dict) else None
    if not isinstance(options, dict) or not isinstance(layer, dict):
        return None
    inner = layer.get("config")
    named = isinstance(inner, dict) and isinstance(inner.get("name"), str)
    return layer if named and isinstance(options.get("name"), str) else None


def _rename(config: Any, names: Mapping[str, str]) -> None:
    """Layers that read a wrapper read its layer: their references are names in lists."""
    pending = [config]
    while pending:
        value = pending.pop()
        if isinstance(value, list):
            value[:] = [names.get(item, item) if isinstance(item, str) else item for item in value]
            pending += value
        elif isinstance(value, dict):
            pending += value.values()


def _stem(path: str) -> str:
    """`mask` of `layer/mask_1:0`."""
    return path.rsplit("/", 1)[-1].split(":")[0].rstrip("0123456789").rstrip("_")


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
