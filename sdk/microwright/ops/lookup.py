"""Any function of one int8 tensor, element by element, that graph passes have made a table of; in no file."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from microwright.graph import Graph, Node
from microwright.ops import table


def _entry(graph: Graph, node: Node) -> Callable[[int], int]:
    """The option "table" has the outputs' bytes in the order of the inputs' as unsigned."""
    entries = np.array(node.options["table"], np.uint8).view(np.int8).tolist()
    return lambda value: int(entries[value & 0xFF])


OP = table.unary(_entry)
