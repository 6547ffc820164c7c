"""Models without models inside them: the layers of an inner model become layers of the outer one."""

from __future__ import annotations

from typing import Any

from microwright import _tensorflow
from microwright.compress import copies
from microwright.compress.trace import calls, require_model


def inline(model: Any) -> Any:
    """The model itself where none of its layers is a model; otherwise a copy that computes the same.

    Layers keep their names; one whose name is taken gets the inner model's in front. Raises InputError for
    what is no Sequential or functional model.
    """
    keras = _tensorflow.keras()
    require_model(model)
    if not any(isinstance(layer, keras.Model) for layer in model.layers):
        return model
    made_of: dict[int, Any] = {}
    taken: set[str] = set()

    def copy(layer: Any, prefix: str) -> Any:
        if id(layer) not in made_of:
            name = layer.name if layer.name not in taken else f"{prefix}{layer.name}"
            while name in taken:
                name += "_"
            taken.add(name)
            # An operation that is no layer has no weights and serves twice.
            made_of[id(layer)] = (
                copies.layer(layer, {"name": name}) if isinstance(layer, keras.layers.Layer) else layer
            )
        return made_of[id(layer)]

    def run(inner: Any, inputs: list[Any], prefix: str) -> list[Any]:
        require_model(inner)
        values = {id(tensor): value for tensor, value in zip(inner.inputs, inputs, strict=True)}
        for layer, index, read, made in calls(inner):
            if not read:
                continue
            if isinstance(layer, keras.Model):
                results = run(layer, [values[id(tensor)] for tensor in read], f"{prefix}{layer.name}_")
            else:
                arguments, options = layer._inbound_nodes[index].arguments.fill_in(values)
                results = keras.tree.flatten(copy(layer, prefix)(*arguments, **options))
            values.update({id(tensor): result for tensor, result in zip(made, results, strict=True)})
        return [values[id(tensor)] for tensor in inner.outputs]

    inputs = [
        keras.Input(tensor.shape[1:], dtype=tensor.dtype, name=tensor.name.split(":")[0])
        for tensor in model.inputs
    ]
    outputs = run(model, inputs, "")
    entry, end = ends(model)
    flat = keras.Model(
        keras.tree.pack_sequence_as(entry, inputs),
        keras.tree.pack_sequence_as(end, outputs),
        name=model.name,
    )
    originals: dict[int, Any] = {}
    _collect(keras, model, originals)
    for key, layer in made_of.items():
        if isinstance(layer, keras.layers.Layer):
            copies.weights(originals[key], layer)
    return flat


def ends(model: Any) -> tuple[Any, Any]:
    """Symbolic inputs and outputs of a model in the structure that it is called with."""
    if isinstance(model, _tensorflow.keras().Sequential):
        return model.inputs[0], model.outputs[0]
    return model.input, model.output


def _collect(keras: Any, model: Any, found: dict[int, Any]) -> None:
    """The layers of a model and of those inside it, by id."""
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            _collect(keras, layer, found)
        found[id(layer)] = layer
