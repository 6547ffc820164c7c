// What a family of chips provides to the rest of the port. Porting to a family that is not there is writing these three
// functions, in port/chip.c.

#ifndef PORT_CHIP_H
#define PORT_CHIP_H

#include <stdbool.h>
#include <stdint.h>

// Called at reset, before variables have their values: makes memory usable that is off at reset. It may not use
// variables, and the core runs at MW_RESET_HZ.
void chip_early(void);

// Sets the core's clock up as board.toml says, with the flash's wait states, prefetch and caches. Returns the frequency
// of the core in Hz: MW_CPU_HZ, less where the chip has no more, or MW_RESET_HZ where an oscillator or a PLL does not
// start. The firmware goes on with what is there, and tells the host.
uint32_t chip_clock_start(void);

// Clocks the UART at MW_UART_BASE and routes its pins. Returns the frequency in Hz that it is fed with.
uint32_t chip_uart_start(void);

// Enough for a crystal to start, at the clock after a reset of any chip: some 0.1 s at 16 MHz.
#define CHIP_WAIT_TRIES 200000u

// Waits until the bits of `mask` are `value` in a register; false where that does not come. Nothing in a port waits for
// hardware in another way, so that nothing waits for ever.
static inline bool chip_wait(const volatile uint32_t *address, uint32_t mask, uint32_t value)
{
    for (uint32_t tries = 0; tries < CHIP_WAIT_TRIES; ++tries) {
        if ((*address & mask) == value) {
            return true;
        }
    }
    return false;
}

#endif
