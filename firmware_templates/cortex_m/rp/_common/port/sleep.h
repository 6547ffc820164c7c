// RP2040 and RP2350 do not sleep while they wait for a byte: an emulator of RP2040 takes interrupts that only wake.

#ifndef PORT_SLEEP_H
#define PORT_SLEEP_H

#include <stdint.h>

static inline void port_sleep_unless(const volatile uint32_t *address, uint32_t mask)
{
    (void)address;
    (void)mask;
}

#endif
