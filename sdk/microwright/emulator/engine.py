"""A Cortex-M core on Unicorn, which executes blocks of instructions: what happens between them is here."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from typing import Any

import unicorn
from unicorn import arm_const as arm
from unicorn.unicorn_py3.unicorn import uclib

from microwright.emulator.bus import Bus
from microwright.emulator.exceptions import FRAME, SYSTICK, THUMB, Exceptions, words_at
from microwright.emulator.families import PERIPHERALS, SYSTEM
from microwright.emulator.line import Line
from microwright.emulator.memory import Memory, gaps, map_all
from microwright.emulator.system import System

# Unicorn's Cortex-M0 executes the instructions of an M0+, too.
CORES: Mapping[str, int] = {
    "cortex-m0": arm.UC_CPU_ARM_CORTEX_M0,
    "cortex-m0plus": arm.UC_CPU_ARM_CORTEX_M0,
    "cortex-m3": arm.UC_CPU_ARM_CORTEX_M3,
    "cortex-m4": arm.UC_CPU_ARM_CORTEX_M4,
    "cortex-m7": arm.UC_CPU_ARM_CORTEX_M7,
    "cortex-m33": arm.UC_CPU_ARM_CORTEX_M33,
}

# Now and then the engine looks whether anybody still needs it.
_SLICE = 5_000_000
_NEVER = 0xFFFF_FFFE
_ON_BLOCK = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_uint32, ctypes.c_void_p)


class Engine:
    """A core with its memory and registers. `run` ends with an exception only."""

    def __init__(self, core: str, memories: Sequence[Memory], line: Line) -> None:
        self._uc = unicorn.Uc(unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB, CORES[core])
        self._is_v6 = CORES[core] == arm.UC_CPU_ARM_CORTEX_M0
        self._line = line
        self.system = System(self._now, has_dwt=not self._is_v6)
        self._counts: dict[tuple[int, int], int] = {}
        self._total = 0  # instructions of the blocks that were begun
        self._deadline = 0
        self._block = (0, 0)
        self._pc: int | None = None  # where the core is inside of the block, if it was looked at
        self._exception: int | None = None
        self._bad_address = 0
        self._stopped = False  # in front of a block, and not asleep
        self._looked = 0
        self._vectors = 0
        self._memories = memories
        self._exceptions = Exceptions(self._uc, self.system, memories, self._is_v6)
        map_all(self._uc, memories)
        self._uc.hook_add(unicorn.UC_HOOK_INTR, self._on_exception)
        self._uc.hook_add(unicorn.UC_HOOK_MEM_INVALID, self._on_bad_address)
        # Without a hook, Unicorn does not know where in a block the core is when it reads a timer.
        self._uc.hook_add(
            unicorn.UC_HOOK_MEM_READ | unicorn.UC_HOOK_MEM_WRITE,
            self._on_system,
            begin=SYSTEM[0],
            end=sum(SYSTEM) - 1,
        )
        # The package's own callbacks take twice the time of these, and there is one for each block.
        self._on_block_c = _ON_BLOCK(self._on_block)
        self._stop = uclib.uc_emu_stop
        self._handle = self._uc._uch
        hook = ctypes.c_size_t()
        uclib.uc_hook_add(
            self._handle,
            ctypes.byref(hook),
            unicorn.UC_HOOK_BLOCK,
            ctypes.cast(self._on_block_c, ctypes.c_void_p),
            None,
            ctypes.c_uint64(1),
            ctypes.c_uint64(0),
        )

    def attach(self, bus: Bus, windows: Sequence[tuple[int, int]], exact: bool) -> None:
        """Put a chip's registers where no memory is. With `exact`, the bus may ask where writes come from."""
        self._bus = bus
        bus.attach(self.system)
        for window in (PERIPHERALS, SYSTEM, *windows):
            for base, size in gaps(window, self._memories):
                self._uc.mmio_map(base, size, self._read, base, self._write, base)
                if exact and window != SYSTEM:
                    self._uc.hook_add(
                        unicorn.UC_HOOK_MEM_WRITE, self._on_system, begin=base, end=base + size - 1
                    )

    def load(self, address: int, data: bytes) -> None:
        """Put bytes into memory, also where programs may not write."""
        self._uc.mem_write(address, data)

    def pc(self) -> int:
        """Address of the instruction that is executed."""
        return int(self._uc.reg_read(arm.UC_ARM_REG_PC)) if self._pc is None else self._pc

    def reset(self, vectors: int) -> None:
        """Begin as after a reset, with the stack pointer and the address that the vectors begin with."""
        self._vectors = vectors
        self.system.reset(vectors)
        self._bus.reset()
        stack, start = words_at(self._uc, vectors, 2)
        for register in (*FRAME, arm.UC_ARM_REG_PRIMASK, arm.UC_ARM_REG_CONTROL):
            self._uc.reg_write(register, 0)
        self._uc.reg_write(arm.UC_ARM_REG_LR, 0xFFFF_FFFF)
        self._uc.reg_write(arm.UC_ARM_REG_XPSR, THUMB)
        self._uc.reg_write(arm.UC_ARM_REG_SP, stack & ~3)
        self._uc.reg_write(arm.UC_ARM_REG_PC, start)

    def run(self) -> None:
        """Execute until the program is ended. Raises Lockup."""
        while True:
            self._exception = None
            self._stopped = False
            self._deadline = self._next_stop()
            self.system.changed = False
            try:
                self._uc.emu_start(self._uc.reg_read(arm.UC_ARM_REG_PC) | 1, _NEVER)
            except unicorn.UcError as error:
                self._settle()
                self._exceptions.fault(error.errno, sum(self._block), self._bad_address)
                continue
            self._pc = None
            if self._exception is not None:
                self._settle()
                self._exceptions.take(self._exception)
            elif not self._stopped:
                self._sleep()
            if self.system.reset_requested:
                self.reset(self._vectors)
            self.system.tick()
            if self._total - self._looked >= _SLICE:
                self._looked = self._total
                self._line.flush()
                self._line.end_with_parent()
            if self.system.pending and not self._exceptions.masked():
                self.system.pending = False
                self._exceptions.enter(SYSTICK, self._uc.reg_read(arm.UC_ARM_REG_PC))

    def _next_stop(self) -> int:
        """The count of instructions at which the engine has to look at more than instructions."""
        due = self.system.due()
        if self.system.pending and not self.system.active:
            return self._total + 1  # until interrupts are on again
        if not self._is_v6 and not self.system.fpu_enabled:
            self._exceptions.check_fpu()
            return self._total + 1
        return min(self._looked + _SLICE, self._total + _SLICE if due is None else due)

    # Callbacks of Unicorn.

    def _on_block(self, _uc: Any, address: int, size: int, _user: Any) -> None:
        if self._total >= self._deadline:
            self._stopped = True
            self._stop(self._handle)
            return
        block = (address, size)
        try:
            self._total += self._counts[block]
        except KeyError:
            count = self._counts[block] = _instructions(bytes(self._uc.mem_read(address, size)))
            self._total += count
        self._block = block

    def _on_exception(self, uc: Any, number: int, _user: Any) -> None:
        self._exception = number
        uc.emu_stop()

    def _on_bad_address(self, _uc: Any, _kind: int, address: int, *_: Any) -> bool:
        self._bad_address = address
        return False

    def _on_system(self, uc: Any, *_: Any) -> None:
        self._pc = uc.reg_read(arm.UC_ARM_REG_PC)

    def _read(self, _uc: Any, offset: int, size: int, base: int) -> int:
        value = self._bus.read(base + offset, size)
        self._pc = None
        return value

    def _write(self, _uc: Any, offset: int, size: int, value: int, base: int) -> None:
        self._bus.write(base + offset, size, value)
        self._pc = None
        if self.system.changed:
            self._deadline = 0

    # Counting.

    def _now(self) -> int:
        """Instructions executed before the one that asks."""
        if self._pc is None:
            return self._total
        return self._total - self._rest(self._pc)

    def _rest(self, pc: int) -> int:
        """Instructions of the current block from an address on."""
        address, size = self._block
        if not address <= pc < address + size:
            return 0
        return _instructions(bytes(self._uc.mem_read(pc, address + size - pc)))

    def _settle(self) -> None:
        """Take back what was counted of a block that did not come to its end."""
        self._total -= self._rest(self._uc.reg_read(arm.UC_ARM_REG_PC))
        self._pc = None

    # Sleep, exceptions.

    def _sleep(self) -> None:
        """Wait for an interrupt: SysTick's, or a byte. Time stands still meanwhile."""
        if not self.system.pending:
            self._line.wait()


def _instructions(code: bytes) -> int:
    """Number of Thumb instructions. They have two halfwords if the first begins with 0b11101 or more."""
    count = at = 0
    while at < len(code):
        at += 4 if code[at + 1] >= 0xE8 else 2
        count += 1
    return count
