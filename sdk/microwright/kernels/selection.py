"""Which kernel computes each step: the fastest, or for size those that are worth their code."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

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
    if target.optimize == "size":
        return _smallest([_Options(step, kernels, target) for step in steps])
    return [_Options(step, kernels, target).best() for step in steps]


class _Options:
    """The kernels that could compute a step, fastest first; each is tried when it is asked for."""

    def __init__(self, step: Step, kernels: Mapping[str, tuple[Kernel, ...]], target: Target) -> None:
        usable = [kernel for kernel in kernels.get(step.kernel, ()) if kernel.needs <= target.features]
        self._plain = step
        self._kernels = sorted(usable, key=lambda kernel: kernel.cost(step))
        self._tried: dict[str, Step | str] = {}

    def best(self, dropped: Mapping[str, str] | None = None) -> Choice:
        """The fastest kernel that is possible and not dropped; `dropped` gives reasons by kernel."""
        rejected: dict[str, str] = {}
        for kernel in self._kernels:
            made = self._repack(kernel)
            if isinstance(made, str):
                rejected[kernel.name] = made
            elif dropped and kernel.name in dropped:
                rejected[kernel.name] = dropped[kernel.name]
            else:
                return Choice(made, kernel.cost(self._plain), rejected)
        return Choice(self._plain, plain.instructions(self._plain), rejected)

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
        candidates: list[tuple[float, str, list[Choice]]] = []
        for name in sorted({choice.step.kernel for choice in best} - dropped.keys()):
            without = [option.best({**dropped, name: ""}) for option in options]
            saved_bytes = _flash_bytes(best) - _flash_bytes(without)
            gain = saved_bytes * per_byte - (_instructions(without) - _instructions(best))
            if saved_bytes > 0 and gain > 0:
                candidates.append((gain, name, without))
        if not candidates:
            return best
        _, name, without = max(candidates, key=lambda candidate: candidate[:2])
        saved_bytes = _flash_bytes(best) - _flash_bytes(without)
        dropped[name] = f"for size: without it, the firmware is about {saved_bytes} bytes smaller"
        best = [option.best(dropped) for option in options]


def _instructions(choices: Iterable[Choice]) -> float:
    return sum(choice.instructions for choice in choices)


def _flash_bytes(choices: Sequence[Choice]) -> int:
    """Of code and constants."""
    return code.code_bytes(choice.step.kernel for choice in choices) + sum(
        choice.step.constant_bytes for choice in choices
    )
