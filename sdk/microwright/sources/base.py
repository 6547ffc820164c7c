"""What all sources share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from microwright.data import Input
from microwright.errors import InputError

# Of a table or a generator, whose samples may be small and whose end may never come.
MAX_SAMPLES = 1 << 20
FORMS = "give a .npz or .npy, a .csv, a folder of images, or module:function"


@dataclass(frozen=True)
class Source:
    """Where samples come from, and what the user says of them.

    `where` is a path, or `module:function`. `image_scale` is what black and white of an image are for the
    model, e.g. (0, 1); `label` the column of a table that has the labels.
    """

    where: str
    image_scale: tuple[float, float] | None = None
    label: str | None = None


def only_input(source: Source, inputs: Sequence[Input], what: str) -> Input:
    """The model's input. Raises InputError where it has several, which `what` cannot fill."""
    if len(inputs) != 1:
        raise InputError(
            f"{source.where}: the model has {len(inputs)} inputs, {what} has samples of one",
            "give a .npz with an array for each input, or module:function",
        )
    return inputs[0]
