// The operating system's clock, which no setting of the time changes.

#define _POSIX_C_SOURCE 200809L

#include "mw_port.h"

#include <time.h>

#define NANOSECONDS 1000000000u

static uint64_t started_ns;

static uint64_t now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NANOSECONDS + (uint64_t)now.tv_nsec;
}

void mw_port_timer_start(void)
{
    started_ns = now_ns();
}

uint64_t mw_port_timer_ticks(void)
{
    return now_ns() - started_ns;
}

uint32_t mw_port_timer_hz(void)
{
    return NANOSECONDS;
}

const char *mw_port_timer_counter(void)
{
    return "clock";
}

uint64_t mw_port_clock_ticks(void)
{
    return now_ns();
}
