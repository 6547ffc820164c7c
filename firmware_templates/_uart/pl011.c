// Arm's PL011 UART (PrimeCell), polled: 8 data bits, no parity, 1 stop bit.

#include "chip.h"
#include "mw_board.h"
#include "mw_port.h"
#include "sleep.h"
#include "uart.h"

#define REGISTER(offset) (*(volatile uint32_t *)(MW_UART_BASE + (offset)))
#define UARTDR REGISTER(0x00u)
#define UARTFR REGISTER(0x18u)
#define UARTIBRD REGISTER(0x24u)
#define UARTFBRD REGISTER(0x28u)
#define UARTLCR_H REGISTER(0x2cu)
#define UARTCR REGISTER(0x30u)
#define UARTIMSC REGISTER(0x38u)
#define UARTRIS REGISTER(0x3cu)
#define UARTICR REGISTER(0x44u)

#define FR_RXFE (1u << 4)
#define FR_TXFF (1u << 5)
#define LCR_H_FEN (1u << 4)
#define LCR_H_WLEN_8 (3u << 5)
#define CR_UARTEN (1u << 0)
#define CR_TXE (1u << 8)
#define CR_RXE (1u << 9)
#define INTERRUPT_RX (1u << 4)
#define INTERRUPT_RT (1u << 6) // fewer bytes than raise INTERRUPT_RX, and no more of them for a while
#define INTERRUPT_ALL 0x7ffu

// The divider has 16 bits before the point and 6 behind it.
#define DIVIDER_MIN (1u << 6)
#define DIVIDER_MAX (0xffffu << 6)

void uart_init(uint32_t clock_hz)
{
    // clock_hz / (16 * baud), in 64ths.
    const uint32_t exact = (uint32_t)(((uint64_t)clock_hz * 4 + MW_UART_BAUD / 2) / MW_UART_BAUD);
    const uint32_t divider = exact < DIVIDER_MIN ? DIVIDER_MIN : exact > DIVIDER_MAX ? DIVIDER_MAX : exact;
    UARTCR = 0;
    UARTIMSC = 0;
    UARTIBRD = divider >> 6;
    UARTFBRD = divider & 0x3fu;
    UARTLCR_H = LCR_H_WLEN_8 | LCR_H_FEN; // takes the divider over
    UARTICR = INTERRUPT_ALL;
    UARTCR = CR_UARTEN | CR_TXE | CR_RXE;
}

void mw_port_putc(uint8_t byte)
{
    if (chip_wait(&UARTFR, FR_TXFF, 0)) {
        UARTDR = byte;
    }
}

int mw_port_getc(void)
{
    while ((UARTFR & FR_RXFE) != 0) {
        UARTIMSC = INTERRUPT_RX | INTERRUPT_RT;
        port_sleep_unless(&UARTRIS, INTERRUPT_RX | INTERRUPT_RT);
        UARTIMSC = 0;
    }
    return (int)(UARTDR & 0xffu);
}
