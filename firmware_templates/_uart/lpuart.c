// NXP's LPUART (i.MX RT), polled: 8 data bits, no parity, 1 stop bit.

#include "chip.h"
#include "mw_board.h"
#include "mw_port.h"
#include "sleep.h"
#include "uart.h"

#define REGISTER(offset) (*(volatile uint32_t *)(MW_UART_BASE + (offset)))
#define BAUD REGISTER(0x10u)
#define STAT REGISTER(0x14u)
#define CTRL REGISTER(0x18u)
#define DATA REGISTER(0x1cu)
#define FIFO REGISTER(0x28u)
#define WATER REGISTER(0x2cu)

#define BAUD_SBR_MAX 0x1fffu
#define BAUD_BOTHEDGE (1u << 17)
#define BAUD_OSR(ratio) (((ratio)-1u) << 24)
#define OSR_MIN 4u
#define OSR_MAX 32u
#define OSR_BOTHEDGE 7u // up to here, samples are taken at both edges
#define STAT_OR (1u << 19)
#define STAT_RDRF (1u << 21)
#define STAT_TDRE (1u << 23)
#define CTRL_RE (1u << 18)
#define CTRL_TE (1u << 19)
#define CTRL_RIE (1u << 21)
#define FIFO_RXFE (1u << 3)
#define FIFO_TXFE (1u << 7)

// The bit is divided into OSR samples of SBR clocks: of all ratios, the one whose baud rate is nearest.
static uint32_t divided(uint32_t clock_hz)
{
    uint32_t best = 0;
    uint32_t least = UINT32_MAX;
    for (uint32_t ratio = OSR_MAX; ratio >= OSR_MIN; --ratio) {
        uint32_t divider = (clock_hz + ratio * MW_UART_BAUD / 2u) / (ratio * MW_UART_BAUD);
        divider = divider == 0 ? 1u : divider > BAUD_SBR_MAX ? BAUD_SBR_MAX : divider;
        const uint32_t made = ratio * divider * MW_UART_BAUD;
        const uint32_t error = made > clock_hz ? made - clock_hz : clock_hz - made;
        if (error < least) {
            least = error;
            best = BAUD_OSR(ratio) | (ratio <= OSR_BOTHEDGE ? BAUD_BOTHEDGE : 0u) | divider;
        }
    }
    return best;
}

void uart_init(uint32_t clock_hz)
{
    CTRL = 0;
    BAUD = divided(clock_hz);
    FIFO = FIFO_RXFE | FIFO_TXFE;
    WATER = 0; // a byte that is there is told
    CTRL = CTRL_TE | CTRL_RE;
}

void mw_port_putc(uint8_t byte)
{
    if (chip_wait(&STAT, STAT_TDRE, STAT_TDRE)) {
        DATA = byte;
    }
}

// After an overrun nothing is received until it is cleared, by writing it.
int mw_port_getc(void)
{
    while ((STAT & STAT_RDRF) == 0) {
        STAT = STAT_OR;
        CTRL = CTRL_TE | CTRL_RE | CTRL_RIE;
        port_sleep_unless(&STAT, STAT_RDRF);
        CTRL = CTRL_TE | CTRL_RE;
    }
    return (int)(DATA & 0xffu);
}
