// Registers of RP2350 that the other one has elsewhere.

#ifndef PORT_RP_H
#define PORT_RP_H

#define RESETS_BASE 0x40020000u
#define CLOCKS_BASE 0x40010000u
#define XOSC_BASE 0x40048000u
#define PLL_SYS_BASE 0x40050000u
#define IO_BANK0_BASE 0x40028000u
#define PADS_BANK0_BASE 0x40038000u
#define UART0_BASE 0x40070000u
#define UART1_BASE 0x40078000u

#define RESET_IO_BANK0 (1u << 6)
#define RESET_PADS_BANK0 (1u << 9)
#define RESET_PLL_SYS (1u << 14)
#define RESET_UART0 (1u << 26)
#define RESET_UART1 (1u << 27)

#define GPIO_PINS 48u // of the larger package

#define CLK_SYS_RESUS_CTRL_OFFSET 0x84u

#endif
