"""What a device says of a fault of its core, in words (`docs/protocol.md`, fault)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from microwright.errors import DeviceFault
from microwright.link.records import Record

_REGISTERS = (
    *("pc", "lr", "sp", "xpsr", "cfsr", "hfsr", "dfsr", "mmfar", "bfar"),
    *("r0", "r1", "r2", "r3", "r12"),
)

_EXCEPTIONS = {
    2: "NMI",
    3: "HardFault",
    4: "MemManage",
    5: "BusFault",
    6: "UsageFault",
    7: "SecureFault",
    11: "SVCall",
    12: "DebugMonitor",
    14: "PendSV",
    15: "SysTick",
}
_FIRST_INTERRUPT = 16

# Bits of the configurable and of the hard fault status register, what means most first (architecture
# reference manuals of Armv7-M and Armv8-M).
_CFSR = {
    20: "stack overflow (STKOF)",
    4: "stack overflow (MSTKERR)",
    12: "stack overflow (STKERR)",
    16: "undefined instruction (UNDEFINSTR)",
    17: "jump to what is no Thumb code (INVSTATE)",
    18: "invalid return from an exception (INVPC)",
    19: "coprocessor or FPU that is not there or not enabled (NOCP)",
    24: "unaligned access (UNALIGNED)",
    25: "division by zero (DIVBYZERO)",
    0: "instructions from memory that has none (IACCVIOL)",
    8: "bus fault at an instruction (IBUSERR)",
    1: "access to memory that is denied (DACCVIOL)",
    9: "precise bus fault (PRECISERR)",
    10: "imprecise bus fault, some instructions before (IMPRECISERR)",
    3: "unstacking failed (MUNSTKERR)",
    11: "unstacking failed (UNSTKERR)",
    5: "saving of FPU registers failed (MLSPERR)",
    13: "saving of FPU registers failed (LSPERR)",
}
_HFSR = {1: "vector table that cannot be read (VECTTBL)", 31: "breakpoint without a debugger (DEBUGEVT)"}
# The registers that have the address, where their bits say that they have it.
_ADDRESSES = ((1 << 7, "mmfar"), (1 << 15, "bfar"))


def of(record: Record | None) -> DeviceFault | None:
    """The error that a record tells of; None for any other record. What it says wrongly is left out."""
    if record is None or record.seq != 0 or record.verb != "fault":
        return None
    number = record.args.get("exception", "")
    exception = int(number) if re.fullmatch("[0-9]{1,3}", number) else None
    registers = {
        name: int(record.args[name], 16)
        for name in _REGISTERS
        if re.fullmatch("[0-9a-f]{8}", record.args.get(name, ""))
    }
    build_id = record.args.get("build", "")
    if re.fullmatch("[0-9a-f]{1,64}", build_id) is None:
        build_id = ""
    return DeviceFault(what(exception, registers), exception, registers, build_id)


def what(exception: int | None, registers: Mapping[str, int]) -> str:
    """The exception, and what the core says of it: `BusFault, precise bus fault (PRECISERR) at 0xf8000000`.

    A fault without a program counter is of a stack that has no room for it.
    """
    if exception is None:
        name = "an unknown exception"
    elif exception >= _FIRST_INTERRUPT:
        name = f"interrupt {exception - _FIRST_INTERRUPT}, which nothing handles"
    else:
        name = _EXCEPTIONS.get(exception, f"exception {exception}")
    said = [
        text
        for status, texts in (("cfsr", _CFSR), ("hfsr", _HFSR))
        for bit, text in texts.items()
        if registers.get(status, 0) >> bit & 1
    ]
    if "pc" not in registers and not any(text.startswith("stack overflow") for text in said):
        said.insert(0, "stack overflow: no room for the registers")
    address = next(
        (
            f" at 0x{registers[name]:08x}"
            for bit, name in _ADDRESSES
            if registers.get("cfsr", 0) & bit and name in registers
        ),
        "",
    )
    return ", ".join([name, *said]) + address
