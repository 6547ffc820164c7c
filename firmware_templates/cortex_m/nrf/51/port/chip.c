// Nordic nRF51.

#include "chip.h"
#include "mw_board.h"
#include "nrf.h"

#define POWER_RAMON (*(volatile uint32_t *)0x40000524u)
#define RAMON_ONRAM0 (1u << 0)
#define RAMON_ONRAM1 (1u << 1)

void chip_early(void)
{
    // Not all steppings have all of their RAM on after a reset.
    POWER_RAMON |= RAMON_ONRAM0 | RAMON_ONRAM1;
}

uint32_t chip_clock_start(void)
{
    nrf_crystal_start();
    return MW_CPU_HZ;
}

uint32_t chip_uart_start(void)
{
    return nrf_uart_start();
}
