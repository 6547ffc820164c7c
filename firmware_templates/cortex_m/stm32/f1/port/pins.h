// Pins of STM32F1: four bits a pin, and one choice of pins for each peripheral in place of alternate functions.

#ifndef PORT_PINS_H
#define PORT_PINS_H

#include "mw_board.h"

#include <stdint.h>

#if !defined MW_UART_TX_PIN || !defined MW_UART_RX_PIN
#error "board.toml: [uart] needs tx and rx"
#elif MW_UART_TX_PORT > 6u || MW_UART_RX_PORT > 6u || MW_UART_TX_PIN > 15u || MW_UART_RX_PIN > 15u
#error "board.toml: tx and rx of [uart] are pins 0 to 15 of the ports A to G"
#endif

// What enables the ports of the UART's pins in RCC_APB2ENR.
#define PINS_PORTS (4u << MW_UART_TX_PORT | 4u << MW_UART_RX_PORT)

#define GPIO(port, offset) (*(volatile uint32_t *)(0x40010800u + 0x400u * (port) + (offset)))
#define GPIO_CRL 0x00u // CRH, with pins 8 to 15, behind it
#define GPIO_BSRR 0x10u
#define CR_ALTERNATE_PUSH_PULL_10_MHZ 9u
#define CR_INPUT_PULLED 8u

static inline void pins_set(uint32_t port, uint32_t pin, uint32_t mode)
{
    volatile uint32_t *const address = &GPIO(port, GPIO_CRL + pin / 8 * 4);
    const uint32_t lowest_bit = pin % 8 * 4;
    *address = (*address & ~(0xfu << lowest_bit)) | mode << lowest_bit;
}

// Routes the UART's pins to it. A line that nobody drives reads as idle.
static inline void pins_route_uart(void)
{
    GPIO(MW_UART_RX_PORT, GPIO_BSRR) = 1u << MW_UART_RX_PIN; // pulled up, not down
    pins_set(MW_UART_RX_PORT, MW_UART_RX_PIN, CR_INPUT_PULLED);
    pins_set(MW_UART_TX_PORT, MW_UART_TX_PIN, CR_ALTERNATE_PUSH_PULL_10_MHZ);
}

#endif
