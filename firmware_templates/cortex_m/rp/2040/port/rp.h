// Registers of RP2040 that the other one has elsewhere.

#ifndef PORT_RP_H
#define PORT_RP_H

#define RESETS_BASE 0x4000c000u
#define CLOCKS_BASE 0x40008000u
#define XOSC_BASE 0x40024000u
#define PLL_SYS_BASE 0x40028000u
#define IO_BANK0_BASE 0x40014000u
#define PADS_BANK0_BASE 0x4001c000u
#define UART0_BASE 0x40034000u
#define UART1_BASE 0x40038000u

#define RESET_IO_BANK0 (1u << 5)
#define RESET_PADS_BANK0 (1u << 8)
#define RESET_PLL_SYS (1u << 12)
#define RESET_UART0 (1u << 22)
#define RESET_UART1 (1u << 23)

#define GPIO_PINS 30u

#define CLK_SYS_RESUS_CTRL_OFFSET 0x78u

#endif
