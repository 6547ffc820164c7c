"""The registers around Unicorn's core: UARTs, clocks that become ready, the core's own."""

from __future__ import annotations

import io
import json

import pytest

from microwright.emulator.bus import Bus
from microwright.emulator.families import FAMILIES, Family
from microwright.emulator.line import Line
from microwright.emulator.system import System
from microwright.emulator.uarts import UARTS, Uart

SYST_CSR, SYST_RVR, SYST_CVR, ICSR = 0xE010, 0xE014, 0xE018, 0xED04


class Host(Line):
    """A line whose host is the test."""

    def __init__(self, sends: bytes = b"") -> None:
        self.sends = bytearray(sends)
        self.got = bytearray()
        self.waits = 0

    def available(self) -> bool:
        return bool(self.sends)

    def read(self) -> int:
        return self.sends.pop(0) if self.sends else 0

    def write(self, byte: int) -> None:
        self.got.append(byte)

    def wait(self) -> None:
        self.waits += 1


# Of each driver: what switches the transmitter and the receiver on and sets the divider for 115,200 baud; the
# clock; where to send and receive; which bit says that a byte is there (negative: by being 0).
CASES = {
    "cmsdk": ([(0x10, 217), (0x08, 3)], 25_000_000, 0x00, 0x00, (0x04, 1)),
    "stm32_v1": ([(0x08, 0x187), (0x0C, 0x200C)], 45_000_000, 0x04, 0x04, (0x00, 5)),
    "stm32_v2": ([(0x0C, 694), (0x00, 0x000D)], 80_000_000, 0x28, 0x24, (0x1C, 5)),
    "nrf": ([(0x524, 0x01D7E000), (0x500, 4), (0x000, 1), (0x008, 1)], 16_000_000, 0x51C, 0x518, (0x108, 0)),
    "pl011": ([(0x24, 81), (0x28, 24), (0x30, 0x301)], 150_000_000, 0x00, 0x00, (0x18, -4)),
    "lpuart": ([(0x10, 0x0F00000D), (0x18, 0xC0000)], 24_000_000, 0x1C, 0x1C, (0x14, 21)),
}


@pytest.mark.parametrize("driver", UARTS)
def test_a_uart_sends_and_receives_once_it_is_on(driver: str) -> None:
    settings, clock_hz, send, receive, (status, bit) = CASES[driver]
    host, dividers = Host(b"in"), list[float]()
    uart = UARTS[driver](0x4000_0000, host, dividers.append)

    def arrived() -> bool:
        return (uart.read(status) >> abs(bit) & 1) == (bit >= 0)

    uart.write(send, ord("x"))
    assert not arrived()
    assert (host.got, host.sends) == (b"", b"in")
    for offset, value in settings:
        uart.write(offset, value)
    for byte in b"out":
        uart.write(send, byte)
    assert host.got == b"out"
    # Within what a receiver takes, 2 %.
    (clocks,) = dividers
    assert clock_hz / clocks == pytest.approx(115_200, rel=0.02)
    received = bytearray()
    while arrived():
        if driver == "nrf":
            uart.write(status, 0)
        received.append(uart.read(receive) & 0xFF)
    assert received == b"in"


def test_the_divider_of_the_low_power_uart_is_finer() -> None:
    dividers = list[float]()
    uart = UARTS["stm32_v2"](0x4000_8000, Host(), dividers.append)
    for offset, value in ((0x0C, 377_778), (0x00, 0xD), (0x28, 0)):
        uart.write(offset, value)
    assert 170_000_000 / dividers[0] == pytest.approx(115_200, rel=1e-4)


def test_oversampling_by_eight_has_three_bits_of_fraction() -> None:
    dividers = list[float]()
    uart = UARTS["stm32_v1"](0, Host(), dividers.append)
    for offset, value in ((0x08, 0x2B5), (0x0C, 0xA00C), (0x04, 0)):
        uart.write(offset, value)
    assert dividers == [0x2B * 8 + 5]


def test_a_core_that_only_looks_for_a_byte_is_put_to_sleep() -> None:
    host = Host()
    uart = UARTS["cmsdk"](0, host, lambda divider: None)
    uart.write(0x08, 3)
    for _ in range(1000):
        uart.read(0x04)
    assert host.waits == 0
    uart.read(0x04)
    assert host.waits == 1


def bus_of(family: Family, *, dead: bool = False, trace: io.StringIO | None = None) -> Bus:
    made = Bus(family, dead, trace, lambda: 0x0800_0100)
    made.reset()
    return made


@pytest.mark.parametrize("dead", [False, True])
def test_a_clock_is_ready_when_it_is_on_unless_oscillators_are_dead(dead: bool) -> None:
    rcc = 0x4002_3800
    bus = bus_of(FAMILIES["cortex_m/stm32/f4"], dead=dead)
    assert bus.read(rcc, 4) == 0x83  # HSION, HSIRDY
    bus.write(rcc, 4, 0x83 | 1 << 16 | 1 << 24)
    ready = 0 if dead else 1 << 17 | 1 << 25
    assert bus.read(rcc, 4) == 0x83 | 1 << 16 | 1 << 24 | ready
    bus.write(rcc + 0x08, 4, 2)
    assert bus.read(rcc + 0x08, 4) == 2 | 2 << 2  # the switch, and its status
    bus.write(rcc, 4, 0x83)
    assert bus.read(rcc, 4) == 0x83


@pytest.mark.parametrize(
    ("family", "enable", "register"),
    [
        ("stm32/f1", (0x4002_1018, 1 << 2), 0x4001_0800),  # GPIOA
        ("stm32/f4", (0x4002_3844, 1 << 4), 0x4001_1008),  # USART1
        ("stm32/f7", (0x4002_3830, 1 << 3), 0x4002_0C00),  # GPIOD
        ("stm32/g4", (0x4002_105C, 1 << 0), 0x4000_8008),  # LPUART1
        ("stm32/h7", (0x5802_44E8, 1 << 18), 0x4000_4808),  # USART3
        ("stm32/l4", (0x4002_1058, 1 << 17), 0x4000_4408),  # USART2
        ("stm32/u5", (0x4602_0CA4, 1 << 14), 0x4001_3808),  # USART1
        ("rp/2350", (0x4002_3000, 1 << 26), 0x4007_0024),  # UART0, which leaves its reset
    ],
)
def test_a_peripheral_whose_clock_is_off_takes_and_says_nothing(
    family: str, enable: tuple[int, int], register: int
) -> None:
    bus = bus_of(FAMILIES[f"cortex_m/{family}"])
    bus.write(register, 4, 7)
    assert bus.read(register, 4) == 0
    bus.write(enable[0], 4, enable[1])
    assert bus.read(register, 4) == 0
    bus.write(register, 4, 7)
    assert bus.read(register, 4) == 7


def test_registers_keep_bytes_and_halfwords() -> None:
    bus = bus_of(Family())
    bus.write(0x4000_0000, 4, 0x1122_3344)
    bus.write(0x4000_0001, 1, 0xAA)
    bus.write(0x4000_0002, 2, 0xBBCC)
    assert bus.read(0x4000_0000, 4) == 0xBBCC_AA44
    assert (bus.read(0x4000_0001, 1), bus.read(0x4000_0002, 2)) == (0xAA, 0xBBCC)


def test_rp2350_changes_bits_at_three_more_addresses() -> None:
    resets = 0x4002_0000
    bus = bus_of(FAMILIES["cortex_m/rp/2350"])
    assert bus.read(resets, 4) == 0x1FFF_FFFF
    bus.write(resets + 0x3000, 4, 1 << 26)  # UART0 leaves its reset
    assert bus.read(resets, 4) == 0x1FFF_FFFF & ~(1 << 26)
    assert bus.read(resets + 0x08, 4) == 1 << 26
    bus.write(resets + 0x2000, 4, 1 << 26)
    bus.write(resets + 0x1000, 4, 3)
    assert bus.read(resets, 4) == 0x1FFF_FFFC


def test_writes_to_peripherals_are_traced_with_their_place() -> None:
    trace = io.StringIO()
    bus = bus_of(Family(), trace=trace)
    bus.write(0x4000_0001, 1, 0xAA)
    bus.write(0xE000_E014, 4, 1)  # the core's own
    bus.note("clocks_in_a_bit", 217.0)
    assert [json.loads(line) for line in trace.getvalue().splitlines()] == [
        {"address": 0x4000_0001, "bytes": 1, "value": 0xAA, "pc": 0x0800_0100},
        {"clocks_in_a_bit": 217.0},
    ]


def test_systick_counts_down_and_is_pending_once_a_period() -> None:
    now = 0
    system = System(lambda: now, has_dwt=True)
    system.write(SYST_RVR, 99)
    system.write(SYST_CVR, 5)
    system.write(SYST_CSR, 7)
    assert system.due() == 100
    now = 30
    assert system.read(SYST_CVR) == 70
    assert not system.read(ICSR) >> 26
    now = 100
    assert system.read(ICSR) >> 26 == 1
    system.pending = False
    now = 199
    assert (system.read(SYST_CVR), system.due()) == (1, 200)
    assert not system.read(ICSR) >> 26
    system.write(SYST_CSR, 0)
    now = 1000
    assert (system.read(SYST_CVR), system.due()) == (1, None)


@pytest.mark.parametrize("has_dwt", [True, False])
def test_the_cycle_counter_moves_where_there_is_one_and_it_is_on(has_dwt: bool) -> None:
    now = 10
    system = System(lambda: now, has_dwt)
    assert system.read(0x1004) == 0
    system.write(0xEDFC, 1 << 24)
    system.write(0x1000, 1)
    system.write(0x1004, 0xFFFF_FFFF)
    now = 14
    assert system.read(0x1004) == (3 if has_dwt else 0xFFFF_FFFF)


def test_each_uart_has_a_case() -> None:
    assert set(CASES) == set(UARTS)
    assert all(issubclass(uart, Uart) for uart in UARTS.values())
