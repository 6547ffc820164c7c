// SysTick on the processor clock, 24 bits extended to 64 by its interrupt: one tick is one cycle of the core. The cycle
// counter of the DWT unit counts the same and takes its place where it moves: it is optional, and stands still under
// emulators. It has 32 bits, and what lies above them is SysTick's.

#include "mw_port.h"

#define SYST_CSR (*(volatile uint32_t *)0xe000e010u)
#define SYST_RVR (*(volatile uint32_t *)0xe000e014u)
#define SYST_CVR (*(volatile uint32_t *)0xe000e018u)
#define SCB_ICSR (*(volatile uint32_t *)0xe000ed04u)

#define CSR_ENABLE 1u
#define CSR_TICKINT 2u
#define CSR_PROCESSOR_CLOCK 4u
#define ICSR_PENDSTCLR (1u << 25)
#define ICSR_PENDSTSET (1u << 26)
#define PERIOD 0x1000000u

// Armv6-M has no such counter for software.
#ifdef __thumb2__
#define DEMCR (*(volatile uint32_t *)0xe000edfcu)
#define DWT_CTRL (*(volatile uint32_t *)0xe0001000u)
#define DWT_CYCCNT (*(volatile uint32_t *)0xe0001004u)
#define DWT_LAR (*(volatile uint32_t *)0xe0001fb0u)

#define DEMCR_TRCENA (1u << 24)
#define CTRL_CYCCNTENA 1u
#define LAR_KEY 0xc5acce55u // the lock of Cortex-M7's
#endif

void systick_handler(void);

static volatile uint32_t periods;

// SysTick's ticks from boot to the last start of the timer.
static uint64_t before;

void systick_handler(void)
{
    periods = periods + 1;
}

static uint64_t systick_ticks(void)
{
    uint32_t high;
    uint32_t value;
    do {
        high = periods;
        value = SYST_CVR;
    } while (high != periods || (SCB_ICSR & ICSR_PENDSTSET) != 0);
    // It counts down, from 0 at the start and at the end of each period.
    return (uint64_t)high * PERIOD + ((PERIOD - value) & (PERIOD - 1));
}

void mw_port_timer_start(void)
{
    if ((SYST_CSR & CSR_ENABLE) != 0) {
        before += systick_ticks();
    }
    SYST_CSR = 0;
    SCB_ICSR = ICSR_PENDSTCLR;
    periods = 0;
    SYST_RVR = PERIOD - 1;
    SYST_CVR = 0;
#ifdef __thumb2__
    DEMCR |= DEMCR_TRCENA;
    DWT_LAR = LAR_KEY;
    DWT_CTRL |= CTRL_CYCCNTENA;
    DWT_CYCCNT = 0;
#endif
    SYST_CSR = CSR_ENABLE | CSR_TICKINT | CSR_PROCESSOR_CLOCK;
}

// 0 where it stands still.
static uint32_t dwt_cycles(void)
{
#ifdef __thumb2__
    return DWT_CYCCNT;
#else
    return 0;
#endif
}

uint64_t mw_port_timer_ticks(void)
{
    const uint32_t cycles = dwt_cycles();
    const uint64_t ticks = systick_ticks();
    // Of the counts that end in these 32 bits, the one that is nearest to SysTick's.
    return cycles == 0 ? ticks : ticks + (uint64_t)(int32_t)(cycles - (uint32_t)ticks);
}

const char *mw_port_timer_counter(void)
{
    return dwt_cycles() == 0 ? "systick" : "dwt";
}

uint64_t mw_port_clock_ticks(void)
{
    return before + systick_ticks();
}

uint32_t mw_port_timer_hz(void)
{
    return mw_port_cpu_hz();
}
