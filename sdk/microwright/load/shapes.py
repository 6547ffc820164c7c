"""Sizes that a Keras model leaves open: fixed, as given for one input or by the inputs' names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from microwright import _tensorflow
from microwright._user_code import reason
from microwright.errors import InputError

Shape = tuple[int, ...]
# Of one sample, without the batch; a shape alone is of the only input.
Shapes = Shape | Mapping[str, Shape]

HINT = "give the sizes: --input-shape 96x96x3, or NAME=96x96x3 for each of several inputs"


def given(where: str, shapes: Shapes | None, names: Sequence[str]) -> Mapping[str, Shape]:
    """The given shapes by the inputs' names. Raises InputError for names that there are not."""
    if shapes is None:
        return {}
    listed = ", ".join(names)[:300]
    if not isinstance(shapes, Mapping):
        if len(names) != 1:
            raise InputError(
                f"{where}: one shape for {len(names)} inputs: {listed}",
                "name each: --input-shape NAME=96x96x3",
            )
        return {names[0]: tuple(shapes)}
    for name in shapes:
        if name not in names:
            raise InputError(f"{where}: there is no input {name!r}", f"the inputs are: {listed}")
    return {name: tuple(shape) for name, shape in shapes.items()}


def merged(where: str, name: str, own: Sequence[int | None], wanted: Shape | None) -> tuple[int | None, ...]:
    """Shape of a sample with what is open in it fixed. Raises InputError where the two do not fit."""
    if wanted is None:
        return tuple(own)
    if len(own) != len(wanted) or any(size not in (None, new) for size, new in zip(own, wanted, strict=True)):
        shown = "x".join("?" if size is None else str(size) for size in own)
        raise InputError(
            f"{where}: the input {name!r} has the shape {shown}, not {'x'.join(map(str, wanted))}",
            "give sizes for what is open (?), and the rest as it is",
        )
    return wanted


def fixed(where: str, model: Any, shapes: Shapes | None) -> Any:
    """The Keras model with the given shapes, and a batch of any size; the same weights.

    A model of the user's own class, which knows no inputs, gets them so. Raises InputError.
    """
    keras = _tensorflow.keras_of(model)
    if not getattr(model, "inputs", None):
        return _with_inputs(where, keras, model, shapes)
    names = input_names(model)
    wanted = given(where, shapes, names)
    own = [tuple(tensor.shape) for tensor in model.inputs]
    if not wanted and all(shape[0] is None for shape in own if shape):
        return model
    entries = [
        keras.Input(merged(where, name, shape[1:], wanted.get(name)), dtype=tensor.dtype, name=name)
        for name, shape, tensor in zip(names, own, model.inputs, strict=True)
    ]
    try:
        with _tensorflow.Quiet():
            return keras.models.clone_model(
                model, input_tensors=arranged(model, entries), clone_function=lambda layer: layer
            )
    # Keras raises what the layers raise that the shapes do not fit.
    except Exception as error:
        raise _unfit(where, error) from None


def input_names(model: Any) -> list[str]:
    """Names of a Keras model's input layers, which files keep; a tensor's own name may count on."""
    return [str(tensor._keras_history[0].name) for tensor in model.inputs]


def arranged(model: Any, values: Sequence[Any]) -> Any:
    """Values for a Keras model's inputs, in the structure that it takes: one, a list, a dictionary."""
    if isinstance(model, _tensorflow.keras_of(model).Sequential):
        return values[0]
    return _tensorflow.tensorflow().nest.pack_sequence_as(model.input, list(values))


def _with_inputs(where: str, keras: Any, model: Any, shapes: Shapes | None) -> Any:
    if shapes is None:
        raise InputError(f"{where}: the model does not know its input shape", HINT)
    named = shapes.items() if isinstance(shapes, Mapping) else [("input", shapes)]
    entries = [keras.Input(tuple(shape), name=name) for name, shape in named]
    try:
        with _tensorflow.Quiet():
            outputs = model(entries[0] if len(entries) == 1 else entries)
            return keras.Model(entries, outputs, name=model.name)
    except Exception as error:
        raise _unfit(where, error) from None


def _unfit(where: str, error: Exception) -> InputError:
    return InputError(
        f"{where}: the model does not take these shapes: {reason(error)}", "give sizes that its layers take"
    )
