"""What registers of each family of chips say by themselves: that a clock which is switched on is ready.

A family is a template, a folder of firmware_templates. The facts are those of the makers' headers and
manuals; bits go by their numbers. A family that is not here has registers that keep what is written, no more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

# Where Arm's memory map has peripherals, and the core's own registers.
PERIPHERALS = (0x4000_0000, 0x2000_0000)
SYSTEM = (0xE000_0000, 0x0010_0000)
_PERIPHERAL_BYTES = 0x400


@dataclass(frozen=True)
class Bits:
    """The bits `mask` of a register follow what another one keeps; where `oscillator`, not of dead ones."""

    status: int
    mask: int
    control: int
    follow: Callable[[int], int]
    oscillator: bool = False


@dataclass(frozen=True)
class Family:
    """A family: bits that follow others, peripherals that are off at first (their first address; the register
    that switches them on, its bit, and the value of that), values after a reset, address ranges with
    registers beyond Arm's map (first address, bytes), and whether each register can be changed at three more
    addresses (RP2350)."""

    bits: tuple[Bits, ...] = ()
    gates: Mapping[int, tuple[int, int, int]] = field(default_factory=dict)
    resets: Mapping[int, int] = field(default_factory=dict)
    windows: tuple[tuple[int, int], ...] = ()
    aliases: bool = False

    def gate(self, address: int) -> tuple[int, int, int] | None:
        """What switches on the peripheral that a register belongs to; None where it is on, or not known."""
        return self.gates.get(address & ~(_PERIPHERAL_BYTES - 1))

    def alias(self, address: int) -> tuple[int, Callable[[int, int], int]] | None:
        """The register at an address and what a write there does to it; None for one that is just written."""
        if not self.aliases or not 0x4000_0000 <= address < 0x5080_0000 or not address & 0x3000:
            return None
        return address & ~0x3000, _CHANGES[address >> 12 & 3]


_CHANGES: tuple[Callable[[int, int], int], ...] = (
    lambda old, new: new,
    lambda old, new: old ^ new,
    lambda old, new: old | new,
    lambda old, new: old & ~new,
)


def _ready(control: int, enable: int, status: int, ready: int, *, oscillator: bool = False) -> Bits:
    """A bit that is set while another one is."""
    return Bits(status, 1 << ready, control, lambda value: (value >> enable & 1) << ready, oscillator)


def _field(control: int, mask: int, status: int, shift: int) -> Bits:
    """A field that says what another one asks for, `shift` bits above it."""
    return Bits(status, mask << shift, control, lambda value: (value & mask) << shift)


def _set(status: int, *bits: int) -> Bits:
    """Bits that are always set."""
    mask = sum(1 << bit for bit in bits)
    return Bits(status, mask, status, lambda value: mask)


def _clocks(
    register: int, own: Iterable[tuple[int, int]], oscillators: Iterable[tuple[int, int]]
) -> tuple[Bits, ...]:
    """Pairs: an enable and a ready bit in one register: of what is inside, and of crystals and PLLs."""
    return (
        *(_ready(register, enable, register, ready) for enable, ready in own),
        *(_ready(register, enable, register, ready, oscillator=True) for enable, ready in oscillators),
    )


_HSE, _PLLS = (16, 17), ((24, 25), (26, 27), (28, 29))


def _on(register: int, *peripherals: tuple[int, int]) -> dict[int, tuple[int, int, int]]:
    """Gates: bits of a register, and the first addresses of what they switch on."""
    return {base: (register, bit, 1) for bit, base in peripherals}


def _ports(register: int, first: int, count: int, bit: int = 0) -> dict[int, tuple[int, int, int]]:
    """Gates of GPIO ports from A on, one behind the other."""
    return _on(register, *((bit + port, first + _PERIPHERAL_BYTES * port) for port in range(count)))


# RCC and PWR of each family.
_F1_RCC = 0x4002_1000
_F4_RCC, _F4_PWR = 0x4002_3800, 0x4000_7000
_L4_RCC = _G4_RCC = 0x4002_1000
_H7_RCC, _H7_PWR = 0x5802_4400, 0x5802_4800
_U5_RCC, _U5_PWR = 0x4602_0C00, 0x4602_0800

# CR: HSI, HSE and PLLs; CFGR: SW and SWS; PWR's voltage scaling and over-drive.
_F4_BITS = (
    *_clocks(_F4_RCC, [(0, 1)], [_HSE, *_PLLS]),
    _field(_F4_RCC + 0x08, 3, _F4_RCC + 0x08, 2),
    _set(_F4_PWR + 0x04, 14),
    _ready(_F4_PWR, 16, _F4_PWR + 0x04, 16),
    _ready(_F4_PWR, 17, _F4_PWR + 0x04, 17),
    _ready(_F4_RCC + 0x74, 0, _F4_RCC + 0x74, 1),
)
# Ports; USART2, USART3 and PWR; USART1, USART6 and SYSCFG.
_F4_GATES = {
    **_ports(_F4_RCC + 0x30, 0x4002_0000, 9),
    **_on(_F4_RCC + 0x40, (17, 0x4000_4400), (18, 0x4000_4800), (28, _F4_PWR)),
    **_on(_F4_RCC + 0x44, (4, 0x4001_1000), (5, 0x4001_1400), (14, 0x4001_3800)),
}
# Of L4 and G4: ports; USART2, USART3 and PWR; LPUART1; USART1.
_L4_GATES = {
    **_ports(_L4_RCC + 0x4C, 0x4800_0000, 8),
    **_on(_L4_RCC + 0x58, (17, 0x4000_4400), (18, 0x4000_4800), (28, 0x4000_7000)),
    **_on(_L4_RCC + 0x5C, (0, 0x4000_8000)),
    **_on(_L4_RCC + 0x60, (14, 0x4001_3800)),
}
_F4_RESETS = {_F4_RCC: 0x83, _F4_RCC + 0x04: 0x2400_3010, _F4_PWR: 0xC000}

_NRF_CLOCK = 0x4000_0000
_NRF = Family(
    bits=(
        # The task that starts the crystal, its event, HFCLKSTAT (from the crystal, running); LFCLK likewise.
        _ready(_NRF_CLOCK + 0x000, 0, _NRF_CLOCK + 0x100, 0, oscillator=True),
        _ready(_NRF_CLOCK + 0x000, 0, _NRF_CLOCK + 0x40C, 0, oscillator=True),
        _set(_NRF_CLOCK + 0x40C, 16),
        _ready(_NRF_CLOCK + 0x008, 0, _NRF_CLOCK + 0x104, 0, oscillator=True),
    ),
    windows=((0x1000_0000, 0x2000),),  # FICR, UICR
)

_RP_CLOCKS, _RP_RESETS, _RP_XOSC, _RP_TICKS = 0x4001_0000, 0x4002_0000, 0x4004_8000, 0x4010_8000
_RP_PLLS = (0x4005_0000, 0x4005_8000)

FAMILIES: Mapping[str, Family] = {
    "cortex_m/mps2": Family(),
    "cortex_m/nrf/52": _NRF,
    # DCDC's STS_DC_OK; the PLL ARM locks when it is on.
    "cortex_m/imxrt/1060": Family(
        bits=(_set(0x4008_0000, 31), _ready(0x400D_8000, 13, 0x400D_8000, 31, oscillator=True)),
        resets={0x400F_C054: 0x79},
    ),
    "cortex_m/rp/2350": Family(
        bits=(
            Bits(_RP_RESETS + 0x08, 0x1FFF_FFFF, _RP_RESETS, lambda value: ~value),
            Bits(
                _RP_XOSC + 0x04,
                1 << 31,
                _RP_XOSC,
                lambda value: (value >> 12 & 0xFFF == 0xFAB) << 31,
                oscillator=True,
            ),
            # A PLL locks when neither it nor its VCO is powered down.
            *(Bits(pll, 1 << 31, pll + 4, lambda value: (not value & 0x21) << 31, True) for pll in _RP_PLLS),
            Bits(_RP_CLOCKS + 0x38, 0xF, _RP_CLOCKS + 0x30, lambda value: 1 << (value & 3)),
            Bits(_RP_CLOCKS + 0x44, 0x3, _RP_CLOCKS + 0x3C, lambda value: 1 << (value & 1)),
            _ready(_RP_CLOCKS + 0x48, 11, _RP_CLOCKS + 0x48, 28),
            *(_ready(_RP_TICKS + at, 0, _RP_TICKS + at, 1) for at in range(0, 0x48, 0x0C)),
        ),
        resets={
            _RP_RESETS: 0x1FFF_FFFF,
            _RP_CLOCKS + 0x3C: 0x41,
            **dict.fromkeys(_RP_PLLS, 1),
            **dict.fromkeys((pll + 4 for pll in _RP_PLLS), 0x2D),
        },
        windows=((0xD000_0000, 0x4_0000),),  # SIO
        # What is in its reset is off: IO_BANK0, PADS_BANK0, PLL_SYS, UART0, UART1.
        gates={
            base: (_RP_RESETS, bit, 0)
            for bit, base in (
                (6, 0x4002_8000),
                (9, 0x4003_8000),
                (14, _RP_PLLS[0]),
                (26, 0x4007_0000),
                (27, 0x4007_8000),
            )
        },
        aliases=True,
    ),
    "cortex_m/stm32/f1": Family(
        bits=(
            *_clocks(_F1_RCC, [(0, 1)], [_HSE, _PLLS[0]]),
            _field(_F1_RCC + 0x04, 3, _F1_RCC + 0x04, 2),
            _ready(0x4002_2000, 4, 0x4002_2000, 5),  # FLASH_ACR: the prefetch buffer
            _ready(_F1_RCC + 0x24, 0, _F1_RCC + 0x24, 1),
        ),
        # AFIO, ports and USART1; USART2, USART3 and PWR.
        gates={
            **_ports(_F1_RCC + 0x18, 0x4001_0800, 5, bit=2),
            **_on(_F1_RCC + 0x18, (0, 0x4001_0000), (14, 0x4001_3800)),
            **_on(_F1_RCC + 0x1C, (17, 0x4000_4400), (18, 0x4000_4800), (28, 0x4000_7000)),
        },
        resets={_F1_RCC: 0x83, _F1_RCC + 0x14: 0x14, 0x4002_2000: 0x30},
    ),
    "cortex_m/stm32/f4": Family(bits=_F4_BITS, gates=_F4_GATES, resets=_F4_RESETS),
    "cortex_m/stm32/f7": Family(bits=_F4_BITS, gates=_F4_GATES, resets=_F4_RESETS),
    "cortex_m/stm32/g4": Family(
        bits=(
            *_clocks(_G4_RCC, [(8, 10)], [_HSE, _PLLS[0]]),
            _field(_G4_RCC + 0x08, 3, _G4_RCC + 0x08, 2),
            _ready(_G4_RCC + 0x98, 0, _G4_RCC + 0x98, 1),  # HSI48
        ),
        gates=_L4_GATES,
        resets={_G4_RCC: 0x500, _G4_RCC + 0x08: 0x5, _G4_RCC + 0x0C: 0x1000},
    ),
    "cortex_m/stm32/h7": Family(
        bits=(
            *_clocks(_H7_RCC, [(0, 2), (7, 8), (12, 13)], [_HSE, *_PLLS]),
            _set(_H7_RCC, 14, 15),
            _field(_H7_RCC + 0x10, 7, _H7_RCC + 0x10, 3),
            _set(_H7_PWR + 0x04, 13),
            _field(_H7_PWR + 0x18, 3 << 14, _H7_PWR + 0x04, 0),  # ACTVOS says what D3CR's VOS asks for
            _set(_H7_PWR + 0x18, 13),
        ),
        # Ports; USART2 and USART3; USART1 and USART6; SYSCFG and LPUART1.
        gates={
            **_ports(_H7_RCC + 0xE0, 0x5802_0000, 11),
            **_on(_H7_RCC + 0xE8, (17, 0x4000_4400), (18, 0x4000_4800)),
            **_on(_H7_RCC + 0xF0, (4, 0x4001_1000), (5, 0x4001_1400)),
            **_on(_H7_RCC + 0xF4, (1, 0x5800_0400), (3, 0x5800_0C00)),
        },
        # DBGMCU_IDCODE, too: revision V.
        resets={_H7_RCC: 0x1, _H7_PWR + 0x0C: 0x6, _H7_PWR + 0x18: 0x4000, 0x5C00_1000: 0x2003_6450},
    ),
    "cortex_m/stm32/l4": Family(
        bits=(
            *_clocks(_L4_RCC, [(0, 1), (8, 10)], [_HSE, *_PLLS]),
            _field(_L4_RCC + 0x08, 3, _L4_RCC + 0x08, 2),
            _ready(_L4_RCC + 0x90, 0, _L4_RCC + 0x90, 1, oscillator=True),  # LSE
        ),
        gates=_L4_GATES,
        resets={_L4_RCC: 0x63, _L4_RCC + 0x0C: 0x1000, 0x4000_7000: 0x200, 0x4002_2000: 0x600},
    ),
    "cortex_m/stm32/u5": Family(
        bits=(
            *_clocks(_U5_RCC, [(0, 2), (4, 5), (8, 10), (12, 13), (14, 15)], [_HSE, *_PLLS]),
            _field(_U5_RCC + 0x1C, 3, _U5_RCC + 0x1C, 2),
            _set(_U5_PWR + 0x0C, 15),
            _ready(_U5_PWR + 0x0C, 18, _U5_PWR + 0x0C, 14),
            _set(_U5_PWR + 0x3C, 15),
            _ready(_U5_PWR + 0x08, 1, _U5_PWR + 0x3C, 1),  # the step-down converter in place of the LDO
            _field(_U5_PWR + 0x0C, 3 << 16, _U5_PWR + 0x3C, 0),  # ACTVOS
        ),
        # Ports; PWR; USART2 and USART3; USART1; LPUART1.
        gates={
            **_ports(_U5_RCC + 0x8C, 0x4202_0000, 9),
            **_on(_U5_RCC + 0x94, (2, _U5_PWR)),
            **_on(_U5_RCC + 0x9C, (17, 0x4000_4400), (18, 0x4000_4800)),
            **_on(_U5_RCC + 0xA4, (14, 0x4001_3800)),
            **_on(_U5_RCC + 0xA8, (6, 0x4600_2400)),
        },
        resets={_U5_RCC: 0x35},
    ),
}
