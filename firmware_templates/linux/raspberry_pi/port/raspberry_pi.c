// The firmware as a program of a Raspberry Pi's Linux.

#include "line.h"
#include "mw_port.h"
#include "stack.h"

uint8_t *port_stack_base;

void mw_port_init(void)
{
    port_stack_base = __builtin_dwarf_cfa();
    mw_port_stack_paint();
    line_open();
}

uint32_t mw_port_cpu_hz(void)
{
    return 0; // not constant
}
