// What nRF51 and nRF52 have in common: the crystal that makes 16 MHz exact, and the pins of the UART.

#ifndef PORT_NRF_H
#define PORT_NRF_H

#include "chip.h"
#include "mw_board.h"

#define CLOCK_TASKS_HFCLKSTART (*(volatile uint32_t *)0x40000000u)
#define CLOCK_EVENTS_HFCLKSTARTED (*(volatile uint32_t *)0x40000100u)

#define GPIO_BASE(port) (0x50000000u + 0x300u * (port))
#define GPIO_OUTSET(port) (*(volatile uint32_t *)(GPIO_BASE(port) + 0x508u))
#define GPIO_PIN_CNF(port, pin) (*(volatile uint32_t *)(GPIO_BASE(port) + 0x700u + 4u * (pin)))
#define PIN_CNF_DIR_OUTPUT (1u << 0)
#define PIN_CNF_INPUT_DISCONNECT (1u << 1)
#define PIN_CNF_PULL_UP (3u << 2)

#if !defined(MW_UART_TX_PIN) || !defined(MW_UART_RX_PIN)
#error "board.toml: [uart] needs tx and rx"
#endif
#if MW_UART_BASE != 0x40002000u
#error "board.toml: base of [uart] is none of the chip's UARTs"
#endif
#if MW_UART_TX_PORT > 1 || MW_UART_TX_PIN > 31 || MW_UART_RX_PORT > 1 || MW_UART_RX_PIN > 31
#error "board.toml: tx and rx of [uart] are P0.00 to P1.31"
#endif
#define UART_HZ 16000000u

// Goes over to the crystal. Where it does not start, the internal oscillator of the same frequency, which is less exact,
// goes on.
static inline void nrf_crystal_start(void)
{
    CLOCK_EVENTS_HFCLKSTARTED = 0;
    CLOCK_TASKS_HFCLKSTART = 1;
    (void)chip_wait(&CLOCK_EVENTS_HFCLKSTARTED, 1, 1);
}

// The UART takes its pins by itself, but wants them as input and output. Returns its frequency in Hz.
static inline uint32_t nrf_uart_start(void)
{
    GPIO_OUTSET(MW_UART_TX_PORT) = 1u << MW_UART_TX_PIN;
    GPIO_PIN_CNF(MW_UART_TX_PORT, MW_UART_TX_PIN) = PIN_CNF_DIR_OUTPUT | PIN_CNF_INPUT_DISCONNECT;
    GPIO_PIN_CNF(MW_UART_RX_PORT, MW_UART_RX_PIN) = PIN_CNF_PULL_UP;
    return UART_HZ;
}

#endif
