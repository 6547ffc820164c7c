// The UART of Nordic's nRF51 and nRF52 (not UARTE), polled: 8 data bits, no parity, 1 stop bit.

#include "chip.h"
#include "mw_board.h"
#include "mw_port.h"
#include "sleep.h"
#include "uart.h"

#define REGISTER(offset) (*(volatile uint32_t *)(MW_UART_BASE + (offset)))
#define TASKS_STARTRX REGISTER(0x000u)
#define TASKS_STOPRX REGISTER(0x004u)
#define TASKS_STARTTX REGISTER(0x008u)
#define TASKS_STOPTX REGISTER(0x00cu)
#define EVENTS_RXDRDY REGISTER(0x108u)
#define EVENTS_TXDRDY REGISTER(0x11cu)
#define INTENSET REGISTER(0x304u)
#define INTENCLR REGISTER(0x308u)
#define ENABLE REGISTER(0x500u)
#define PSELRTS REGISTER(0x508u)
#define PSELTXD REGISTER(0x50cu)
#define PSELCTS REGISTER(0x510u)
#define PSELRXD REGISTER(0x514u)
#define RXD REGISTER(0x518u)
#define TXD REGISTER(0x51cu)
#define BAUDRATE REGISTER(0x524u)
#define CONFIG REGISTER(0x56cu)

#define ENABLE_DISABLED 0u
#define ENABLE_ENABLED 4u
#define PSEL(port, pin) ((port)*32u + (pin))
#define PSEL_DISCONNECTED 0xffffffffu
#define INT_RXDRDY (1u << 2)
#define INT_ALL 0xffffffffu

void uart_init(uint32_t clock_hz)
{
    // A boot loader may have used it. Its pins and rate are taken while it is disabled.
    TASKS_STOPRX = 1;
    TASKS_STOPTX = 1;
    ENABLE = ENABLE_DISABLED;
    INTENCLR = INT_ALL;
    PSELTXD = PSEL(MW_UART_TX_PORT, MW_UART_TX_PIN);
    PSELRXD = PSEL(MW_UART_RX_PORT, MW_UART_RX_PIN);
    PSELRTS = PSEL_DISCONNECTED;
    PSELCTS = PSEL_DISCONNECTED;
    CONFIG = 0;
    // In 2^32ths of the clock, of which the upper 20 bits count.
    BAUDRATE = (uint32_t)((((uint64_t)MW_UART_BAUD << 20) + clock_hz / 2) / clock_hz) << 12;
    EVENTS_RXDRDY = 0;
    EVENTS_TXDRDY = 0;
    ENABLE = ENABLE_ENABLED;
    TASKS_STARTTX = 1;
    TASKS_STARTRX = 1;
}

void mw_port_putc(uint8_t byte)
{
    TXD = byte;
    (void)chip_wait(&EVENTS_TXDRDY, 1, 1);
    EVENTS_TXDRDY = 0;
}

int mw_port_getc(void)
{
    while (EVENTS_RXDRDY == 0) {
        INTENSET = INT_RXDRDY;
        port_sleep_unless(&EVENTS_RXDRDY, 1);
        INTENCLR = INT_RXDRDY;
    }
    EVENTS_RXDRDY = 0; // before RXD is read, which brings the next byte and its event
    return (int)(RXD & 0xffu);
}
