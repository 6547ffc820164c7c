// nRF52 does not sleep while it waits for a byte: SysTick, which is the clock, would stand still.

#ifndef PORT_SLEEP_H
#define PORT_SLEEP_H

#include <stdint.h>

static inline void port_sleep_unless(const volatile uint32_t *address, uint32_t mask)
{
    (void)address;
    (void)mask;
}

#endif
