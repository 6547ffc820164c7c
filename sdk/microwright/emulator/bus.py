"""The peripherals of a chip: registers that keep what is written, and what follows from it."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable
from typing import IO, Protocol

from microwright.emulator.families import SYSTEM, Bits, Family

_WORD = 0xFFFFFFFF


class Device(Protocol):
    """Registers with a life of their own, by their offsets from the first one."""

    base: int
    bytes: int
    values: dict[int, int]

    def read(self, offset: int) -> int:
        """What a register says."""

    def write(self, offset: int, value: int) -> None:
        """A word is written."""


class Bus:
    """Reads and writes of peripherals, and of the core's own registers.

    A register has the value that it has after a reset, or 0, until it is written; `Family.bits` says which of
    its bits follow other registers. With `dead`, oscillators do not start. Each write to a peripheral goes to
    `trace`, a JSON object a line, with the address of the instruction, which `pc` gives.
    """

    def __init__(self, family: Family, dead: bool, trace: IO[str] | None, pc: Callable[[], int]) -> None:
        self._family = family
        self._trace = trace
        self._pc = pc
        self._values: dict[int, int] = {}
        self._devices: list[Device] = []
        self._owners: dict[int, Device | None] = {}
        self._bits: defaultdict[int, list[Bits]] = defaultdict(list)
        for bits in family.bits:
            if not (dead and bits.oscillator):
                self._bits[bits.status].append(bits)

    def attach(self, device: Device) -> None:
        """Registers that a device has."""
        self._devices.append(device)

    def reset(self) -> None:
        """As after a reset of the chip."""
        self._values = dict(self._family.resets)

    def note(self, fact: str, value: float) -> None:
        """Put more than writes into the trace."""
        if self._trace is not None:
            print(json.dumps({fact: value}), file=self._trace, flush=True)

    def read(self, address: int, size: int) -> int:
        """A byte, a halfword or a word."""
        return self._word(address & ~3) >> 8 * (address & 3) & ((1 << 8 * size) - 1)

    def write(self, address: int, size: int, value: int) -> None:
        """A byte, a halfword or a word."""
        if self._trace is not None and not SYSTEM[0] <= address < sum(SYSTEM):
            fields = {"address": address, "bytes": size, "value": value, "pc": self._pc()}
            print(json.dumps(fields), file=self._trace, flush=True)
        if size < 4:
            shift = 8 * (address & 3)
            mask = ((1 << 8 * size) - 1) << shift
            address &= ~3
            value = self._kept(address) & ~mask | value << shift & mask
        alias = self._family.alias(address)
        if alias is not None:
            address, change = alias
            value = change(self._kept(address), value) & _WORD
        device = self._owner(address)
        if self._is_off(address):
            return
        if device is None:
            self._values[address] = value
        else:
            device.write(address - device.base, value)

    def _owner(self, address: int) -> Device | None:
        """The device that has a register."""
        try:
            return self._owners[address]
        except KeyError:
            owners = (each for each in self._devices if each.base <= address < each.base + each.bytes)
            owner = self._owners[address] = next(owners, None)
            return owner

    def _is_off(self, address: int) -> bool:
        """Whether the register's peripheral has no clock: it reads 0, and what is written is lost."""
        gate = self._family.gate(address)
        if gate is None:
            return False
        register, bit, on = gate
        return self._values.get(register, 0) >> bit & 1 != on

    def _kept(self, address: int) -> int:
        """What a register was written last."""
        device = self._owner(address)
        return self._values.get(address, 0) if device is None else device.values.get(address - device.base, 0)

    def _word(self, address: int) -> int:
        alias = self._family.alias(address)
        if alias is not None:
            address = alias[0]
        device = self._owner(address)
        if self._is_off(address):
            return 0
        if device is not None:
            return device.read(address - device.base)
        value = self._values.get(address, 0)
        for bits in self._bits.get(address, ()):
            value = value & ~bits.mask | bits.follow(self._values.get(bits.control, 0)) & bits.mask
        return value
