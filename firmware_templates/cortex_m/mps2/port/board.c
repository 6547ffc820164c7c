// Arm's MPS2 and MPS3 boards: the FPGA's clocks and pins are ready at reset.

#include "mw_board.h"
#include "mw_port.h"
#include "uart.h"

void mw_port_init(void)
{
    mw_port_stack_paint();
    uart_init(MW_CPU_HZ);
}
