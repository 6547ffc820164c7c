// TIMER0 at 16 MHz, since nRF51's core has no SysTick: one tick is one cycle of the core. Its 32 bits are extended to 64
// by an interrupt in the middle of each round.

#include "mw_board.h"
#include "mw_port.h"

#include <stdbool.h>
#include <stddef.h>

#define TIMER0(offset) (*(volatile uint32_t *)(0x40008000u + (offset)))
#define TASKS_START TIMER0(0x000u)
#define TASKS_STOP TIMER0(0x004u)
#define TASKS_CLEAR TIMER0(0x00cu)
#define TASKS_CAPTURE1 TIMER0(0x044u)
#define EVENTS_COMPARE0 TIMER0(0x140u)
#define INTENSET TIMER0(0x304u)
#define MODE TIMER0(0x504u)
#define BITMODE TIMER0(0x508u)
#define PRESCALER TIMER0(0x510u)
#define CC0 TIMER0(0x540u)
#define CC1 TIMER0(0x544u)

#define INT_COMPARE0 (1u << 16)
#define MODE_TIMER 0u
#define BITMODE_32 3u
#define PRESCALER_1 0u // 16 MHz
#define MIDDLE 0x80000000u

#define TIMER0_INTERRUPT 8u
#define NVIC_ISER (*(volatile uint32_t *)0xe000e100u)
#define NVIC_ICPR (*(volatile uint32_t *)0xe000e280u)

void systick_handler(void);

// How often the counter passed the middle.
static volatile uint32_t middles;

static bool started;

// Ticks from boot to the last start of the timer.
static uint64_t before;

static void timer0_handler(void)
{
    EVENTS_COMPARE0 = 0;
    middles = middles + 1;
}

// The chip's own interrupts, whose vectors follow the core's.
__attribute__((section(".vectors.after"), used)) static void (*const interrupts[TIMER0_INTERRUPT + 1])(void) = {
    [TIMER0_INTERRUPT] = timer0_handler,
};

// There is no SysTick.
void systick_handler(void)
{
}

static uint64_t ticks(void)
{
    uint32_t passed;
    uint32_t value;
    do {
        passed = middles;
        TASKS_CAPTURE1 = 1;
        value = CC1;
    } while (passed != middles || EVENTS_COMPARE0 != 0);
    return ((uint64_t)(value < MIDDLE ? passed : passed - 1) << 32) + value;
}

void mw_port_timer_start(void)
{
    if (started) {
        before += ticks();
    }
    TASKS_STOP = 1;
    TASKS_CLEAR = 1;
    EVENTS_COMPARE0 = 0;
    NVIC_ICPR = 1u << TIMER0_INTERRUPT;
    middles = 0;
    MODE = MODE_TIMER;
    BITMODE = BITMODE_32;
    PRESCALER = PRESCALER_1;
    CC0 = MIDDLE;
    INTENSET = INT_COMPARE0;
    NVIC_ISER = 1u << TIMER0_INTERRUPT;
    started = true;
    TASKS_START = 1;
}

uint64_t mw_port_timer_ticks(void)
{
    return ticks();
}

const char *mw_port_timer_counter(void)
{
    return "timer";
}

uint64_t mw_port_clock_ticks(void)
{
    return before + (started ? ticks() : 0);
}

uint32_t mw_port_timer_hz(void)
{
    return MW_CPU_HZ;
}
