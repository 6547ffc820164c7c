// The USART of STM32 F0, F3, F7, G0, G4, H7, L4, U5 and others, with separate data registers; and their LPUART. Polled.

#include "chip.h"
#include "mw_board.h"
#include "mw_port.h"
#include "sleep.h"
#include "uart.h"

#define REGISTER(offset) (*(volatile uint32_t *)(MW_UART_BASE + (offset)))
#define USART_CR1 REGISTER(0x00u)
#define USART_CR2 REGISTER(0x04u)
#define USART_CR3 REGISTER(0x08u)
#define USART_BRR REGISTER(0x0cu)
#define USART_ISR REGISTER(0x1cu)
#define USART_RDR REGISTER(0x24u)
#define USART_TDR REGISTER(0x28u)
#define USART_PRESC REGISTER(0x2cu) // G4, H7, U5; reserved, 0, in the others

#define CR1_UE (1u << 0)
#define CR1_RE (1u << 2)
#define CR1_TE (1u << 3)
#define CR1_RXNEIE (1u << 5)
#define CR1_ON (CR1_UE | CR1_RE | CR1_TE)
#define CR3_OVRDIS (1u << 12)
#define ISR_RXNE (1u << 5)
#define ISR_TXE (1u << 7)

// LPUART1 of G0, G4, L4, L5; of H7; of U5. It divides 256 times as finely.
#define LPUART (MW_UART_BASE == 0x40008000u || MW_UART_BASE == 0x58000c00u || MW_UART_BASE == 0x46002400u)
#define SCALE (LPUART ? 256u : 1u)

// scale * clock_hz / MW_UART_BAUD, rounded, within 32 bits.
static uint32_t divider(uint32_t clock_hz, uint32_t scale)
{
    const uint32_t rest = clock_hz % MW_UART_BAUD;
    return clock_hz / MW_UART_BAUD * scale + (rest * scale + MW_UART_BAUD / 2) / MW_UART_BAUD;
}

void uart_init(uint32_t clock_hz)
{
    USART_CR1 = 0;
    USART_CR2 = 0; // a boot loader may have had the UART
    USART_PRESC = 0;
    USART_BRR = divider(clock_hz, SCALE);
    // A byte that is not fetched in time is replaced by the next; otherwise its flag would have to be cleared.
    USART_CR3 = CR3_OVRDIS;
    USART_CR1 = CR1_ON;
}

void mw_port_putc(uint8_t byte)
{
    (void)chip_wait(&USART_ISR, ISR_TXE, ISR_TXE);
    USART_TDR = byte;
}

int mw_port_getc(void)
{
    while ((USART_ISR & ISR_RXNE) == 0) {
        USART_CR1 = CR1_ON | CR1_RXNEIE;
        port_sleep_unless(&USART_ISR, ISR_RXNE);
        USART_CR1 = CR1_ON;
    }
    return (int)(USART_RDR & 0xffu);
}
