// STM32F4. Registers and bits have the names of ST's reference manuals RM0090, RM0368, RM0383 and RM0390.

#include "chip.h"
#include "hse.h"
#include "mw_board.h"
#include "pins.h"

#define REGISTER(address) (*(volatile uint32_t *)(address))
#define RCC_CR REGISTER(0x40023800u)
#define RCC_PLLCFGR REGISTER(0x40023804u)
#define RCC_CFGR REGISTER(0x40023808u)
#define RCC_AHB1ENR REGISTER(0x40023830u)
#define RCC_APB1ENR REGISTER(0x40023840u)
#define RCC_APB2ENR REGISTER(0x40023844u)
#define FLASH_ACR REGISTER(0x40023c00u)
#define PWR_CR REGISTER(0x40007000u)
#define PWR_CSR REGISTER(0x40007004u)
#define DBGMCU_IDCODE REGISTER(0xe0042000u)
#define GPIOA 0x40020000u

#define CR_HSION (1u << 0)
#define CR_HSIRDY (1u << 1)
#define CR_PLLON (1u << 24)
#define CR_PLLRDY (1u << 25)

#define PLLCFGR_PLLM(divider) (divider)
#define PLLCFGR_PLLN(factor) ((factor) << 6)
#define PLLCFGR_PLLP(divider) (((divider) / 2u - 1u) << 16)
#define PLLCFGR_PLLSRC_HSE (1u << 22)
#define PLLCFGR_PLLQ(divider) ((divider) << 24)
#define PLLCFGR_PLLR(divider) ((divider) << 28)

#define CFGR_SWS (3u << 2)
#define CFGR_HSI 0u
#define CFGR_PLL 2u
#define CFGR_PPRE(divider) ((divider) == 1u ? 0u : (divider) == 2u ? 4u : (divider) == 4u ? 5u : (divider) == 8u ? 6u : 7u)
#define CFGR_PPRE1(divider) (CFGR_PPRE(divider) << 10)
#define CFGR_PPRE2(divider) (CFGR_PPRE(divider) << 13)

#define APB1ENR_PWREN (1u << 28)
#define CR_VOS (3u << 14)
#define CR_VOS_SCALE(value) ((value) << 14)
#define CR_ODEN (1u << 16)
#define CR_ODSWEN (1u << 17)
#define CSR_VOSRDY (1u << 14)
#define CSR_ODRDY (1u << 16)
#define CSR_ODSWRDY (1u << 17)

#define ACR_LATENCY 15u
#define ACR_PRFTEN (1u << 8)
#define ACR_ICEN (1u << 9)
#define ACR_DCEN (1u << 10)
#define ACR_ICRST (1u << 11)
#define ACR_DCRST (1u << 12)

// The revision A of F405, F407, F415 and F417, by the wrong id that it has: its prefetch does not work (ES0182).
#define IDCODE_F40X_REVISION_A 0x10000411u
#define IDCODE_BITS 0xffff0fffu

#if MW_CHIP_HSE_HZ != 0
#define PLL_SOURCE_HZ MW_CHIP_HSE_HZ
#else
#define PLL_SOURCE_HZ 16000000u
#endif
#define PLL_HZ (PLL_SOURCE_HZ * MW_CHIP_PLL_N / MW_CHIP_PLL_M)

#define IS_BUS_DIVIDER(divider)                                                                                        \
    ((divider) == 1u || (divider) == 2u || (divider) == 4u || (divider) == 8u || (divider) == 16u)

// Of flash at clock_hz, with 2.7 V or more: of some chips more.
#define LEAST_WAIT_STATES (MW_CPU_HZ <= 64000000u ? MW_CPU_HZ > 30000000u : (MW_CPU_HZ - 1u) / 30000000u)
// APB2 takes twice as much. Chips with a core of at most 100 MHz have the faster buses.
#define MOST_APB1_HZ (MW_CPU_HZ > 100000000u ? 45000000u : 50000000u)

#if PLL_SOURCE_HZ < 1000000u * MW_CHIP_PLL_M || PLL_SOURCE_HZ > 2000000u * MW_CHIP_PLL_M
#error "board.toml: pll_m of [chip] gives the PLL less than 1 MHz or more than 2 MHz"
#elif PLL_HZ < 100000000u || PLL_HZ > 432000000u
#error "board.toml: pll_n of [chip] makes less than 100 MHz or more than 432 MHz"
#elif MW_CHIP_PLL_P % 2u != 0 || PLL_HZ / MW_CHIP_PLL_P != MW_CPU_HZ
#error "board.toml: pll_p of [chip] is odd or does not make clock_hz"
#elif !IS_BUS_DIVIDER(MW_CHIP_APB1_DIVIDER) || !IS_BUS_DIVIDER(MW_CHIP_APB2_DIVIDER)
#error "board.toml: apb1_divider or apb2_divider of [chip] is not 1, 2, 4, 8 or 16"
#elif MW_CPU_HZ / MW_CHIP_APB1_DIVIDER > MOST_APB1_HZ || MW_CPU_HZ / MW_CHIP_APB2_DIVIDER > 2u * MOST_APB1_HZ
#error "board.toml: apb1_divider or apb2_divider of [chip] makes a bus faster than the chip takes"
#elif MW_CHIP_FLASH_WAIT_STATES < LEAST_WAIT_STATES
#error "board.toml: flash_wait_states of [chip] are too few for clock_hz"
#endif

// The UARTs: what enables the clock, the bus's divider, the alternate function of the pins.
#if MW_UART_BASE == 0x40011000u // USART1
#define UART_ENR RCC_APB2ENR
#define UART_EN (1u << 4)
#define UART_DIVIDER MW_CHIP_APB2_DIVIDER
#define UART_FUNCTION 7u
#elif MW_UART_BASE == 0x40004400u // USART2
#define UART_ENR RCC_APB1ENR
#define UART_EN (1u << 17)
#define UART_DIVIDER MW_CHIP_APB1_DIVIDER
#define UART_FUNCTION 7u
#elif MW_UART_BASE == 0x40004800u // USART3
#define UART_ENR RCC_APB1ENR
#define UART_EN (1u << 18)
#define UART_DIVIDER MW_CHIP_APB1_DIVIDER
#define UART_FUNCTION 7u
#elif MW_UART_BASE == 0x40004c00u // UART4
#define UART_ENR RCC_APB1ENR
#define UART_EN (1u << 19)
#define UART_DIVIDER MW_CHIP_APB1_DIVIDER
#define UART_FUNCTION 8u
#elif MW_UART_BASE == 0x40005000u // UART5
#define UART_ENR RCC_APB1ENR
#define UART_EN (1u << 20)
#define UART_DIVIDER MW_CHIP_APB1_DIVIDER
#define UART_FUNCTION 8u
#elif MW_UART_BASE == 0x40011400u // USART6
#define UART_ENR RCC_APB2ENR
#define UART_EN (1u << 5)
#define UART_DIVIDER MW_CHIP_APB2_DIVIDER
#define UART_FUNCTION 8u
#else
#error "board.toml: base of [uart] is none of the chip's UARTs"
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

// The voltage can be chosen while the PLL is off, and rises once it runs. Of the PLL's other outputs, which nothing
// uses, Q stays below the 48 MHz that it may have, and R, which some chips have, is as after a reset.
static bool start_pll(void)
{
    RCC_APB1ENR |= APB1ENR_PWREN;
    (void)RCC_APB1ENR; // the clock is there after two cycles
    PWR_CR = (PWR_CR & ~CR_VOS) | CR_VOS_SCALE(MW_CHIP_VOS);
    RCC_PLLCFGR = PLLCFGR_PLLM(MW_CHIP_PLL_M) | PLLCFGR_PLLN(MW_CHIP_PLL_N) | PLLCFGR_PLLP(MW_CHIP_PLL_P) |
                  PLLCFGR_PLLQ(9u) | PLLCFGR_PLLR(2u) | (MW_CHIP_HSE_HZ == 0 ? 0u : PLLCFGR_PLLSRC_HSE);
    RCC_CR |= CR_PLLON;
    return chip_wait(&RCC_CR, CR_PLLRDY, CR_PLLRDY) && chip_wait(&PWR_CSR, CSR_VOSRDY, CSR_VOSRDY);
}

static bool start_over_drive(void)
{
    if (!MW_CHIP_OVER_DRIVE) {
        return true;
    }
    PWR_CR |= CR_ODEN;
    if (!chip_wait(&PWR_CSR, CSR_ODRDY, CSR_ODRDY)) {
        return false;
    }
    PWR_CR |= CR_ODSWEN;
    return chip_wait(&PWR_CSR, CSR_ODSWRDY, CSR_ODSWRDY);
}

// The caches are emptied while they are off.
static bool set_flash(void)
{
    const bool prefetch = MW_CHIP_PREFETCH && (DBGMCU_IDCODE & IDCODE_BITS) != IDCODE_F40X_REVISION_A;
    FLASH_ACR = MW_CHIP_FLASH_WAIT_STATES;
    FLASH_ACR = MW_CHIP_FLASH_WAIT_STATES | ACR_ICRST | ACR_DCRST;
    FLASH_ACR =
        MW_CHIP_FLASH_WAIT_STATES | (prefetch ? ACR_PRFTEN : 0u) | (MW_CHIP_CACHES ? ACR_ICEN | ACR_DCEN : 0u);
    return chip_wait(&FLASH_ACR, ACR_LATENCY, MW_CHIP_FLASH_WAIT_STATES);
}

// The buses' dividers first: none of them may be too fast for a moment.
static bool use_pll(void)
{
    RCC_CFGR = CFGR_PPRE1(MW_CHIP_APB1_DIVIDER) | CFGR_PPRE2(MW_CHIP_APB2_DIVIDER) | CFGR_HSI;
    RCC_CFGR = CFGR_PPRE1(MW_CHIP_APB1_DIVIDER) | CFGR_PPRE2(MW_CHIP_APB2_DIVIDER) | CFGR_PLL;
    return chip_wait(&RCC_CFGR, CFGR_SWS, CFGR_PLL << 2);
}

uint32_t chip_clock_start(void)
{
    use_hsi();
    full_speed = hse_start(&RCC_CR) && start_pll() && start_over_drive() && set_flash() && use_pll();
    if (!full_speed) {
        use_hsi();
    }
    return full_speed ? MW_CPU_HZ : MW_RESET_HZ;
}

uint32_t chip_uart_start(void)
{
    RCC_AHB1ENR |= PINS_PORTS;
    UART_ENR |= UART_EN;
    (void)UART_ENR; // the clocks are there after two cycles
    pins_route_uart(GPIOA, UART_FUNCTION);
    return full_speed ? MW_CPU_HZ / UART_DIVIDER : MW_RESET_HZ;
}
