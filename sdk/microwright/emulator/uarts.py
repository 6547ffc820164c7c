"""UARTs as firmware polls them, by the names of the drivers in firmware_templates/_uart."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import ClassVar

from microwright.emulator.line import Line

# After so many looks at a line that is silent, the core may as well stand still until a byte comes.
_IDLE_LOOKS = 1000


class Uart(ABC):
    """A UART on a line: its registers keep what is written. A kind of it says where data and status are.

    What is sent before the transmitter is on is lost, and nothing is received before the receiver is on.
    `on_divider` gets how many clocks a bit takes, when the first byte is sent after a change of it.
    """

    bytes = 0x1000
    # Registers' values after a reset.
    resets: ClassVar[Mapping[int, int]] = {}

    def __init__(self, base: int, line: Line, on_divider: Callable[[float], None]) -> None:
        self.base = base
        self._line = line
        self._on_divider = on_divider
        self._noted = 0.0
        self._looks = 0
        self.values: dict[int, int] = dict(self.resets)

    def read(self, offset: int) -> int:
        """What a register says."""
        return self.values.get(offset, 0)

    def write(self, offset: int, value: int) -> None:
        """A word is written."""
        self.values[offset] = value

    def on(self, offset: int, mask: int) -> bool:
        """Whether all these bits are set."""
        return self.values.get(offset, 0) & mask == mask

    def ready(self, enabled: bool) -> bool:
        """Whether a byte was received."""
        if enabled and self._line.available():
            self._looks = 0
            return True
        self._looks += 1
        if enabled and self._looks > _IDLE_LOOKS:
            self._line.wait()
        return False

    def receive(self, enabled: bool) -> int:
        """The byte that was received; 0 where there is none."""
        return self._line.read() if enabled else 0

    def send(self, value: int, enabled: bool) -> None:
        """Send a byte."""
        self._looks = 0
        if not enabled:
            return
        divider = self.divider()
        if divider != self._noted:
            self._noted = divider
            self._on_divider(divider)
        self._line.write(value & 0xFF)

    @abstractmethod
    def divider(self) -> float:
        """Clocks of the UART in a bit."""


class Cmsdk(Uart):
    """Arm's Cortex-M System Design Kit."""

    _DATA, _STATE, _CTRL, _DIVIDER = 0x00, 0x04, 0x08, 0x10
    _TX, _RX = 1, 2

    def read(self, offset: int) -> int:
        """STATE has 1 for no room to send, which never is, and 2 for a byte received."""
        if offset == self._DATA:
            return self.receive(self.on(self._CTRL, self._RX))
        if offset == self._STATE:
            return 2 * self.ready(self.on(self._CTRL, self._RX))
        return super().read(offset)

    def write(self, offset: int, value: int) -> None:
        """DATA sends."""
        if offset == self._DATA:
            self.send(value, self.on(self._CTRL, self._TX))
        else:
            super().write(offset, value)

    def divider(self) -> float:
        """As it is written."""
        return self.values.get(self._DIVIDER, 0)


class Stm32V1(Uart):
    """STM32 F1, F4: status and data registers."""

    _SR, _DR, _BRR, _CR1 = 0x00, 0x04, 0x08, 0x0C
    _UE, _TE, _RE, _OVER8 = 1 << 13, 1 << 3, 1 << 2, 1 << 15

    def read(self, offset: int) -> int:
        """SR has RXNE (5), TC (6) and TXE (7)."""
        if offset == self._DR:
            return self.receive(self.on(self._CR1, self._UE | self._RE))
        if offset == self._SR:
            return 0xC0 | self.ready(self.on(self._CR1, self._UE | self._RE)) << 5
        return super().read(offset)

    def write(self, offset: int, value: int) -> None:
        """DR sends."""
        if offset == self._DR:
            self.send(value, self.on(self._CR1, self._UE | self._TE))
        else:
            super().write(offset, value)

    def divider(self) -> float:
        """BRR is the divider; oversampling by 8, its last three bits are eighths."""
        brr = self.values.get(self._BRR, 0)
        return (brr >> 4) * 8 + (brr & 7) if self.on(self._CR1, self._OVER8) else brr


class Stm32V2(Uart):
    """STM32 F7, H7, L4, G4, U5: apart for receiving and sending. The low-power UART divides more finely."""

    _CR1, _BRR, _ISR, _RDR, _TDR, _PRESC = 0x00, 0x0C, 0x1C, 0x24, 0x28, 0x2C
    _UE, _TE, _RE, _OVER8 = 1 << 0, 1 << 3, 1 << 2, 1 << 15
    # LPUART1 of G4 and L4, of H7, of U5 and U5 as secure code sees it.
    _LOW_POWER = (0x4000_8000, 0x5800_0C00, 0x4600_2400, 0x5600_2400)
    _PRESCALER = (1, 2, 4, 6, 8, 10, 12, 16, 32, 64, 128, 256)

    def read(self, offset: int) -> int:
        """ISR has RXNE (5), TC (6), TXE (7), TEACK (21) and REACK (22)."""
        receives = self.on(self._CR1, self._UE | self._RE)
        if offset == self._RDR:
            return self.receive(receives)
        if offset == self._ISR:
            sends = self.on(self._CR1, self._UE | self._TE)
            return 0xC0 | self.ready(receives) << 5 | sends << 21 | receives << 22
        return super().read(offset)

    def write(self, offset: int, value: int) -> None:
        """TDR sends; BRR is only taken while the UART is off."""
        if offset == self._TDR:
            self.send(value, self.on(self._CR1, self._UE | self._TE))
        elif offset != self._BRR or not self.on(self._CR1, self._UE):
            super().write(offset, value)

    def divider(self) -> float:
        """As that of V1, or in 256ths, and a prescaler."""
        clocks: float = self.values.get(self._BRR, 0)
        if self.base in self._LOW_POWER:
            clocks /= 256
        elif self.on(self._CR1, self._OVER8):
            clocks = (int(clocks) >> 4) * 8 + (int(clocks) & 7)
        return clocks * self._PRESCALER[min(self.values.get(self._PRESC, 0) & 15, 11)]


class Nrf(Uart):
    """nRF51, nRF52: UART (not UARTE), with tasks and events."""

    _START_RX, _STOP_RX, _START_TX, _STOP_TX = 0x000, 0x004, 0x008, 0x00C
    _RX_READY, _TX_READY, _ENABLE, _RXD, _TXD, _BAUDRATE = 0x108, 0x11C, 0x500, 0x518, 0x51C, 0x524
    _CLOCK_HZ = 16_000_000

    def __init__(self, base: int, line: Line, on_divider: Callable[[float], None]) -> None:
        super().__init__(base, line, on_divider)
        self._taken = False  # the event of the byte in RXD was given

    def _started(self, task: int) -> bool:
        return self.on(self._ENABLE, 4) and self.values.get(task, 0) == 1

    def read(self, offset: int) -> int:
        """RXDRDY comes once a byte; RXD has the byte and makes room for the next one."""
        if offset == self._RX_READY and not self._taken and self.ready(self._started(self._START_RX)):
            self._taken = True
            self.values[self._RX_READY] = 1
        if offset == self._RXD:
            self._taken = False
            return self.receive(self._started(self._START_RX))
        return super().read(offset)

    def write(self, offset: int, value: int) -> None:
        """TXD sends, and TXDRDY says that it did."""
        if offset == self._TXD:
            self.send(value, self._started(self._START_TX))
            self.values[self._TX_READY] = int(self._started(self._START_TX))
            return
        super().write(offset, value)
        for stop, start in ((self._STOP_RX, self._START_RX), (self._STOP_TX, self._START_TX)):
            if offset == stop and value == 1:
                self.values[start] = 0

    def divider(self) -> float:
        """BAUDRATE is in 2^32ths of 16 MHz."""
        return 2**32 / max(self.values.get(self._BAUDRATE, 0), 1)


class Pl011(Uart):
    """Arm's PL011."""

    _DR, _FR, _IBRD, _FBRD, _LCRH, _CR = 0x00, 0x18, 0x24, 0x28, 0x2C, 0x30
    _ON, _TX, _RX = 1 << 0, 1 << 8, 1 << 9
    resets: ClassVar[Mapping[int, int]] = {_CR: _TX | _RX}

    def read(self, offset: int) -> int:
        """FR has RXFE (4), nothing received, and TXFE (7), all sent."""
        receives = self.on(self._CR, self._ON | self._RX)
        if offset == self._DR:
            return self.receive(receives)
        if offset == self._FR:
            return 0x80 | (not self.ready(receives)) << 4
        return super().read(offset)

    def write(self, offset: int, value: int) -> None:
        """DR sends."""
        if offset == self._DR:
            self.send(value, self.on(self._CR, self._ON | self._TX))
        else:
            super().write(offset, value)

    def divider(self) -> float:
        """16 times a number of 16 bits and 64ths."""
        return 16 * self.values.get(self._IBRD, 0) + self.values.get(self._FBRD, 0) / 4


class Lpuart(Uart):
    """NXP's LPUART."""

    _BAUD, _STAT, _CTRL, _DATA = 0x10, 0x14, 0x18, 0x1C
    _TE, _RE = 1 << 19, 1 << 18
    resets: ClassVar[Mapping[int, int]] = {_BAUD: 0x0F000004}

    def read(self, offset: int) -> int:
        """STAT has RDRF (21), TC (22) and TDRE (23); DATA bit 12 where nothing was received."""
        receives = self.on(self._CTRL, self._RE)
        if offset == self._DATA:
            return self.receive(receives) if self.ready(receives) else 1 << 12
        if offset == self._STAT:
            return 0xC00000 | self.ready(receives) << 21
        return super().read(offset)

    def write(self, offset: int, value: int) -> None:
        """DATA sends."""
        if offset == self._DATA:
            self.send(value, self.on(self._CTRL, self._TE))
        else:
            super().write(offset, value)

    def divider(self) -> float:
        """SBR (12:0) times the oversampling, OSR (28:24) + 1."""
        baud = self.values.get(self._BAUD, 0)
        return (baud & 0x1FFF) * ((baud >> 24 & 0x1F) + 1)


UARTS: Mapping[str, type[Uart]] = {
    "cmsdk": Cmsdk,
    "lpuart": Lpuart,
    "nrf": Nrf,
    "pl011": Pl011,
    "stm32_v1": Stm32V1,
    "stm32_v2": Stm32V2,
}
