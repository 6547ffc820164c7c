// Arm's MPS2 and MPS3 boards: the FPGA's clocks and pins are ready at reset.

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
