// A UART driver provides this, mw_port_putc and mw_port_getc.

#ifndef PORT_UART_H
#define PORT_UART_H

#include <stdint.h>

// Sets up the board's UART, which is clocked and whose pins are routed already; clock_hz is what it is fed with.
void uart_init(uint32_t clock_hz);

#endif
