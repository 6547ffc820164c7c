// The USART of STM32 F1, F2, F4 and L1, with one data register. Polled.

#include "chip.h"
#include "mw_board.h"
#include "mw_port.h"
#include "sleep.h"
#include "uart.h"

#define REGISTER(offset) (*(volatile uint32_t *)(MW_UART_BASE + (offset)))
#define USART_SR REGISTER(0x00u)
#define USART_DR REGISTER(0x04u)
#define USART_BRR REGISTER(0x08u)
#define USART_CR1 REGISTER(0x0cu)
#define USART_CR2 REGISTER(0x10u)
#define USART_CR3 REGISTER(0x14u)

#define CR1_RE (1u << 2)
#define CR1_TE (1u << 3)
#define CR1_RXNEIE (1u << 5)
#define CR1_UE (1u << 13)
#define CR1_ON (CR1_UE | CR1_RE | CR1_TE)
#define SR_RXNE (1u << 5)
#define SR_TXE (1u << 7)

void uart_init(uint32_t clock_hz)
{
    USART_CR1 = 0;
    USART_CR2 = 0; // a boot loader may have had the UART
    USART_CR3 = 0;
    USART_BRR = (clock_hz + MW_UART_BAUD / 2) / MW_UART_BAUD;
    USART_CR1 = CR1_ON;
}

void mw_port_putc(uint8_t byte)
{
    (void)chip_wait(&USART_SR, SR_TXE, SR_TXE);
    USART_DR = byte;
}

// Where bytes were lost, reading SR and DR clears the flag of that, too.
int mw_port_getc(void)
{
    while ((USART_SR & SR_RXNE) == 0) {
        USART_CR1 = CR1_ON | CR1_RXNEIE;
        port_sleep_unless(&USART_SR, SR_RXNE);
        USART_CR1 = CR1_ON;
    }
    return (int)(USART_DR & 0xffu);
}
