"""The core's own registers: SysTick, the DWT's cycle counter, the interrupt controller, vectors and faults.

Time is executed instructions: SysTick, from either clock, and CYCCNT count one each.
"""

from __future__ import annotations

from collections.abc import Callable

from microwright.emulator.families import SYSTEM

_SYST_CSR, _SYST_RVR, _SYST_CVR = 0xE010, 0xE014, 0xE018
_DWT_CTRL, _DWT_CYCCNT, _DEMCR = 0x1000, 0x1004, 0xEDFC
_ICSR, _VTOR, _AIRCR, _SHCSR, _CFSR, _HFSR, _BFAR, _CPACR = (
    *(0xED04, 0xED08, 0xED0C, 0xED24, 0xED28, 0xED2C, 0xED38),
    0xED88,
)
_ISER, _ICER, _ISPR, _ICPR = 0xE100, 0xE180, 0xE200, 0xE280
_ENABLE, _TICKINT, _COUNTFLAG = 1 << 0, 1 << 1, 1 << 16
_PENDSTCLR, _PENDSTSET = 1 << 25, 1 << 26
_TRCENA, _CYCCNTENA = 1 << 24, 1 << 0
# What decides when the core has to look for more than instructions.
_DECISIVE = (_SYST_CSR, _SYST_RVR, _SYST_CVR, _ICSR, _AIRCR, _CPACR)
_RESET_KEY, _SYSRESETREQ = 0x05FA, 1 << 2
_WORD = 0xFFFFFFFF


class System:
    """Registers at 0xE0000000. `now` tells how many instructions were executed.

    `changed` is set where a write may change what the core does next.
    """

    base, bytes = SYSTEM

    def __init__(self, now: Callable[[], int], has_dwt: bool) -> None:
        self._now = now
        self._has_dwt = has_dwt
        self.changed = False
        self.reset(0)

    def reset(self, vectors: int) -> None:
        """As after a reset of a core whose vectors lie at that address."""
        self.values: dict[int, int] = {_VTOR: vectors}
        self.pending = False
        self.reset_requested = False
        self.active = 0  # number of the exception that is being handled
        self._ticks = 0  # SysTick's, up to `_since` and in whole periods handled
        self._since: int | None = None
        self._cycles = 0  # CYCCNT's, up to `_cycles_since`
        self._cycles_since: int | None = None

    @property
    def vectors(self) -> int:
        """Address of the vectors."""
        return self.values[_VTOR]

    @property
    def fpu_enabled(self) -> bool:
        """Whether CPACR lets programs use coprocessors 10 and 11."""
        return self.values.get(_CPACR, 0) & 0xF << 20 == 0xF << 20

    def faults_enabled(self, exception: int) -> bool:
        """Whether a memory management (4), bus (5) or usage fault (6) has its own handler."""
        return bool(self.values.get(_SHCSR, 0) >> (exception + 12) & 1)

    def record(self, *, cfsr: int = 0, hfsr: int = 0, bfar: int | None = None) -> None:
        """Add to what the fault registers say."""
        self.values[_CFSR] = self.values.get(_CFSR, 0) | cfsr
        self.values[_HFSR] = self.values.get(_HFSR, 0) | hfsr
        if bfar is not None:
            self.values[_BFAR] = bfar

    def due(self) -> int | None:
        """The count of instructions at which SysTick reaches 0 next; None where it does not."""
        if self._since is None or not self._period or not self.values.get(_SYST_CSR, 0) & _TICKINT:
            return None
        return self._since + self._period - self._ticks % self._period

    def tick(self) -> None:
        """Let SysTick's time pass, which may make its exception pending."""
        if self._since is None:
            return
        now = self._now()
        before, self._ticks = self._ticks, self._ticks + now - self._since
        self._since = now
        if self._period and self._ticks // self._period > before // self._period:
            csr = self.values.get(_SYST_CSR, 0)
            self.values[_SYST_CSR] = csr | _COUNTFLAG
            self.pending |= bool(csr & _TICKINT)

    def read(self, offset: int) -> int:
        """What a register says."""
        self.tick()
        if offset == _SYST_CVR:
            return -self._ticks % self._period if self._period else 0
        if offset == _SYST_CSR:
            value = self.values.get(_SYST_CSR, 0)
            self.values[_SYST_CSR] = value & ~_COUNTFLAG
            return value
        if offset == _DWT_CYCCNT:
            return self._counted()
        if offset == _ICSR:
            return self.pending << 26 | self.active
        return self.values.get(offset, 0)

    def write(self, offset: int, value: int) -> None:
        """A word is written."""
        self.tick()
        self.changed |= offset in _DECISIVE
        if offset == _SYST_CVR:
            self._ticks = 0
        elif offset == _ICSR:
            self.pending = (self.pending or bool(value & _PENDSTSET)) and not value & _PENDSTCLR
        elif offset in (_CFSR, _HFSR):
            self.values[offset] = self.values.get(offset, 0) & ~value
        elif offset == _AIRCR:
            self.reset_requested = value >> 16 == _RESET_KEY and bool(value & _SYSRESETREQ)
        elif offset == _DWT_CYCCNT:
            self._counted()
            self._cycles = value
        elif _ISER <= offset < _ICPR + 0x40:
            self._interrupts(offset, value)
        else:
            self.values[offset] = value & (0xFFFFFF if offset == _SYST_RVR else _WORD)
            self._clock()

    @property
    def _period(self) -> int:
        reload = self.values.get(_SYST_RVR, 0)
        return reload + 1 if reload else 0

    def _clock(self) -> None:
        """Start and stop what counts."""
        runs = self.values.get(_SYST_CSR, 0) & _ENABLE
        if runs and self._since is None:
            self._since = self._now()
        elif not runs:
            self._since = None
        self._counted()
        on = self.values.get(_DEMCR, 0) & _TRCENA and self.values.get(_DWT_CTRL, 0) & _CYCCNTENA
        self._cycles_since = self._now() if on and self._has_dwt else None

    def _counted(self) -> int:
        if self._cycles_since is not None:
            now = self._now()
            self._cycles += now - self._cycles_since
            self._cycles_since = now
        return self._cycles & _WORD

    def _interrupts(self, offset: int, value: int) -> None:
        """Bits of the interrupt controller are set at one address and cleared at another."""
        word = offset & 0x3F
        for register, other, sets in (
            (_ISER, _ICER, True),
            (_ICER, _ISER, False),
            (_ISPR, _ICPR, True),
            (_ICPR, _ISPR, False),
        ):
            if register <= offset < register + 0x40:
                old = self.values.get(offset, 0)
                self.values[offset] = self.values[other + word] = old | value if sets else old & ~value
