"""Models from files of every kind: path -> Model, and what a float model computes."""

from __future__ import annotations

from microwright.load.custom import custom_object
from microwright.load.model import (
    Model,
    from_keras,
    function,
    input_shapes,
    inputs,
    inputs_of,
    output_names,
    predict,
    save,
)
from microwright.load.read import keras_model, load, takes_custom_objects
from microwright.load.shapes import Shapes

__all__ = [
    "Model",
    "Shapes",
    "custom_object",
    "from_keras",
    "function",
    "input_shapes",
    "inputs",
    "inputs_of",
    "keras_model",
    "load",
    "output_names",
    "predict",
    "save",
    "takes_custom_objects",
]
