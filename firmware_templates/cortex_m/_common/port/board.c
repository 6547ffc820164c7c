// What starts a board: memory for the stack's high-water mark, clocks, the serial line.

#include "chip.h"
#include "mw_port.h"
#include "uart.h"

static uint32_t cpu_hz;

void mw_port_init(void)
{
    mw_port_stack_paint();
    cpu_hz = chip_clock_start();
    uart_init(chip_uart_start());
}

uint32_t mw_port_cpu_hz(void)
{
    return cpu_hz;
}
