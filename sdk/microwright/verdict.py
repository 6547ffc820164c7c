"""What the zeros among a model's weights gain on a board, and what would gain more: Graph, Plan -> Verdict.

The model as given is weighed against itself without a zero: the passes that need none of them, the kernels
for weights without any. Instructions are the compiler's estimates throughout.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Literal, TypeAlias

from microwright import costs, kernels, ops, passes
from microwright import plan as plans
from microwright.board import Board
from microwright.costs import Estimate
from microwright.graph import Graph, Node
from microwright.kernels import Choice, zeros
from microwright.kernels.blocks import Block
from microwright.kernels.zeros import Zeros
from microwright.ops import Step
from microwright.passes import edit
from microwright.plan import Call, Plan
from microwright.target import Target

Pattern: TypeAlias = Literal["channels", "blocks", "scattered"]
# Why only zeros of whole channels can gain anything.
Hindrance: TypeAlias = Literal["depthwise", "grouped", "core"]

# Fewer zeros than this are what rounding to int8 leaves anyway.
_NOTABLE = 0.1
# What would gain less than this is not worth a word.
_WORTHWHILE = 0.95
# Passes that need zeros.
_OF_ZEROS = ("channels", "merging")


@dataclass(frozen=True)
class Cost:
    """What a layer takes: its kernels, estimated instructions, and bytes of their constants in flash."""

    kernels: tuple[str, ...] = ()
    instructions: float = 0.0
    constant_bytes: int = 0


@dataclass(frozen=True)
class Alternative:
    """As many zeros that lie otherwise: estimated instructions, and how many times fewer than of no zeros."""

    pattern: Pattern
    instructions: float
    gain: float


@dataclass(frozen=True)
class Layer:
    """A layer with weights; `index` is its place in the model as given.

    channels      of its output, as given and as computed
    block         the blocks that its kernels skip; None: they skip none
    dense, now    its cost without a zero, and as it is; a layer that went has no kernels

    and of a layer where notable zeros are left when whole channels are gone:

    skips         whether its kernels skip some of them
    hindrance     why none could; `core`: it has no such kernels
    pays_from     the share of zeros from which they skip some, by pattern
    alternatives  what would take fewer instructions than now, the best one first
    """

    index: int
    op: str
    name: str
    channels: tuple[int, int]
    zeros: Zeros
    block: Block | None
    dense: Cost
    now: Cost
    skips: bool = False
    hindrance: Hindrance | None = None
    pays_from: Mapping[Pattern, float] = field(default_factory=dict)
    alternatives: tuple[Alternative, ...] = ()

    @property
    def notable(self) -> bool:
        """Whether there is anything to tell of its zeros."""
        return self.zeros.total >= _NOTABLE or self.channels[0] > self.channels[1]

    @property
    def gain(self) -> float | None:
        """How many times fewer instructions than without a zero; None where the layer went."""
        return self.dense.instructions / self.now.instructions if self.now.instructions else None


@dataclass(frozen=True)
class Total:
    """Of the model: bytes of constants in flash, MACs, estimated instructions, and time where the core is
    known. MACs are those of the layers' shapes; kernels that skip zeros do fewer.
    """

    constant_bytes: int
    macs: int
    instructions: float
    time: Estimate | None


@dataclass(frozen=True)
class Verdict:
    """What zeros gain: the layers that have weights, and the model before and after."""

    board: str
    layers: tuple[Layer, ...]
    before: Total
    after: Total
    unit: Literal["instructions"] = field(default="instructions", init=False)
    kind: Literal["estimated"] = field(default="estimated", init=False)

    @property
    def notable(self) -> bool:
        """Whether there are zeros worth a table."""
        return any(layer.notable for layer in self.layers)

    @property
    def sparsity(self) -> float:
        """Largest share of a layer's weights that are zero."""
        return max((layer.zeros.total for layer in self.layers), default=0.0)


def judge(graph: Graph, planned: Plan, board: Board) -> Verdict:
    """The verdict on a model as given, of which `planned` is the plan for the board."""
    given = passes.apply(graph, [name for name in passes.PASSES if name not in _OF_ZEROS]).graph
    plain = plans.lower(given)
    # As it would be compiled: where the arena is too large for the board, with slower kernels, too.
    dense = plans.choose(given, [zeros.filled(step) for _, step in plain], planned.target)
    before = _costs((given.nodes[at], choice) for (at, _), choice in zip(plain, dense, strict=True))
    now = _costs((planned.graph.nodes[call.node], call) for call in planned.calls)
    left = _weighted(planned.graph)
    last = _last(planned.graph, left)
    layers = []
    for index, step in _weighted(given).items():
        node = next(node for node in given.nodes if node.index == index)
        block = zeros.block_of(step, planned.target)
        layer = Layer(
            index=index,
            op=node.op,
            name=node.name,
            channels=(len(zeros.kept(step)), len(zeros.kept(left[index])) if index in left else 0),
            zeros=zeros.of(step, block),
            block=block,
            dense=before[index],
            now=now.get(index, Cost()),
        )
        if index in left and zeros.share(left[index]) >= _NOTABLE:
            layer = _advised(layer, left[index], planned.target, is_last=index in last)
        layers.append(layer)
    return Verdict(
        board.id,
        tuple(layers),
        _total(before.values(), ops.macs(given), board),
        _total(now.values(), ops.macs(planned.graph), board),
    )


def to_json(verdict: Verdict) -> dict[str, object]:
    """The verdict for JSON; shares and gains to a thousandth."""

    def cost(of: Cost) -> dict[str, object]:
        return {
            "kernels": list(of.kernels),
            "instructions": round(of.instructions),
            "constant_bytes": of.constant_bytes,
        }

    def total(of: Total) -> dict[str, object]:
        return {
            "constant_bytes": of.constant_bytes,
            "macs": of.macs,
            "instructions": round(of.instructions),
            "ms": None if of.time is None else of.time.ms,
        }

    return {
        "kind": verdict.kind,
        "unit": verdict.unit,
        "notable": verdict.notable,
        "before": total(verdict.before),
        "after": total(verdict.after),
        "layers": [
            {
                "index": layer.index,
                "op": layer.op,
                "name": layer.name,
                "channels": {"before": layer.channels[0], "after": layer.channels[1]},
                "zeros": {
                    "channels": round(layer.zeros.channels, 3),
                    "blocks": round(layer.zeros.blocks, 3),
                    "scattered": round(layer.zeros.scattered, 3),
                },
                "block": None if layer.block is None else list(layer.block),
                "dense": cost(layer.dense),
                "now": cost(layer.now),
                "gain": None if layer.gain is None else round(layer.gain, 3),
                "skips": layer.skips,
                "hindrance": layer.hindrance,
                "pays_from": dict(layer.pays_from),
                "alternatives": [
                    {"pattern": a.pattern, "instructions": round(a.instructions), "gain": round(a.gain, 3)}
                    for a in layer.alternatives
                ],
            }
            for layer in verdict.layers
        ],
    }


def _weighted(graph: Graph) -> Mapping[int, Step]:
    """The plain steps of layers with weights, by the layers' place in the model as given."""
    return {graph.nodes[at].index: step for at, step in plans.lower(graph) if zeros.has_weights(step)}


def _last(graph: Graph, weighted: Collection[int]) -> set[int]:
    """Layers with weights from which outputs of the model come without another one."""
    writers, found = edit.writers(graph), set[int]()
    seen, tensors = set[int](), list(graph.outputs)
    while tensors:
        if (tensor := tensors.pop()) in seen:
            # Branches meet again, and what is kept for the next inference makes a circle.
            continue
        seen.add(tensor)
        node = writers.get(tensor)
        if node is not None and node.index in weighted:
            found.add(node.index)
        elif node is not None:
            tensors += node.inputs
    return found


def _costs(chosen: Iterable[tuple[Node, Choice | Call]]) -> Mapping[int, Cost]:
    """By the layers' place in the model as given."""
    found: dict[int, Cost] = {}
    for node, choice in chosen:
        known = found.get(node.index, Cost())
        found[node.index] = Cost(
            (*known.kernels, choice.step.kernel),
            known.instructions + choice.instructions,
            known.constant_bytes + choice.step.constant_bytes,
        )
    return found


def _total(layers: Iterable[Cost], macs: int, board: Board) -> Total:
    layers = list(layers)
    instructions = sum(layer.instructions for layer in layers)
    return Total(
        sum(layer.constant_bytes for layer in layers),
        macs,
        instructions,
        costs.of_count(instructions, board.cpu.core, board.cpu.clock_hz) if board.cpu.clock_hz else None,
    )


def _advised(layer: Layer, step: Step, target: Target, *, is_last: bool) -> Layer:
    """The layer with what would gain more than the zeros of its plain step; the model's last one keeps its
    outputs.
    """
    if not zeros.mixes_channels(step):
        return replace(layer, hindrance="depthwise" if zeros.is_depthwise(step) else "grouped")
    fast = replace(target, optimize="speed")

    def takes(made: Step) -> float:
        return kernels.choose([made], fast)[0].instructions

    def pays(block: Block, share: float) -> bool:
        return takes(zeros.spread(step, block, share)) < dense

    share, dense = zeros.share(step), takes(zeros.filled(step))
    shapes: Mapping[Pattern, Block | None] = {"blocks": layer.block, "scattered": (1, 1)}
    pays_from: dict[Pattern, float] = {}
    others: dict[Pattern, float] = {"channels": takes(zeros.narrower(step, share, of_inputs=is_last))}
    for pattern, block in shapes.items():
        if block is not None:
            others[pattern] = takes(zeros.spread(step, block, share))
            least = _least(partial(pays, block))
            if least is not None:
                pays_from[pattern] = least
    return replace(
        layer,
        skips=takes(step) < dense,
        hindrance=None if pays_from else "core",
        pays_from=pays_from,
        alternatives=tuple(
            Alternative(pattern, instructions, layer.dense.instructions / max(instructions, 1))
            for pattern, instructions in sorted(others.items(), key=lambda other: other[1])
            if instructions < _WORTHWHILE * layer.now.instructions
        ),
    )


def _least(pays: Callable[[float], bool]) -> float | None:
    """The least share of zeros, of 5 % to 95 %, that pays; None: none does."""
    shares = [percent / 100 for percent in range(5, 100, 5)]
    at = bisect.bisect_left(shares, True, key=pays)
    return shares[at] if at < len(shares) else None
