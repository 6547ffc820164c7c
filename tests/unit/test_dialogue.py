"""Walking through an inference on a device that forgets, over a line that damages."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from microwright.dialogue import PIECE_BYTES, Device, checksums_of
from microwright.errors import DeviceError, LinkCorrupt
from microwright.link import Link, Refused
from tests.support.fake_device import BUILD_ID, Clock, FakeDevice, FakePort, Faults
from tests.unit.test_measure import device, image

ARENA_BYTES = PIECE_BYTES + 1000


def arena(layers: int) -> bytes:
    """What lies in the arena once so many layers ran."""
    return random.Random(layers).randbytes(ARENA_BYTES)


def walk(fake: FakeDevice, faults: Faults | None, restart_at: int | None) -> list[bytes]:
    """The arena behind each layer; the device restarts once, in front of a layer."""
    clock = Clock()
    port = FakePort(fake.receive, clock, faults)
    seen: list[bytes] = []
    with Link("fake", 115_200, open_port=port.open, clock=clock) as link:
        reached = Device(link, image().project.graph, BUILD_ID)
        restarts = [] if restart_at is None else [restart_at]

        def visit() -> list[bytes]:
            seen.clear()
            for done in range(4):
                if restarts and done == restarts[0]:
                    restarts.clear()
                    fake.reset()
                reached.advance(done)
                data = reached.fetch(7, 900)
                assert reached.checksums(0, ARENA_BYTES) == checksums_of(arena(done))
                seen.append(data)
            return seen

        sample = (bytes(700), bytes(12))
        reached.run(sample, reset=True)
        # Of a stream: the state is that behind the run before.
        found = reached.walk(sample, visit, reset=False)
    assert len(fake.history) == 2
    return found


@pytest.mark.parametrize("restart_at", [None, 0, 2, 3])
@pytest.mark.parametrize("damage", [0.0, 0.0005])
def test_a_walk_sees_what_lies_there_whatever_happens(restart_at: int | None, damage: float) -> None:
    faults = Faults(random.Random(1), drop=damage, flip=damage, repeat=damage) if damage else None
    fake = device(arena=arena)
    assert walk(fake, faults, restart_at) == [arena(done)[7:907] for done in range(4)]


def walked(receive: Callable[[bytes], bytes], look: Callable[[Device], object]) -> object:
    """What a look into the arena gives, in front of the first layer."""
    clock = Clock()
    with Link("fake", 115_200, open_port=FakePort(receive, clock).open, clock=clock) as link:
        reached = Device(link, image().project.graph, BUILD_ID)
        return reached.walk((bytes(700), bytes(12)), lambda: look(reached), reset=True)


@pytest.mark.parametrize("says", [{}, {"crc": ""}, {"crc": "0123456"}, {"crc": "0123456G"}])
def test_a_checksum_that_is_none_is_refused(says: dict[str, str]) -> None:
    fake = device(arena=arena)
    fake._arena = lambda **_: says  # type: ignore[method-assign]
    with pytest.raises(DeviceError, match=r"crc.*, expected 8 lower-case hex digits"):
        walked(fake.receive, lambda reached: reached.checksums(0, 10))


@pytest.mark.parametrize(("wrong", "raises"), [(1, False), (1000, True)])
def test_bytes_that_are_not_those_of_the_checksum_are_asked_for_again(wrong: int, raises: bool) -> None:
    fake, honest = device(arena=arena), FakeDevice._arena
    asked = 0

    def answer(**args: str) -> dict[str, int | str] | str:
        nonlocal asked
        asked += "data" not in args
        return {"crc": "00000000"} if "data" not in args and asked <= wrong else honest(fake, **args)

    fake._arena = answer  # type: ignore[method-assign]
    if raises:
        with pytest.raises(LinkCorrupt, match="100 bytes at 7 of the arena differ 3 times"):
            walked(fake.receive, lambda reached: reached.fetch(7, 100))
    else:
        assert walked(fake.receive, lambda reached: reached.fetch(7, 100)) == arena(0)[7:107]
    assert asked == min(wrong + 1, 3)


def test_a_device_that_never_remembers_ends_in_an_error() -> None:
    fake = device(arena=arena)
    clock = Clock()
    port = FakePort(fake.receive, clock)
    with Link("fake", 115_200, open_port=port.open, clock=clock) as link:
        reached = Device(link, image().project.graph, BUILD_ID)

        def visit() -> None:
            fake.reset()
            reached.advance(1)

        with pytest.raises((Refused, LinkCorrupt)):
            reached.walk((bytes(700), bytes(12)), visit, reset=True)
