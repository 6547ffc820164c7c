// SysTick on the processor clock, 24 bits extended to 64 by its interrupt: one tick is one cycle of the core.
// The cycle counter of the DWT unit counts the same, but is optional, 32 bits wide, and stands still under emulators.

#include "mw_board.h"
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

void systick_handler(void);

static volatile uint32_t periods;

void systick_handler(void)
{
    periods = periods + 1;
}

void mw_port_timer_start(void)
{
    SYST_CSR = 0;
    SCB_ICSR = ICSR_PENDSTCLR;
    periods = 0;
    SYST_RVR = PERIOD - 1;
    SYST_CVR = 0;
    SYST_CSR = CSR_ENABLE | CSR_TICKINT | CSR_PROCESSOR_CLOCK;
}

uint64_t mw_port_timer_ticks(void)
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

uint32_t mw_port_timer_hz(void)
{
    return MW_CPU_HZ;
}

uint32_t mw_port_cpu_hz(void)
{
    return MW_CPU_HZ;
}
