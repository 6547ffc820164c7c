// Arm's Musca-B1 in secure state. QSPI flash is read through its cache, and the core's clock is set, before this starts.

#include "chip.h"
#include "mw_board.h"

void chip_early(void)
{
}

uint32_t chip_clock_start(void)
{
    return MW_CPU_HZ;
}

uint32_t chip_uart_start(void)
{
    return MW_CPU_HZ;
}
