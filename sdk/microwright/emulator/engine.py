"""A Cortex-M core on Unicorn: memory, instruction counts, exceptions.

Unicorn executes instructions and leaves the rest of a core to whoever uses it. Exceptions are entered and
left here, between its blocks of instructions: SysTick, supervisor calls, faults. All have the same priority;
the hard fault's is higher.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import unicorn
from unicorn import arm_const as arm
from unicorn.unicorn_py3.unicorn import uclib

from microwright.emulator.bus import Bus
from microwright.emulator.families import PERIPHERALS, SYSTEM
from microwright.emulator.line import Line
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

_PAGE = 4096
# Memory has something in it when power comes.
_POWER_UP = b"\xa5"
# Now and then the engine looks whether anybody still needs it.
_SLICE = 5_000_000
_NEVER = 0xFFFF_FFFE
_RETURN = 0xFF00_0000

_SVC, _HARD, _BUS, _USAGE, _SYSTICK = 11, 3, 5, 6, 15
_IBUSERR, _PRECISERR, _STKERR, _BFARVALID = 1 << 8, 1 << 9, 1 << 12, 1 << 15
_UNDEFINSTR, _INVSTATE, _NOCP, _UNALIGNED = 1 << 16, 1 << 17, 1 << 19, 1 << 24
_FORCED, _DEBUGEVT = 1 << 30, 1 << 31
# QEMU's numbers of exceptions, which Unicorn passes on.
_QEMU_SVC, _QEMU_DATA_ABORT, _QEMU_BKPT, _QEMU_NOCP, _QEMU_INVSTATE = 2, 4, 7, 17, 18
_USAGE_OF = {_QEMU_DATA_ABORT: _UNALIGNED, _QEMU_NOCP: _NOCP, _QEMU_INVSTATE: _INVSTATE}

_THUMB, _ALIGNED, _IT = 1 << 24, 1 << 9, 0x0600_FC00
_FPCA = 1 << 2
_FRAME = (
    arm.UC_ARM_REG_R0,
    arm.UC_ARM_REG_R1,
    arm.UC_ARM_REG_R2,
    arm.UC_ARM_REG_R3,
    arm.UC_ARM_REG_R12,
    arm.UC_ARM_REG_LR,
)
_FLOATS = tuple(range(arm.UC_ARM_REG_S0, arm.UC_ARM_REG_S0 + 16))

_ON_BLOCK = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_uint32, ctypes.c_void_p)


@dataclass(frozen=True)
class Memory:
    """A region, and whether programs may write to it."""

    origin: int
    bytes: int
    writable: bool


class Lockup(Exception):
    """The core has a fault while it handles a hard fault, and stops for good."""


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
        _map(self._uc, memories)
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
            for base, size in _gaps(window, self._memories):
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
        stack, start = self._words(vectors, 2)
        for register in (*_FRAME, arm.UC_ARM_REG_PRIMASK, arm.UC_ARM_REG_CONTROL):
            self._uc.reg_write(register, 0)
        self._uc.reg_write(arm.UC_ARM_REG_LR, 0xFFFF_FFFF)
        self._uc.reg_write(arm.UC_ARM_REG_XPSR, _THUMB)
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
                self._fault(error.errno)
                continue
            self._pc = None
            if self._exception is not None:
                self._settle()
                self._take(self._exception)
            elif not self._stopped:
                self._sleep()
            if self.system.reset_requested:
                self.reset(self._vectors)
            self.system.tick()
            if self._total - self._looked >= _SLICE:
                self._looked = self._total
                self._line.flush()
                self._line.end_with_parent()
            if self.system.pending and not self._masked():
                self.system.pending = False
                self._enter(_SYSTICK, self._uc.reg_read(arm.UC_ARM_REG_PC))

    def _next_stop(self) -> int:
        """The count of instructions at which the engine has to look at more than instructions."""
        due = self.system.due()
        if self.system.pending and not self.system.active:
            return self._total + 1  # until interrupts are on again
        if not self._is_v6 and not self.system.fpu_enabled:
            self._check_fpu()
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

    def _masked(self) -> bool:
        return bool(self.system.active or self._uc.reg_read(arm.UC_ARM_REG_PRIMASK) & 1)

    def _check_fpu(self) -> None:
        """A program that uses the FPU before it is on has a fault, some instructions late."""
        if self._uc.reg_read(arm.UC_ARM_REG_CONTROL) & _FPCA:
            self._usage(_NOCP)

    def _take(self, number: int) -> None:
        pc = self._uc.reg_read(arm.UC_ARM_REG_PC)
        if pc >= _RETURN:
            self._leave(pc | 1)
        elif number == _QEMU_SVC:
            self._enter(_SVC if not self.system.active else _HARD, pc)
        elif number == _QEMU_BKPT:
            self._escalate(hfsr=_DEBUGEVT)
        else:
            self._usage(_USAGE_OF.get(number, _UNDEFINSTR))

    def _fault(self, errno: int) -> None:
        pc = self._uc.reg_read(arm.UC_ARM_REG_PC)
        if errno in (unicorn.UC_ERR_FETCH_UNMAPPED, unicorn.UC_ERR_FETCH_PROT):
            self._configurable(_BUS, cfsr=_IBUSERR)
        elif errno in (
            unicorn.UC_ERR_READ_UNMAPPED,
            unicorn.UC_ERR_WRITE_UNMAPPED,
            unicorn.UC_ERR_WRITE_PROT,
        ):
            self._configurable(_BUS, cfsr=_PRECISERR | _BFARVALID, bfar=self._bad_address)
        elif errno == unicorn.UC_ERR_INSN_INVALID and pc == sum(self._block):
            pass  # WFE and YIELD, which may take no time
        elif errno == unicorn.UC_ERR_INSN_INVALID:
            thumb = self._uc.reg_read(arm.UC_ARM_REG_XPSR) & _THUMB
            self._usage(_UNDEFINSTR if thumb else _INVSTATE)
        else:
            raise Lockup(f"Unicorn stopped at 0x{pc:08x}: {unicorn.UcError(errno)}")

    def _usage(self, cfsr: int) -> None:
        self._configurable(_USAGE, cfsr=cfsr)

    def _configurable(self, exception: int, *, cfsr: int, bfar: int | None = None) -> None:
        """A fault that has a handler of its own, if that is on and nothing else is being handled."""
        if self._is_v6:
            self._escalate()
            return
        self.system.record(cfsr=cfsr, bfar=bfar)
        if self.system.faults_enabled(exception) and not self._masked():
            self._enter(exception, self._uc.reg_read(arm.UC_ARM_REG_PC))
        else:
            self._escalate(hfsr=_FORCED)

    def _escalate(self, hfsr: int = 0) -> None:
        pc = self._uc.reg_read(arm.UC_ARM_REG_PC)
        if self.system.active == _HARD:
            raise Lockup(f"the core locked up at 0x{pc:08x}: a fault in the handler of the hard fault")
        self.system.record(hfsr=hfsr)
        self._enter(_HARD, pc)

    def _enter(self, exception: int, return_address: int) -> None:
        """Push the registers and go on at the exception's vector, as the core does."""
        uc = self._uc
        control = uc.reg_read(arm.UC_ARM_REG_CONTROL)
        if control & 2:
            raise Lockup("the program uses the process stack pointer, which is not modelled")
        floats = bool(control & _FPCA)
        sp, xpsr = uc.reg_read(arm.UC_ARM_REG_SP), uc.reg_read(arm.UC_ARM_REG_XPSR)
        words = [*(uc.reg_read(register) for register in _FRAME), return_address]
        words.append(xpsr & ~_ALIGNED | (sp & 4) << 7)
        if floats:
            words += [*(uc.reg_read(register) for register in _FLOATS), uc.reg_read(arm.UC_ARM_REG_FPSCR), 0]
        sp = (sp & ~7) - 4 * len(words)
        if self._is_ram(sp, 4 * len(words)):
            uc.mem_write(sp, struct.pack(f"<{len(words)}I", *words))
        else:
            if exception == _HARD:
                raise Lockup(f"the core locked up at 0x{return_address:08x}: there is no stack")
            self.system.record(cfsr=_STKERR)
            exception = _BUS if self.system.faults_enabled(_BUS) else _HARD
            self.system.record(hfsr=_FORCED if exception == _HARD else 0)
        link = 0xFFFF_FFE1 if floats else 0xFFFF_FFF1
        uc.reg_write(arm.UC_ARM_REG_LR, link | (0 if self.system.active else 8))
        uc.reg_write(arm.UC_ARM_REG_SP, sp & 0xFFFF_FFFF)
        uc.reg_write(arm.UC_ARM_REG_CONTROL, control & ~_FPCA)
        self.system.active = exception
        uc.reg_write(arm.UC_ARM_REG_XPSR, xpsr & ~(_IT | 0x1FF) | _THUMB | exception)
        (handler,) = self._words(self.system.vectors + 4 * exception, 1)
        uc.reg_write(arm.UC_ARM_REG_PC, handler)

    def _leave(self, link: int) -> None:
        """Pop the registers and go on where the exception came."""
        uc = self._uc
        sp = uc.reg_read(arm.UC_ARM_REG_SP)
        floats = not link & 1 << 4
        try:
            words = self._words(sp, 26 if floats else 8)
        except unicorn.UcError:
            raise Lockup(
                f"the core locked up: no registers at 0x{sp:08x}, where an exception returns"
            ) from None
        for register, word in zip(_FRAME, words, strict=False):
            uc.reg_write(register, word)
        if floats:
            for register, word in zip((*_FLOATS, arm.UC_ARM_REG_FPSCR), words[8:], strict=False):
                uc.reg_write(register, word)
        control = uc.reg_read(arm.UC_ARM_REG_CONTROL)
        uc.reg_write(arm.UC_ARM_REG_CONTROL, control | _FPCA if floats else control & ~_FPCA)
        xpsr = words[7]
        uc.reg_write(arm.UC_ARM_REG_SP, sp + 4 * len(words) + (4 if xpsr & _ALIGNED else 0))
        self.system.active = xpsr & 0x1FF
        uc.reg_write(arm.UC_ARM_REG_XPSR, xpsr & ~_ALIGNED | _THUMB)
        uc.reg_write(arm.UC_ARM_REG_PC, words[6] | 1)

    def _is_ram(self, address: int, size: int) -> bool:
        return any(
            memory.writable and memory.origin <= address and address + size <= memory.origin + memory.bytes
            for memory in self._memories
        )

    def _words(self, address: int, count: int) -> tuple[int, ...]:
        return struct.unpack(f"<{count}I", self._uc.mem_read(address, 4 * count))


def _map(uc: unicorn.Uc, memories: Sequence[Memory]) -> None:
    """Map memories, in whole pages."""
    end = 0
    for memory in sorted(memories, key=lambda memory: memory.origin):
        start = max(memory.origin // _PAGE * _PAGE, end)
        end = max(-(-(memory.origin + memory.bytes) // _PAGE) * _PAGE, start)
        if start < end:
            access = unicorn.UC_PROT_ALL if memory.writable else unicorn.UC_PROT_READ | unicorn.UC_PROT_EXEC
            uc.mem_map(start, end - start, access)
            if memory.writable:
                uc.mem_write(start, _POWER_UP * (end - start))


def _gaps(window: tuple[int, int], memories: Sequence[Memory]) -> Iterator[tuple[int, int]]:
    """What memories leave of an address range: first addresses and sizes."""
    start, end = window[0], sum(window)
    for memory in sorted(memories, key=lambda memory: memory.origin):
        if memory.origin < end and memory.origin + memory.bytes > start:
            if memory.origin > start:
                yield start, memory.origin - start
            start = min(-(-(memory.origin + memory.bytes) // _PAGE) * _PAGE, end)
    if start < end:
        yield start, end - start


def _instructions(code: bytes) -> int:
    """Number of Thumb instructions. They have two halfwords if the first begins with 0b11101 or more."""
    count = at = 0
    while at < len(code):
        at += 4 if code[at + 1] >= 0xE8 else 2
        count += 1
    return count
