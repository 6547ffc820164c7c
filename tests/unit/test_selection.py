"""Which kernel a step gets: the fastest that is possible, or for size what is worth its code."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from microwright.kernels import KERNELS, code, gemm_dsp, selection
from microwright.kernels.base import Kernel, Rejected
from microwright.kernels.selection import Choice
from microwright.ops import Constant, Step
from microwright.target import Feature, Target

SMALL = Target("cortex-m4", frozenset({"dsp"}), "size")
FAST = dataclasses.replace(SMALL, optimize="speed")


@pytest.fixture(autouse=True)
def sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Code of the kernels below."""
    made = {"mean_s8": 100, "pool": 300, "quick": 1000, "quicker": 3000, "huge": 100}
    monkeypatch.setattr(code, "code_bytes", lambda kernels: sum(made[kernel] for kernel in set(kernels)))


def step(elements: int) -> Step:
    """A plain step of 8 instructions an element."""
    fields = {"keep_size": (1, 1, 1), "reduce_size": (elements, 1, 1)}
    return Step("mean_s8", (0,), (1,), fields)


def kernel(
    name: str, instructions: float, *, needs: Feature | None = None, constants: int = 0, most: int = 10**9
) -> Kernel:
    """A kernel that takes so many instructions an element, for up to `most` elements."""

    def repack(plain: Step) -> Step:
        if elements(plain) > most:
            raise Rejected(f"more than {most} elements")
        return Step(name, plain.inputs, plain.outputs, {"table": Constant(np.zeros(constants, np.int8))})

    needed: frozenset[Feature] = frozenset() if needs is None else frozenset({needs})
    return Kernel(name, needed, repack, lambda plain: instructions * elements(plain))


def elements(plain: Step) -> int:
    sizes = plain.fields["reduce_size"]
    assert isinstance(sizes, tuple)
    return int(sizes[0])


QUICK, QUICKER = kernel("quick", 4), kernel("quicker", 1)


def chosen(target: Target, sizes: list[int], *kernels: Kernel) -> list[Choice]:
    return selection.choose([step(size) for size in sizes], {"mean_s8": kernels}, target)


def names(choices: list[Choice]) -> list[str]:
    return [choice.step.kernel for choice in choices]


def test_the_fastest_kernel_is_taken() -> None:
    (choice,) = chosen(FAST, [100], QUICK, QUICKER)
    assert (choice.step.kernel, choice.instructions, choice.rejected) == ("quicker", 100, {})


def test_a_kernel_that_the_core_cannot_run_is_not_even_named() -> None:
    (choice,) = chosen(FAST, [100], QUICK, kernel("huge", 1, needs="mve"))
    assert (choice.step.kernel, choice.rejected) == ("quick", {})


def test_a_faster_kernel_that_is_impossible_says_why() -> None:
    choices = chosen(FAST, [10, 1000], QUICK, kernel("quicker", 1, most=100))
    assert names(choices) == ["quicker", "quick"]
    assert [dict(choice.rejected) for choice in choices] == [{}, {"quicker": "more than 100 elements"}]


def test_without_any_kernel_the_plain_one_is_left() -> None:
    (choice,) = chosen(FAST, [1000], kernel("quicker", 1, most=100))
    assert (choice.step.kernel, choice.instructions) == ("mean_s8", 8000)


def test_size_takes_a_kernel_that_saves_much_time() -> None:
    assert names(chosen(SMALL, [1000], QUICKER)) == ["quicker"]


def test_size_drops_a_kernel_that_saves_little_of_the_models_time() -> None:
    # The small step is 1 % of the whole: it does not pay for a kernel of its own.
    big, small = kernel("huge", 1), kernel("quicker", 0.9, most=10)
    assert names(chosen(SMALL, [1000, 10], small, big)) == ["huge", "huge"]
    assert names(chosen(FAST, [1000, 10], small, big)) == ["huge", "quicker"]


def test_size_says_what_it_saves_by_dropping() -> None:
    # 8 instead of 4 instructions an element would be twice as slow, which 900 bytes are not worth; between 4
    # and 3.9 there is hardly a difference.
    choices = chosen(SMALL, [1000], QUICK, kernel("quicker", 3.9))
    assert names(choices) == ["quick"]
    assert choices[0].rejected == {
        "quicker": "for size: without it, the firmware is about 2000 bytes smaller"
    }


def test_size_counts_constants() -> None:
    choices = chosen(SMALL, [1000], kernel("quick", 4), kernel("huge", 3.9, constants=5000))
    assert names(choices) == ["quick"]


def test_size_drops_one_of_two_kernels_for_the_same_work() -> None:
    # Each alone would do for both steps.
    first, second = kernel("quick", 4, most=10**6), kernel("pool", 4.01)
    choices = chosen(SMALL, [1000, 10**7], first, second)
    assert names(choices) == ["pool", "pool"]


def test_size_drops_a_kernel_together_with_a_larger_one_that_would_follow() -> None:
    choices = chosen(SMALL, [1000], kernel("quick", 7.98), kernel("quicker", 7.99))
    assert names(choices) == ["mean_s8"]


def with_room(target: Target, rooms: dict[int, int], *kernels: Kernel) -> list[Choice]:
    """Of two steps of 1000 elements, the second of which needs a byte more."""
    steps = [step(1000), step(1000)]
    needed = {"mean_s8": 6, "quick": 5, "quicker": 7}
    made = selection.Selection(
        steps, {"mean_s8": kernels}, target, lambda call, step: needed[step.kernel] + call
    )
    return made.choose(rooms)


@pytest.mark.parametrize("target", [FAST, SMALL])
def test_little_room_takes_the_fastest_kernel_that_fits(target: Target) -> None:
    assert names(with_room(target, {}, QUICK, QUICKER)) == ["quicker", "quicker"]
    assert names(with_room(target, {0: 7, 1: 7}, QUICK, QUICKER)) == ["quicker", "quick"]
    assert names(with_room(target, {0: 6}, QUICK, QUICKER)) == ["quick", "quicker"]
    assert names(with_room(target, {0: 6, 1: 8}, QUICKER)) == ["mean_s8", "quicker"]


def test_without_enough_room_it_is_the_kernel_that_needs_least() -> None:
    choices = with_room(SMALL, {0: 0, 1: 0}, QUICK, QUICKER)
    assert names(choices) == ["quick", "quick"]
    assert [choice.rejected for choice in choices] == [
        {"quicker": "memory: the arena would need 7 bytes or more"},
        {"quicker": "memory: the arena would need 8 bytes or more"},
    ]


def test_a_reason_names_the_channel_of_the_model() -> None:
    """The second of two channels, which a pair has first since its sums are larger."""
    weights = np.full((2, 300), 127, np.int64)
    plain = Step(
        "conv_2d_s8",
        (0,),
        (1,),
        {
            "bias": Constant(np.array([0, 1 << 29], np.int32)),
            "mult": Constant(np.array([1 << 30], np.int32)),
            "shift": Constant(np.array([-22], np.int8)),
            "in_zp": 0,
            "out_zp": -128,
            "act_min": -128,
            "act_max": 127,
        },
    )
    with pytest.raises(Rejected, match="the bias of channel 1 does not fit 29 bits"):
        gemm_dsp.pack(plain, weights, gemm_dsp.k_order(1, 300), 1)


@pytest.mark.parametrize("plain", KERNELS)
def test_kernels_are_of_the_runtime(plain: str) -> None:
    for faster in KERNELS[plain]:
        assert f"src/{faster.name}.c" in code.files([faster.name])
