"""Which kernel computes each step: the fastest, or for size those that are worth their code."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

from microwright.kernels import code, plain
from microwright.kernels.base import Kernel, Rejected
from microwright.ops import Step
from microwright.target import Target

# For size, a byte of flash has to save so large a share of the model's instructions: 1 % for 100 bytes.
_SHARE_PER_BYTE = 0.01 / 100


@dataclass(frozen=True, eq=False)
class Choice:
    """How a step is computed.

    `instructions` are an estimate. `rejected` says of each kernel that would be faster why it is not taken.
    """

    step: Step
    instructions: float
    rejected: Mapping[str, str]


def choose(steps: Sequence[Step], kernels: Mapping[str, tuple[Kernel, ...]], target: Target) -> list[Choice]:
    """A choice for each plain step among `kernels`, by plain kernel."""
    return Selection(steps, kernels, target, lambda call, step: 0).choose({})


class Selection:
    """What could compute a model's plain steps, to choose from with more or less memory.

    needed   bytes of the arena in use during a call when the step computes it
    """

    def __init__(
        self,
        steps: Sequence[Step],
        kernels: Mapping[str, tuple[Kernel, ...]],
        target: Target,
        needed: Callable[[int, Step], int],
    ) -> None:
        self._target = target
        self._options = [
            _Options(step, kernels, target, partial(needed, call)) for call, step in enumerate(steps)
        ]

    def choose(self, rooms: Mapping[int, int]) -> list[Choice]:
        """A choice for each step; `rooms` has the most bytes of the arena for some of the calls.

        Where no kernel needs so little, it is the one that needs least.
        """
        for call, option in enumerate(self._options):
            option.room = rooms.get(call)
        if self._target.optimize == "size":
            return _smallest(self._options)
        return [option.best() for option in self._options]


class _Options:
    """The kernels that could compute a step, fastest first; each is tried when it is asked for.

    room   the most bytes of the arena that one may need, None where there is no limit
    """

    def __init__(
        self,
        step: Step,
        kernels: Mapping[str, tuple[Kernel, ...]],
        target: Target,
        needed: Callable[[Step], int],
    ) -> None:
        usable = [kernel for kernel in kernels.get(step.kernel, ()) if kernel.needs <= target.features]
        costs = {kernel: kernel.cost(step) for kernel in usable}
        self._plain = step
        self._kernels = sorted((k for k in usable if math.isfinite(costs[k])), key=costs.__getitem__)
        self._tried: dict[str, Step | str] = {}
        self._needed = needed
        self.room: int | None = None

    def best(self, dropped: Mapping[str, str] | None = None) -> Choice:
        """The fastest kernel that is possible and not dropped; `dropped` gives reasons by kernel."""
        rejected: dict[str, str] = {}
        for kernel in self._kernels:
            made = self._repack(kernel)
            if isinstance(made, str):
                rejected[kernel.name] = made
            elif dropped and kernel.name in dropped:
                rejected[kernel.name] = dropped[kernel.name]
            elif self._is_too_large(made):
                rejected[kernel.name] = f"memory: the arena would need {self._needed(made)} bytes or more"
            else:
                return Choice(made, kernel.cost(self._plain), rejected)
        # Where the kernel that fits is dropped, no time is short enough.
        instructions = math.inf if self._is_too_large(self._plain) else plain.instructions(self._plain)
        return Choice(self._plain, instructions, rejected)

    def _is_too_large(self, step: Step) -> bool:
        return self.room is not None and self._needed(step) > max(self.room, self._least_bytes)

    @cached_property
    def _least_bytes(self) -> int:
        """What the call needs of the arena with any kernel."""
        made = [step for kernel in self._kernels if not isinstance(step := self._repack(kernel), str)]
        return min(self._needed(step) for step in (*made, self._plain))

    def _repack(self, kernel: Kernel) -> Step | str:
        """The kernel's call, or why it cannot be taken."""
        if kernel.name not in self._tried:
            try:
                self._tried[kernel.name] = kernel.repack(self._plain)
            except Rejected as reason:
                self._tried[kernel.name] = str(reason)
        return self._tried[kernel.name]


def _smallest(options: Sequence[_Options]) -> list[Choice]:
    """Drop the kernels that save too little time for their code and constants, the least useful first."""
    dropped: dict[str, str] = {}
    best = [option.best() for option in options]
    per_byte = _SHARE_PER_BYTE * _instructions(best)
    while True:
        candidates: list[tuple[float, list[str]]] = []
        for name in sorted(_names(best) - dropped.keys()):
            names, without = _without(name, options, dropped, best)
            saved_bytes = _flash_bytes(best) - _flash_bytes(without)
            gain = saved_bytes * per_byte - (_instructions(without) - _instructions(best))
            if saved_bytes > 0 and gain > 0:
                candidates.append((gain, names))
        if not candidates:
            return best
        _, names = max(candidates)
        without = [option.best({**dropped, **dict.fromkeys(names, "")}) for option in options]
        saved_bytes = _flash_bytes(best) - _flash_bytes(without)
        reason = f"for size: without it, the firmware is about {saved_bytes} bytes smaller"
        dropped.update(dict.fromkeys(names, reason))
        best = [option.best(dropped) for option in options]


def _without(
    name: str, options: Sequence[_Options], dropped: Mapping[str, str], best: Sequence[Choice]
) -> tuple[list[str], list[Choice]]:
    """What is dropped with a kernel, and what is left: its successors go as well until flash is saved."""
    names = [name]
    while True:
        without = [option.best({**dropped, **dict.fromkeys(names, "")}) for option in options]
        successors = sorted(_names(without) - _names(best) - set(names))
        if _flash_bytes(without) < _flash_bytes(best) or not successors:
            return names, without
        names += successors


def _names(choices: Iterable[Choice]) -> set[str]:
    """Kernels that are called."""
    return {choice.step.kernel for choice in choices}


def _instructions(choices: Iterable[Choice]) -> float:
    return sum(choice.instructions for choice in choices)


def _flash_bytes(choices: Sequence[Choice]) -> int:
    """Of code and constants."""
    return code.code_bytes(choice.step.kernel for choice in choices) + sum(
        choice.step.constant_bytes for choice in choices
    )
