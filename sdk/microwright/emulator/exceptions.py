"""Exceptions as a Cortex-M core enters and leaves them.

Unicorn stops at them and leaves the rest to whoever uses it. All have the same priority; the hard fault's is
higher.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

import unicorn
from unicorn import arm_const as arm

from microwright.emulator.memory import Memory, is_ram
from microwright.emulator.system import System

_RETURN = 0xFF00_0000

_SVC, _HARD, _MEMORY, _BUS, _USAGE, SYSTICK = 11, 3, 4, 5, 6, 15
_IACCVIOL, _STKOF = 1 << 0, 1 << 20
_IBUSERR, _PRECISERR, _STKERR, _BFARVALID = 1 << 8, 1 << 9, 1 << 12, 1 << 15
_UNDEFINSTR, _INVSTATE, _NOCP, _UNALIGNED = 1 << 16, 1 << 17, 1 << 19, 1 << 24
_FORCED, _DEBUGEVT = 1 << 30, 1 << 31
# QEMU's numbers of exceptions, which Unicorn passes on.
_QEMU_SVC, _QEMU_PREFETCH_ABORT, _QEMU_DATA_ABORT, _QEMU_BKPT = 2, 3, 4, 7
_QEMU_NOCP, _QEMU_INVSTATE, _QEMU_STKOF = 17, 18, 19
_USAGE_OF = {
    _QEMU_DATA_ABORT: _UNALIGNED,
    _QEMU_NOCP: _NOCP,
    _QEMU_INVSTATE: _INVSTATE,
    _QEMU_STKOF: _STKOF,
}

THUMB, _ALIGNED, _IT = 1 << 24, 1 << 9, 0x0600_FC00
_SPSEL, _FPCA = 1 << 1, 1 << 2
FRAME = (
    arm.UC_ARM_REG_R0,
    arm.UC_ARM_REG_R1,
    arm.UC_ARM_REG_R2,
    arm.UC_ARM_REG_R3,
    arm.UC_ARM_REG_R12,
    arm.UC_ARM_REG_LR,
)
_FLOATS = tuple(range(arm.UC_ARM_REG_S0, arm.UC_ARM_REG_S0 + 16))


class Lockup(Exception):
    """The core has a fault while it handles a hard fault, and stops for good."""


class Exceptions:
    """Exceptions of a core with its memories. Raises Lockup where a core locks up."""

    def __init__(self, uc: unicorn.Uc, system: System, memories: Sequence[Memory], is_v6: bool) -> None:
        self._uc = uc
        self._system = system
        self._memories = memories
        self._is_v6 = is_v6

    def masked(self) -> bool:
        """Whether only the hard fault can come now."""
        return bool(self._system.active or self._uc.reg_read(arm.UC_ARM_REG_PRIMASK) & 1)

    def check_fpu(self) -> None:
        """A program that uses the FPU before it is on has a fault, some instructions late."""
        if self._uc.reg_read(arm.UC_ARM_REG_CONTROL) & _FPCA:
            self._usage(_NOCP)

    def take(self, number: int) -> None:
        """What Unicorn leaves to others: an exception by QEMU's number, or the return from one."""
        pc = self._uc.reg_read(arm.UC_ARM_REG_PC)
        if pc >= _RETURN:
            self._leave(pc | 1)
        elif number == _QEMU_SVC:
            self.enter(_SVC if not self._system.active else _HARD, pc)
        elif number == _QEMU_PREFETCH_ABORT:
            self._no_code(pc)
        elif number == _QEMU_BKPT:
            self._escalate(hfsr=_DEBUGEVT)
        else:
            self._usage(_USAGE_OF.get(number, _UNDEFINSTR))

    def fault(self, errno: int, block_end: int, address: int) -> None:
        """What Unicorn stopped at: its error, where the block ends, the address that cannot be accessed."""
        pc = self._uc.reg_read(arm.UC_ARM_REG_PC)
        if errno in (unicorn.UC_ERR_FETCH_UNMAPPED, unicorn.UC_ERR_FETCH_PROT):
            self._no_code(pc)
        elif errno in (
            unicorn.UC_ERR_READ_UNMAPPED,
            unicorn.UC_ERR_WRITE_UNMAPPED,
            unicorn.UC_ERR_WRITE_PROT,
        ):
            self._configurable(_BUS, cfsr=_PRECISERR | _BFARVALID, bfar=address)
        elif errno == unicorn.UC_ERR_INSN_INVALID and pc == block_end:
            pass  # WFE and YIELD, which may take no time
        elif errno == unicorn.UC_ERR_INSN_INVALID:
            thumb = self._uc.reg_read(arm.UC_ARM_REG_XPSR) & THUMB
            self._usage(_UNDEFINSTR if thumb else _INVSTATE)
        else:
            raise Lockup(f"Unicorn stopped at 0x{pc:08x}: {unicorn.UcError(errno)}")

    def _no_code(self, pc: int) -> None:
        """Nothing is executed from where Arm's map has peripherals and the system; elsewhere is nothing."""
        if 0x4000_0000 <= pc < 0x6000_0000 or pc >= 0xA000_0000:
            self._configurable(_MEMORY, cfsr=_IACCVIOL)
        else:
            self._configurable(_BUS, cfsr=_IBUSERR)

    def _usage(self, cfsr: int) -> None:
        self._configurable(_USAGE, cfsr=cfsr)

    def _configurable(self, exception: int, *, cfsr: int, bfar: int | None = None) -> None:
        """A fault that has a handler of its own, if that is on and nothing else is being handled."""
        if self._is_v6:
            self._escalate()
            return
        self._system.record(cfsr=cfsr, bfar=bfar)
        if self._system.faults_enabled(exception) and not self.masked():
            self.enter(exception, self._uc.reg_read(arm.UC_ARM_REG_PC))
        else:
            self._escalate(hfsr=_FORCED)

    def _escalate(self, hfsr: int = 0) -> None:
        pc = self._uc.reg_read(arm.UC_ARM_REG_PC)
        if self._system.active == _HARD:
            raise Lockup(f"the core locked up at 0x{pc:08x}: a fault in the handler of the hard fault")
        self._system.record(hfsr=hfsr)
        self.enter(_HARD, pc)

    def enter(self, exception: int, return_address: int) -> None:
        """Push the registers and go on at the exception's vector, as the core does."""
        uc = self._uc
        control = uc.reg_read(arm.UC_ARM_REG_CONTROL)
        floats = bool(control & _FPCA)
        sp, xpsr = uc.reg_read(arm.UC_ARM_REG_SP), uc.reg_read(arm.UC_ARM_REG_XPSR)
        words = [*(uc.reg_read(register) for register in FRAME), return_address]
        words.append(xpsr & ~_ALIGNED | (sp & 4) << 7)
        if floats:
            words += [*(uc.reg_read(register) for register in _FLOATS), uc.reg_read(arm.UC_ARM_REG_FPSCR), 0]
        sp = (sp & ~7) - 4 * len(words)
        if is_ram(self._memories, sp, 4 * len(words)):
            uc.mem_write(sp, struct.pack(f"<{len(words)}I", *words))
        else:
            if exception == _HARD:
                raise Lockup(f"the core locked up at 0x{return_address:08x}: there is no stack")
            self._system.record(cfsr=_STKERR)
            exception = _BUS if self._system.faults_enabled(_BUS) else _HARD
            self._system.record(hfsr=_FORCED if exception == _HARD else 0)
        link = 0xFFFF_FFE1 if floats else 0xFFFF_FFF1
        if not self._system.active:
            link |= 8 | (control & _SPSEL) << 1
        uc.reg_write(arm.UC_ARM_REG_LR, link)
        uc.reg_write(arm.UC_ARM_REG_SP, sp & 0xFFFF_FFFF)
        uc.reg_write(arm.UC_ARM_REG_CONTROL, control & ~_FPCA)
        self._system.active = exception
        # This also goes from the process stack to the main one, and below back to it.
        uc.reg_write(arm.UC_ARM_REG_XPSR, xpsr & ~(_IT | 0x1FF) | THUMB | exception)
        (handler,) = words_at(uc, self._system.vectors + 4 * exception, 1)
        uc.reg_write(arm.UC_ARM_REG_PC, handler)

    def _leave(self, link: int) -> None:
        """Pop the registers and go on where the exception came."""
        uc = self._uc
        stack = arm.UC_ARM_REG_PSP if link & 1 << 2 else arm.UC_ARM_REG_SP
        sp = uc.reg_read(stack)
        floats = not link & 1 << 4
        try:
            words = words_at(uc, sp, 26 if floats else 8)
        except unicorn.UcError:
            raise Lockup(
                f"the core locked up: no registers at 0x{sp:08x}, where an exception returns"
            ) from None
        for register, word in zip(FRAME, words, strict=False):
            uc.reg_write(register, word)
        if floats:
            for register, word in zip((*_FLOATS, arm.UC_ARM_REG_FPSCR), words[8:], strict=False):
                uc.reg_write(register, word)
        control = uc.reg_read(arm.UC_ARM_REG_CONTROL)
        uc.reg_write(arm.UC_ARM_REG_CONTROL, control | _FPCA if floats else control & ~_FPCA)
        xpsr = words[7]
        uc.reg_write(stack, sp + 4 * len(words) + (4 if xpsr & _ALIGNED else 0))
        self._system.active = xpsr & 0x1FF
        uc.reg_write(arm.UC_ARM_REG_XPSR, xpsr & ~_ALIGNED | THUMB)
        uc.reg_write(arm.UC_ARM_REG_PC, words[6] | 1)


def words_at(uc: unicorn.Uc, address: int, count: int) -> tuple[int, ...]:
    """Words of memory. Raises UcError."""
    return struct.unpack(f"<{count}I", uc.mem_read(address, 4 * count))
