"""Copies of layers and models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from microwright import _tensorflow
from microwright.errors import InputError


def layer(original: Any, changes: Mapping[str, Any] | None = None) -> Any:
    """A layer of the same configuration but for some changes, without the weights. Raises InputError."""
    try:
        return type(original).from_config({**original.get_config(), **(changes or {})})
    # What Keras and the constructors of custom layers raise.
    except (NotImplementedError, TypeError, ValueError) as error:  # the first is Keras's, of no get_config
        reason = " ".join(str(error).split())[:120]
        raise InputError(
            f"layer {original.name!r}, a {type(original).__name__}, cannot be copied: {reason}",
            "replace it by standard layers, or give its class a get_config() of its constructor's arguments",
        ) from None


def model(original: Any) -> Any:
    """A copy of a model with its weights. Raises InputError for a layer that cannot be copied."""
    made = _tensorflow.keras().models.clone_model(original, clone_function=layer)
    for own in original.layers:
        # An input layer gets another name.
        if own.weights:
            weights(own, made.get_layer(own.name))
    return made


def weights(source: Any, destination: Any) -> None:
    """Give a layer the weights of one of the same shapes, and what it makes of them (Normalization)."""
    for own, other in zip(source._flatten_layers(), destination._flatten_layers(), strict=True):
        store: dict[str, Any] = {}
        own.save_own_variables(store)
        other.load_own_variables(store)
