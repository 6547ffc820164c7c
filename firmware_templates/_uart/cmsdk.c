// The UART of Arm's Cortex-M System Design Kit, polled.

#include "mw_board.h"
#include "mw_port.h"
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

#define NVIC_ISER(word) (*(volatile uint32_t *)(0xe000e100u + 4u * (word)))
#define NVIC_ICER(word) (*(volatile uint32_t *)(0xe000e180u + 4u * (word)))
#define NVIC_ICPR(word) (*(volatile uint32_t *)(0xe000e280u + 4u * (word)))
#define NVIC_ALL 0xffffffffu

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
    while ((STATE & STATE_TX_FULL) != 0) {
    }
    DATA = byte;
}

// Sleeps until a byte is there or another interrupt comes. An emulator's CPU that polls in place of sleeping keeps the
// emulator from delivering the byte. The interrupt only wakes: it is never taken, and its number need not be known.
static void wait(void)
{
    __asm volatile("cpsid i" ::: "memory");
    CTRL = CTRL_TX_RX_ENABLE | CTRL_RX_INTERRUPT;
    NVIC_ISER(0) = NVIC_ALL;
    NVIC_ISER(1) = NVIC_ALL;
    if ((STATE & STATE_RX_FULL) == 0) {
        __asm volatile("dsb\n wfi" ::: "memory");
    }
    NVIC_ICER(0) = NVIC_ALL;
    NVIC_ICER(1) = NVIC_ALL;
    CTRL = CTRL_TX_RX_ENABLE;
    INTERRUPT_CLEAR = INTERRUPT_RX;
    NVIC_ICPR(0) = NVIC_ALL;
    NVIC_ICPR(1) = NVIC_ALL;
    __asm volatile("cpsie i" ::: "memory");
}

int mw_port_getc(void)
{
    while ((STATE & STATE_RX_FULL) == 0) {
        wait();
    }
    return (int)(DATA & 0xffu);
}
