// HSE, the crystal or clock at OSC_IN: all STM32 have the same bits in RCC_CR.

#ifndef PORT_HSE_H
#define PORT_HSE_H

#include "chip.h"
#include "mw_board.h"

#define CR_HSEON (1u << 16)
#define CR_HSERDY (1u << 17)
#define CR_HSEBYP (1u << 18)

// Starts it; false where it does not come. A board without it has no need to: true. The core runs on another clock, and
// the PLL is off: a boot loader may have left HSE on, and only while it is off can be set whether it is a crystal.
static inline bool hse_start(volatile uint32_t *rcc_cr)
{
    if (MW_CHIP_HSE_HZ == 0) {
        return true;
    }
    *rcc_cr &= ~CR_HSEON;
    if (!chip_wait(rcc_cr, CR_HSERDY, 0)) {
        return false;
    }
    *rcc_cr = (*rcc_cr & ~CR_HSEBYP) | (MW_CHIP_HSE_BYPASS ? CR_HSEBYP : 0u);
    *rcc_cr |= CR_HSEON;
    return chip_wait(rcc_cr, CR_HSERDY, CR_HSERDY);
}

#endif
