"""Names of a graph's inputs and outputs: those of the file's signature, else those of the tensors."""

from __future__ import annotations

import re
from collections.abc import Sequence

from microwright._flatbuffer import Table
from microwright.graph.model import Tensor

_DEFAULT = "serving_default"


def ends(
    model: Table, tensors: Sequence[Tensor], inputs: Sequence[int], outputs: Sequence[int]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of the inputs and of the outputs, in their order.

    A file may have several signatures of its function; `serving_default` counts, or else the first. Raises
    InputError where one names a tensor that does not exist. What it leaves out has the tensor's name.
    """
    signatures = [s for s in model.tables(7, "signature") if s.integer(4, "uint32", "subgraph_index") == 0]
    signatures.sort(key=lambda s: s.text(2, "signature_key") != _DEFAULT)
    named = [_named(signatures[0], slot, tensors) if signatures else {} for slot in (0, 1)]
    first, last = (
        tuple(known[index].pop(0) if known.get(index) else _plain(tensors[index].name) for index in ends)
        for known, ends in zip(named, (inputs, outputs), strict=True)
    )
    return _unlike(first), _unlike(last)


def _unlike(names: tuple[str, ...]) -> tuple[str, ...]:
    """The names, all of them with their position where some are the same."""
    return names if len(set(names)) == len(names) else tuple(f"{n}:{i}" for i, n in enumerate(names))


def _named(signature: Table, slot: int, tensors: Sequence[Tensor]) -> dict[int, list[str]]:
    """The names of each tensor: a tensor may be several outputs."""
    found: dict[int, list[str]] = {}
    for entry in signature.tables(slot, f"{signature.what}: {('input', 'output')[slot]}"):
        index, name = entry.integer(1, "uint32", "tensor_index"), entry.text(0, "name")
        if index >= len(tensors):
            entry.file.fail(f"{entry.what} is tensor {index} of {len(tensors)}")
        if name and name.isprintable():
            found.setdefault(index, []).append(name)
    return found


def _plain(name: str) -> str:
    """`image` of `serving_default_image:0`, as TensorFlow Lite's converter calls the input `image`."""
    return re.sub(r"^serving_default_|:0$", "", name)
