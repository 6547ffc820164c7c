// STM32F1. Registers and bits have the names of ST's reference manuals RM0008 and RM0041.

#include "chip.h"
#include "hse.h"
#include "mw_board.h"
#include "pins.h"

#define REGISTER(address) (*(volatile uint32_t *)(address))
#define RCC_CR REGISTER(0x40021000u)
#define RCC_CFGR REGISTER(0x40021004u)
#define RCC_APB2ENR REGISTER(0x40021018u)
#define RCC_APB1ENR REGISTER(0x4002101cu)
#define FLASH_ACR REGISTER(0x40022000u)
#define AFIO_MAPR REGISTER(0x40010004u)

#define CR_HSION (1u << 0)
#define CR_HSIRDY (1u << 1)
#define CR_PLLON (1u << 24)
#define CR_PLLRDY (1u << 25)

#define CFGR_SWS (3u << 2)
#define CFGR_HSI 0u
#define CFGR_PLL 2u
#define CFGR_PPRE(divider) ((divider) == 1u ? 0u : (divider) == 2u ? 4u : (divider) == 4u ? 5u : (divider) == 8u ? 6u : 7u)
#define CFGR_PPRE1(divider) (CFGR_PPRE(divider) << 8)
#define CFGR_PPRE2(divider) (CFGR_PPRE(divider) << 11)
#define CFGR_PLLSRC_HSE (1u << 16)
#define CFGR_PLLXTPRE(divider) (((divider)-1u) << 17)
#define CFGR_PLLMUL(factor) (((factor)-2u) << 18)

#define APB2ENR_AFIOEN 1u

#define ACR_LATENCY 7u
#define ACR_PRFTBE (1u << 4)

#if MW_CHIP_HSE_HZ != 0
#define PLL_SOURCE_HZ (MW_CHIP_HSE_HZ / MW_CHIP_PLL_DIVIDER)
#else
#define PLL_SOURCE_HZ 4000000u
#endif

#define IS_BUS_DIVIDER(divider)                                                                                        \
    ((divider) == 1u || (divider) == 2u || (divider) == 4u || (divider) == 8u || (divider) == 16u)

// Of flash at clock_hz.
#define LEAST_WAIT_STATES ((MW_CPU_HZ - 1u) / 24000000u)
#define MOST_APB1_HZ 36000000u

#if PLL_SOURCE_HZ * MW_CHIP_PLL_FACTOR != MW_CPU_HZ
#error "board.toml: the PLL of [chip] does not make clock_hz"
#elif !IS_BUS_DIVIDER(MW_CHIP_APB1_DIVIDER) || !IS_BUS_DIVIDER(MW_CHIP_APB2_DIVIDER)
#error "board.toml: apb1_divider or apb2_divider of [chip] is not 1, 2, 4, 8 or 16"
#elif MW_CPU_HZ / MW_CHIP_APB1_DIVIDER > MOST_APB1_HZ
#error "board.toml: apb1_divider of [chip] makes a bus faster than the chip takes"
#elif MW_CHIP_FLASH_WAIT_STATES < LEAST_WAIT_STATES
#error "board.toml: flash_wait_states of [chip] are too few for clock_hz"
#endif

// The UARTs: what enables the clock, the bus's divider, and the bits of AFIO_MAPR by where the pins are.
#define TX_IS(port, pin) (MW_UART_TX_PORT == (port) && MW_UART_TX_PIN == (pin))
#define RX_IS(port, pin) (MW_UART_RX_PORT == (port) && MW_UART_RX_PIN == (pin))
#define AT(port, pin) (TX_IS(port, pin) && RX_IS(port, (pin) + 1u))
#if MW_UART_BASE == 0x40013800u // USART1: PA9 and PA10, PB6 and PB7
#define UART_ENR RCC_APB2ENR
#define UART_EN (1u << 14)
#define UART_DIVIDER MW_CHIP_APB2_DIVIDER
#define UART_REMAP (TX_IS(1u, 6u) ? 1u << 2 : 0u)
#define UART_PINS (AT(0u, 9u) || AT(1u, 6u))
#elif MW_UART_BASE == 0x40004400u // USART2: PA2 and PA3, PD5 and PD6
#define UART_ENR RCC_APB1ENR
#define UART_EN (1u << 17)
#define UART_DIVIDER MW_CHIP_APB1_DIVIDER
#define UART_REMAP (TX_IS(3u, 5u) ? 1u << 3 : 0u)
#define UART_PINS (AT(0u, 2u) || AT(3u, 5u))
#elif MW_UART_BASE == 0x40004800u // USART3: PB10 and PB11, PC10 and PC11, PD8 and PD9
#define UART_ENR RCC_APB1ENR
#define UART_EN (1u << 18)
#define UART_DIVIDER MW_CHIP_APB1_DIVIDER
#define UART_REMAP (TX_IS(2u, 10u) ? 1u << 4 : TX_IS(3u, 8u) ? 3u << 4 : 0u)
#define UART_PINS (AT(1u, 10u) || AT(2u, 10u) || AT(3u, 8u))
#elif MW_UART_BASE == 0x40004c00u // UART4: PC10 and PC11
#define UART_ENR RCC_APB1ENR
#define UART_EN (1u << 19)
#define UART_DIVIDER MW_CHIP_APB1_DIVIDER
#define UART_REMAP 0u
#define UART_PINS AT(2u, 10u)
#elif MW_UART_BASE == 0x40005000u // UART5: PC12 and PD2
#define UART_ENR RCC_APB1ENR
#define UART_EN (1u << 20)
#define UART_DIVIDER MW_CHIP_APB1_DIVIDER
#define UART_REMAP 0u
#define UART_PINS (TX_IS(2u, 12u) && RX_IS(3u, 2u))
#else
#error "board.toml: base of [uart] is none of the chip's UARTs"
#endif
#if !UART_PINS
#error "board.toml: the UART of [uart] does not come out at tx and in at rx"
#endif

static bool full_speed;

void chip_early(void)
{
}

// The clock as it is after a reset, which a boot loader may have changed: HSI, no bus divided.
static void use_hsi(void)
{
    RCC_CR |= CR_HSION;
    (void)chip_wait(&RCC_CR, CR_HSIRDY, CR_HSIRDY);
    RCC_CFGR = CFGR_HSI;
    (void)chip_wait(&RCC_CFGR, CFGR_SWS, CFGR_HSI << 2);
    RCC_CR &= ~CR_PLLON;
    (void)chip_wait(&RCC_CR, CR_PLLRDY, 0);
}

// The buses' dividers, too: they have to be there before the clock is fast.
static bool start_pll(void)
{
    RCC_CFGR = CFGR_PPRE1(MW_CHIP_APB1_DIVIDER) | CFGR_PPRE2(MW_CHIP_APB2_DIVIDER) | CFGR_PLLMUL(MW_CHIP_PLL_FACTOR) |
               (MW_CHIP_HSE_HZ == 0 ? 0u : CFGR_PLLSRC_HSE | CFGR_PLLXTPRE(MW_CHIP_PLL_DIVIDER));
    RCC_CR |= CR_PLLON;
    return chip_wait(&RCC_CR, CR_PLLRDY, CR_PLLRDY);
}

static bool set_flash(void)
{
    FLASH_ACR = MW_CHIP_FLASH_WAIT_STATES | (MW_CHIP_PREFETCH ? ACR_PRFTBE : 0u);
    return chip_wait(&FLASH_ACR, ACR_LATENCY, MW_CHIP_FLASH_WAIT_STATES);
}

static bool use_pll(void)
{
    RCC_CFGR |= CFGR_PLL;
    return chip_wait(&RCC_CFGR, CFGR_SWS, CFGR_PLL << 2);
}

uint32_t chip_clock_start(void)
{
    use_hsi();
    full_speed = hse_start(&RCC_CR) && start_pll() && set_flash() && use_pll();
    if (!full_speed) {
        use_hsi();
    }
    return full_speed ? MW_CPU_HZ : MW_RESET_HZ;
}

uint32_t chip_uart_start(void)
{
    RCC_APB2ENR |= PINS_PORTS | APB2ENR_AFIOEN;
    UART_ENR |= UART_EN;
    (void)UART_ENR; // the clocks are there after two cycles
    // Not read first: what it says of the debugger's pins is undefined, and writing that back could turn them off.
    AFIO_MAPR = UART_REMAP;
    pins_route_uart();
    return full_speed ? MW_CPU_HZ / UART_DIVIDER : MW_RESET_HZ;
}
