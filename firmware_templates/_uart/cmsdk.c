// The UART of Arm's Cortex-M System Design Kit, polled.

#include "chip.h"
#include "mw_board.h"
#include "mw_port.h"
#include "sleep.h"
#include "uart.h"

#define REGISTER(offset) (*(volatile uint32_t *)(MW_UART_BASE + (offset)))
#define DATA REGISTER(0x00u)
#define STATE REGISTER(0x04u)
#define CTRL REGISTER(0x08u)
#define INTERRUPT_CLEAR REGISTER(0x0cu)
#define BAUDDIV REGISTER(0x10u)

#define STATE_TX_FULL 1u
#define STATE_RX_FULL 2u
#define CTRL_TX_RX_ENABLE 3u
#define CTRL_RX_INTERRUPT 8u
#define INTERRUPT_RX 2u
#define BAUDDIV_MIN 16u

void uart_init(uint32_t clock_hz)
{
    const uint32_t divider = (clock_hz + MW_UART_BAUD / 2) / MW_UART_BAUD;
    CTRL = 0;
    BAUDDIV = divider < BAUDDIV_MIN ? BAUDDIV_MIN : divider;
    CTRL = CTRL_TX_RX_ENABLE;
    // Drops what was received before. QEMU also needs it to look for what the host sent before the UART was enabled.
    (void)DATA;
}

void mw_port_putc(uint8_t byte)
{
    if (chip_wait(&STATE, STATE_TX_FULL, 0)) {
        DATA = byte;
    }
}

int mw_port_getc(void)
{
    while ((STATE & STATE_RX_FULL) == 0) {
        CTRL = CTRL_TX_RX_ENABLE | CTRL_RX_INTERRUPT;
        port_sleep_unless(&STATE, STATE_RX_FULL);
        CTRL = CTRL_TX_RX_ENABLE;
        INTERRUPT_CLEAR = INTERRUPT_RX;
    }
    return (int)(DATA & 0xffu);
}
