// Sleeping until the UART has something.

#ifndef PORT_SLEEP_H
#define PORT_SLEEP_H

#include "nvic.h"

#include <stdint.h>

// Sleeps until an interrupt comes, unless one of the bits of `mask` is set in a register already. The caller has told
// its UART to interrupt where they become set. An emulator's CPU that polls in place of sleeping keeps the emulator from
// delivering the byte. The interrupt only wakes: it is never taken, and its number need not be known. Those that were
// enabled before stay so, and are taken afterwards. In the handler of a fault, no interrupt has the priority to wake the
// core: there it returns at once, and an emulator gets its turn.
static inline void port_sleep_unless(const volatile uint32_t *address, uint32_t mask)
{
    uint32_t exception;
    __asm volatile("mrs %0, ipsr" : "=r"(exception));
    if (exception != 0) {
        __asm volatile("yield");
        return;
    }
    uint32_t enabled[NVIC_WORDS];
    __asm volatile("cpsid i" ::: "memory");
    for (uint32_t word = 0; word < NVIC_WORDS; ++word) {
        enabled[word] = NVIC_ISER(word);
        NVIC_ISER(word) = NVIC_ALL;
    }
    if ((*address & mask) == 0) {
        __asm volatile("dsb\n wfi" ::: "memory");
    }
    for (uint32_t word = 0; word < NVIC_WORDS; ++word) {
        NVIC_ICER(word) = ~enabled[word];
        NVIC_ICPR(word) = ~enabled[word];
    }
    __asm volatile("cpsie i" ::: "memory");
}

#endif
