"""RP2040's serial flash interface with a flash chip on it, as its second stage of the start sees them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import unicorn
from unicorn.arm_const import (
    UC_ARM_REG_LR,
    UC_ARM_REG_PC,
    UC_ARM_REG_SP,
    UC_CPU_ARM_CORTEX_M0,
)

_RAM, _RAM_BYTES = 0x2000_0000, 0x4_2000
_STAGE = _RAM + 0x4_1F00
_FLASH, _UNCACHED = 0x1000_0000, 0x1300_0000
_PADS, _SSI, _SYSTEM, _VTOR = 0x4002_0000, 0x1800_0000, 0xE000_E000, 0xED08
_PAGE = 0x1000
_CTRLR0, _ENABLE, _BAUD, _STATUS, _DATA, _SPI_CTRLR0 = 0x00, 0x08, 0x14, 0x28, 0x60, 0xF4
_BUSY_LOOKS = 3
"""Looks at the status during which the interface is busy."""


@dataclass
class Chip:
    """A flash chip: its status registers, and what it does of what W25Q do.

    maker        Winbond, or another: for those, 35h begins a mode in which commands have four lines
    quad         it has Fast Read Quad I/O, where QE is set, with `dummy` cycles between mode bits and data
    volatile     it takes 50h, which makes the next 01h last for as long as there is power
    second       it has status register 2; otherwise it answers with FFh
    stuck        a write of the status does not end
    """

    maker: int = 0xEF
    dummy: int = 4
    stuck: bool = False
    quad: bool = True
    volatile: bool = True
    second: bool = True
    status: list[int] = field(default_factory=lambda: [0, 0])
    continuous: bool = False
    four_lines: bool = False
    writes: int = 0
    _may_write: bool = False
    _busy: int = 0

    def bytes_of(self, sent: list[int]) -> list[int]:
        """What it answers to the bytes of a command."""
        command, rest = sent[0], sent[1:]
        assert not self.continuous
        if command == 0x9F:
            return [0, self.maker]
        if command == 0x35 and self.maker != 0xEF:
            self.four_lines = True
        elif command == 0x50 and self.volatile:
            self._may_write = True
        elif command == 0x01 and self._may_write and len(rest) == 2:
            self.status, self._may_write = list(rest), False
            self.writes, self._busy = self.writes + 1, 2
        elif command == 0x05:
            self._busy = max(0, self._busy - (not self.stuck))
            return [0, self.status[0] | (self._busy > 0)]
        elif command == 0x35 and self.second:
            return [0, self.status[1]]
        return [0xFF] * len(sent)

    def quad_read(self, command: int | None, mode: int) -> bool:
        """Whether it answers a read with four lines; mode bits of Ah say that the next has no command."""
        if not self.quad or not self.status[1] & 2 or (command is None) != self.continuous:
            return False
        if command not in (None, 0xEB):
            return False
        self.continuous = mode >> 4 == 0xA
        return True


class Start:
    """The second stage, run as the boot ROM does: from RAM, with the return address 0."""

    def __init__(self, stage: bytes, image: bytes, chip: Chip) -> None:
        self.chip = chip
        self._image = image
        self._registers: dict[int, int] = {}
        self._sent: list[int] = []
        self._received: list[int] = []
        self._looks = 0
        self._core = unicorn.Uc(unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB | unicorn.UC_MODE_MCLASS)
        self._core.ctl_set_cpu_model(UC_CPU_ARM_CORTEX_M0)
        for base, size in ((_RAM, _RAM_BYTES), (_FLASH, _PAGE), (_PADS, _PAGE), (_SYSTEM, _PAGE)):
            self._core.mem_map(base, size)
        self._core.mem_write(_STAGE, stage)
        self._core.mem_write(_FLASH, image[:_PAGE])
        self._core.mmio_map(_SSI, _PAGE, self._read, None, self._write, None)
        self._core.mmio_map(_UNCACHED, _PAGE, self._read_flash, None, None, None)

    def run(self, return_address: int = 0) -> None:
        """To the reset vector, or to the return address."""
        self._core.reg_write(UC_ARM_REG_SP, _STAGE)
        self._core.reg_write(UC_ARM_REG_LR, return_address)
        reset = int.from_bytes(self._image[0x104:0x108], "little")
        self._core.emu_start(_STAGE | 1, (return_address or reset) & ~1, count=400_000)

    @property
    def at(self) -> tuple[int, int, int]:
        """Program counter, stack pointer, and the address of the vectors."""
        vtor = int.from_bytes(self._core.mem_read(_SYSTEM + (_VTOR & 0xFFF), 4), "little")
        return self._core.reg_read(UC_ARM_REG_PC), self._core.reg_read(UC_ARM_REG_SP), vtor

    @property
    def divider(self) -> int:
        """Of the core's clock, for the flash chip's."""
        return self._registers[_BAUD]

    def flash_word(self, offset: int) -> int:
        """A word as the core reads it from the flash now."""
        return self._read_flash(None, offset, 4, None)

    def _read(self, uc: Any, offset: int, size: int, data: Any) -> int:
        if offset == _STATUS:
            self._transfer()
            self._looks += 1
            busy = self._looks <= _BUSY_LOOKS
            return busy | (not busy) << 2 | bool(self._received) << 3
        if offset == _DATA:
            return self._received.pop(0)
        return self._registers.get(offset, 0)

    def _write(self, uc: Any, offset: int, size: int, value: int, data: Any) -> None:
        if offset == _DATA:
            assert self._registers[_ENABLE] == 1
            self._sent.append(value)
            self._looks = 0
            return
        assert offset == _ENABLE or self._registers[_ENABLE] == 0, "set up while it is off only"
        self._registers[offset] = value
        if offset == _ENABLE and value == 0:
            self._received.clear()

    def _transfer(self) -> None:
        """What was sent reaches the chip."""
        sent, self._sent = self._sent, []
        if not sent:
            return
        if self._registers[_CTRLR0] >> 21 & 3 == 0:
            self._received += self.chip.bytes_of(sent)
        else:
            self.chip.quad_read(sent[0], sent[1] & 0xFF)
            self._received.append(0)

    def _read_flash(self, uc: Any, offset: int, size: int, data: Any) -> int:
        """Through the interface as it is set up."""
        assert self._registers[_ENABLE] == 1
        setup = self._registers[_SPI_CTRLR0]
        if self._registers[_CTRLR0] >> 21 & 3 == 2:
            right = setup >> 8 & 3 == 0 and self.chip.quad_read(None, setup >> 24)
            right = right and setup >> 11 & 31 == self.chip.dummy
        else:
            right = setup >> 24 == 3 and setup >> 8 & 3 == 2 and not self.chip.continuous
        return int.from_bytes(self._image[offset : offset + 4], "little") if right else 0xFFFF_FFFF
