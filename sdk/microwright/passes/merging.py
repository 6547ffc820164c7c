"""Constant channels that a padded convolution reads: a few of them do the work of all.

At the border such a channel counts less, by the taps that fall outside of the image, so that no bias can take
it. But what falls outside is whole taps, and of a tap only the sum over the constant channels matters:
sum(w[i] * d[i]), with the constants d less the zero point. Two constants give every sum that their greatest
common divisor divides, up to a size that more of them raise. So a few channels get new weights and the others
lose theirs; `channels` removes these all the way back. Exact at every output, whatever the stride, the
dilation and the padding, and no kernel has to know.

A single constant channel stays, and so do a few among many. Behind a padded depthwise convolution, a constant
is another one at the border: such channels stay as well, since each class of border pixels would need
channels of its own, 16 for a 3x3 filter.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Set
from dataclasses import replace

import numpy as np

from microwright import ops
from microwright.errors import InputError
from microwright.graph import Graph, Node
from microwright.passes import channels, ranges
from microwright.passes.channels import Flags, Layer
from microwright.passes.ranges import Ints

# -128 would have no counterpart.
_MOST = 127
# The padded layers' MACs have to become so much less: kernels like some numbers of channels more than others.
# By the estimates, those for Helium take up to 8 % longer for 47 channels than for 48.
_WORTH = 0.9
# So many channels reach sums of a million. For each number of them, so many choices are tried.
_MOST_CHANNELS = 32
_TRIED = 32


def run(graph: Graph) -> Graph:
    """The graph with fewer constant channels and so fewer MACs, or itself."""
    bounds = ranges.of(graph)
    if bounds is None:
        return graph
    layers = channels.layers_of(graph, bounds)
    padded = [node for node in graph.nodes if node.index in layers and _stays(layers[node.index]).any()]
    merged = graph
    for tensor in sorted({node.inputs[0] for node in padded}):
        readers = {node.index: layers[node.index] for node in padded if node.inputs[0] == tensor}
        merged = _merged(merged, readers)
    # All tensors have the values that they had, and so the bounds.
    smaller = channels.without_idle(merged, bounds)
    macs = [_macs(g, {node.index for node in padded}) for g in (graph, smaller)]
    return smaller if macs[1] < _WORTH * macs[0] else graph


def _macs(graph: Graph, layers: Set[int]) -> int:
    return sum(ops.get(node).macs(graph, node) for node in graph.nodes if node.index in layers)


def _stays(layer: Layer) -> Flags:
    """The channels that have to be read because no bias can take them."""
    stays: Flags = (layer.constant != 0) & ~layer.vanishes & (layer.weights != 0).any(axis=(0, 1))
    return stays


def _merged(graph: Graph, readers: Mapping[int, Layer]) -> Graph:
    """The graph in which padded layers that read the same tensor need fewer of its constant channels."""
    places = np.flatnonzero(np.any([_stays(layer) for layer in readers.values()], axis=0))
    constants = next(iter(readers.values())).constant[places]
    sums = {index: layer.weights[..., places] @ constants for index, layer in readers.items()}
    chosen = _chosen(np.unique(np.concatenate([s.reshape(-1) for s in sums.values()])), constants)
    if chosen is None:
        return graph
    nodes, tensors = list(graph.nodes), list(graph.tensors)
    for position, node in enumerate(nodes):
        if node.index in readers:
            weights = readers[node.index].weights.copy()
            weights[..., places] = 0
            weights[..., places[chosen]] = _weights(sums[node.index], constants[chosen])
            given = tensors[node.inputs[1]]
            data = weights.astype(np.int8).reshape(given.shape)
            tensors.append(replace(given, index=len(tensors), data=data))
            nodes[position] = replace(node, inputs=(node.inputs[0], len(tensors) - 1, *node.inputs[2:]))
    merged = replace(graph, nodes=tuple(nodes), tensors=tuple(tensors))
    return merged if all(_is_supported(merged, node) for node in nodes if node.index in readers) else graph


def _is_supported(graph: Graph, node: Node) -> bool:
    """Whether no accumulator can overflow: that is asked of all inputs, constant or not."""
    try:
        ops.get(node).check(graph, node)
    except InputError:
        return False
    return True


def _chosen(sums: Ints, constants: Ints) -> Ints | None:
    """Places of the fewest constants that give all sums; None where it takes all of them."""
    least = math.ceil(np.abs(sums).max() / (_MOST * np.abs(constants).max()))
    for count in range(max(least, 1), min(len(constants), _MOST_CHANNELS + 1)):
        for chosen in itertools.islice(_choices(sums, constants, count), _TRIED):
            if _weights(sums, constants[chosen]) is not None:
                return chosen
    return None


def _choices(sums: Ints, constants: Ints, count: int) -> Iterator[Ints]:
    """Places of so many constants that could give all sums; first those that reach far."""
    sizes = [abs(int(constant)) for constant in constants]
    largest_first = sorted(range(len(sizes)), key=lambda place: (-sizes[place], place))
    divisor = int(np.gcd.reduce(sums))

    def all_of(places: tuple[int, ...]) -> tuple[int, ...]:
        others = [place for place in largest_first if place not in places]
        return (*others[: count - len(places)], *places)

    def reach(places: tuple[int, ...]) -> int:
        """How far they go; the weights of the last one first have to make a remainder."""
        *coarse, large, small = (sizes[place] for place in places) if count > 1 else (sizes[places[0]], 0)
        return _MOST * (sum(coarse) + large) + small * (_MOST - large // math.gcd(large, small))

    # The largest go far, the smallest have the remainders.
    last = [*largest_first[:_TRIED], *largest_first[_TRIED:][-_TRIED:]]
    choices = [
        all_of(places)
        for places in itertools.combinations(last, min(count, 2))
        if divisor % math.gcd(*(sizes[place] for place in places)) == 0
    ]
    farthest = int(np.abs(sums).max())
    reaching = [(-far, places) for places in choices if (far := reach(places)) >= farthest]
    yield from (np.array(places) for _, places in sorted(reaching))


def _weights(sums: Ints, constants: Ints) -> Ints | None:
    """Weights [..., constants] whose products with the constants have these sums [...]; None without any.

    All but the last two constants take off what they can, those two have to give the rest.
    """
    left = sums.copy()
    weights = np.zeros((*sums.shape, max(len(constants), 2)), np.int64)
    for place, constant in enumerate(constants[:-2]):
        weights[..., place] = np.clip(np.rint(left / constant), -_MOST, _MOST)
        left -= weights[..., place] * constant
    divisor, other = constants[-2:] if len(constants) > 1 else (constants[0], 0)
    missing = np.ones(sums.shape, np.bool_)
    for weight in sorted(range(-_MOST, _MOST + 1), key=abs):
        quotients, remainders = np.divmod(left - weight * other, divisor)
        found = missing & (remainders == 0) & (np.abs(quotients) <= _MOST)
        weights[found, -2], weights[found, -1] = quotients[found], weight
        missing &= ~found
        if not missing.any():
            return weights[..., : len(constants)]
    return None
