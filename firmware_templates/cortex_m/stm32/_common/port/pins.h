// Pins of all STM32 but F1: a mode of two bits and an alternate function of four.

#ifndef PORT_PINS_H
#define PORT_PINS_H

#include "mw_board.h"

#include <stdint.h>

#if !defined MW_UART_TX_PIN || !defined MW_UART_RX_PIN
#error "board.toml: [uart] needs tx and rx"
#elif MW_UART_TX_PORT > 10u || MW_UART_RX_PORT > 10u || MW_UART_TX_PIN > 15u || MW_UART_RX_PIN > 15u
#error "board.toml: tx and rx of [uart] are pins 0 to 15 of the ports A to K"
#endif

// What enables the ports of the UART's pins in RCC, a bit a port.
#define PINS_PORTS (1u << MW_UART_TX_PORT | 1u << MW_UART_RX_PORT)

#define GPIO(base, port, offset) (*(volatile uint32_t *)((base) + 0x400u * (port) + (offset)))
#define GPIO_MODER 0x00u
#define GPIO_PUPDR 0x0cu
#define GPIO_AFRL 0x20u // AFRH, with pins 8 to 15, behind it
#define MODER_ALTERNATE 2u
#define PUPDR_UP 1u

static inline void pins_set(volatile uint32_t *address, uint32_t lowest_bit, uint32_t mask, uint32_t value)
{
    *address = (*address & ~(mask << lowest_bit)) | value << lowest_bit;
}

static inline void pins_route(uint32_t gpioa, uint32_t port, uint32_t pin, uint32_t function)
{
    pins_set(&GPIO(gpioa, port, GPIO_AFRL + pin / 8 * 4), pin % 8 * 4, 0xfu, function);
    pins_set(&GPIO(gpioa, port, GPIO_PUPDR), pin * 2, 3u, PUPDR_UP);
    pins_set(&GPIO(gpioa, port, GPIO_MODER), pin * 2, 3u, MODER_ALTERNATE);
}

// Routes the UART's pins to it. `gpioa` is the address of port A, the others follow; `function` the number of the
// alternate function, which the chip's data sheet lists. A line that nobody drives reads as idle.
static inline void pins_route_uart(uint32_t gpioa, uint32_t function)
{
    pins_route(gpioa, MW_UART_TX_PORT, MW_UART_TX_PIN, function);
    pins_route(gpioa, MW_UART_RX_PORT, MW_UART_RX_PIN, function);
}

#endif
