// STM32F7. Registers and bits have the names of ST's reference manuals RM0385, RM0410 and RM0431.

#include "caches.h"
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
#define RCC_DCKCFGR2 REGISTER(0x40023890u)
#define FLASH_ACR REGISTER(0x40023c00u)
#define PWR_CR1 REGISTER(0x40007000u)
#define PWR_CSR1 REGISTER(0x40007004u)
#define GPIOA 0x40020000u

#define CR_HSION (1u << 0)
#define CR_HSIRDY (1u << 1)
#define CR_PLLON (1u << 24)
#define CR_PLLRDY (1u << 25)

#define PLLCFGR_PLLM(divider) ((divider) << 0)
#define PLLCFGR_PLLN(factor) ((factor) << 6)
#define PLLCFGR_PLLP(divider) (((divider) / 2u - 1u) << 16)
#define PLLCFGR_PLLSRC_HSE (1u << 22)
#define PLLCFGR_PLLQ(divider) ((divider) << 24)
#define PLLCFGR_PLLR (7u << 28)

#define CFGR_SW (3u << 0)
#define CFGR_SW_HSI (0u << 0)
#define CFGR_SW_PLL (2u << 0)
#define CFGR_SWS (3u << 2)
#define CFGR_SWS_HSI (0u << 2)
#define CFGR_SWS_PLL (2u << 2)
#define CFGR_PPRE1_4 (5u << 10) // 54 MHz at most
#define CFGR_PPRE2_2 (4u << 13) // 108 MHz at most

#define APB1ENR_PWREN (1u << 28)
#define CR1_VOS_SCALE_1 (3u << 14)
#define CR1_ODEN (1u << 16)
#define CR1_ODSWEN (1u << 17)
#define CSR1_VOSRDY (1u << 14)
#define CSR1_ODRDY (1u << 16)
#define CSR1_ODSWRDY (1u << 17)
#define WITHOUT_OVERDRIVE_HZ 180000000u

#define ACR_LATENCY 0xfu
#define ACR_PRFTEN (1u << 8)
#define ACR_ARTEN (1u << 9)
#define ACR_ARTRST (1u << 11)

#define DCKCFGR2_SYSCLK 1u

#if MW_CHIP_HSE_HZ != 0
#define PLL_SOURCE_HZ MW_CHIP_HSE_HZ
#else
#define PLL_SOURCE_HZ 16000000u
#endif

#define PLL_HZ (PLL_SOURCE_HZ * MW_CHIP_PLL_N / MW_CHIP_PLL_M)

// Of flash at clock_hz, with 2.7 V or more.
#define LEAST_WAIT_STATES ((MW_CPU_HZ - 1u) / 30000000u)

#if PLL_SOURCE_HZ < 950000u * MW_CHIP_PLL_M || PLL_SOURCE_HZ > 2100000u * MW_CHIP_PLL_M
#error "board.toml: pll_m of [chip] gives the PLL less than 0.95 MHz or more than 2.1 MHz"
#elif PLL_HZ < 100000000u || PLL_HZ > 432000000u
#error "board.toml: pll_n of [chip] makes less than 100 MHz or more than 432 MHz"
#elif MW_CHIP_PLL_P % 2u != 0 || PLL_HZ / MW_CHIP_PLL_P != MW_CPU_HZ
#error "board.toml: pll_p of [chip] is odd or does not make clock_hz"
#elif MW_CHIP_FLASH_WAIT_STATES < LEAST_WAIT_STATES
#error "board.toml: flash_wait_states of [chip] are too few for clock_hz"
#endif

// The UARTs: what enables the clock, where it is chosen in DCKCFGR2.
#if MW_UART_BASE == 0x40011000u // USART1
#define UART_ENR RCC_APB2ENR
#define UART_EN (1u << 4)
#define UART_SEL 0u
#elif MW_UART_BASE == 0x40004400u // USART2
#define UART_ENR RCC_APB1ENR
#define UART_EN (1u << 17)
#define UART_SEL 2u
#elif MW_UART_BASE == 0x40004800u // USART3
#define UART_ENR RCC_APB1ENR
#define UART_EN (1u << 18)
#define UART_SEL 4u
#elif MW_UART_BASE == 0x40004c00u // UART4
#define UART_ENR RCC_APB1ENR
#define UART_EN (1u << 19)
#define UART_SEL 6u
#elif MW_UART_BASE == 0x40005000u // UART5
#define UART_ENR RCC_APB1ENR
#define UART_EN (1u << 20)
#define UART_SEL 8u
#elif MW_UART_BASE == 0x40011400u // USART6
#define UART_ENR RCC_APB2ENR
#define UART_EN (1u << 5)
#define UART_SEL 10u
#elif MW_UART_BASE == 0x40007800u // UART7
#define UART_ENR RCC_APB1ENR
#define UART_EN (1u << 30)
#define UART_SEL 12u
#elif MW_UART_BASE == 0x40007c00u // UART8
#define UART_ENR RCC_APB1ENR
#define UART_EN (1u << 31)
#define UART_SEL 14u
#else
#error "board.toml: base of [uart] is none of the chip's UARTs"
#endif

static uint32_t core_hz = MW_RESET_HZ;

void chip_early(void)
{
}

// The clock as it is after a reset, which a boot loader may have changed.
static void use_hsi(void)
{
    RCC_CR |= CR_HSION;
    (void)chip_wait(&RCC_CR, CR_HSIRDY, CR_HSIRDY);
    RCC_CFGR &= ~CFGR_SW;
    (void)chip_wait(&RCC_CFGR, CFGR_SWS, CFGR_SWS_HSI);
    RCC_CFGR = CFGR_SW_HSI;
    PWR_CR1 &= ~(CR1_ODEN | CR1_ODSWEN);
    RCC_CR &= ~CR_PLLON;
    (void)chip_wait(&RCC_CR, CR_PLLRDY, 0);
}

// The voltage can be chosen while the PLL is off; it comes with the PLL. Of the PLL's other outputs, which nothing
// uses, Q stays below the 48 MHz that it may have, and R, which some chips have, is as after a reset.
static bool start_pll(void)
{
    PWR_CR1 |= CR1_VOS_SCALE_1;
    RCC_PLLCFGR = (RCC_PLLCFGR & PLLCFGR_PLLR) | (MW_CHIP_HSE_HZ != 0 ? PLLCFGR_PLLSRC_HSE : 0u) | PLLCFGR_PLLQ(9u) |
                  PLLCFGR_PLLM(MW_CHIP_PLL_M) | PLLCFGR_PLLN(MW_CHIP_PLL_N) | PLLCFGR_PLLP(MW_CHIP_PLL_P);
    RCC_CR |= CR_PLLON;
    return chip_wait(&RCC_CR, CR_PLLRDY, CR_PLLRDY) && chip_wait(&PWR_CSR1, CSR1_VOSRDY, CSR1_VOSRDY);
}

static bool start_overdrive(void)
{
    if (MW_CPU_HZ <= WITHOUT_OVERDRIVE_HZ) {
        return true;
    }
    PWR_CR1 |= CR1_ODEN;
    if (!chip_wait(&PWR_CSR1, CSR1_ODRDY, CSR1_ODRDY)) {
        return false;
    }
    PWR_CR1 |= CR1_ODSWEN;
    return chip_wait(&PWR_CSR1, CSR1_ODSWRDY, CSR1_ODSWRDY);
}

// The accelerator's memory is emptied while it is off.
static bool set_flash(void)
{
    FLASH_ACR = MW_CHIP_FLASH_WAIT_STATES;
    FLASH_ACR = MW_CHIP_FLASH_WAIT_STATES | ACR_ARTRST;
    FLASH_ACR = MW_CHIP_FLASH_WAIT_STATES | (MW_CHIP_ART ? ACR_ARTEN | ACR_PRFTEN : 0u);
    return chip_wait(&FLASH_ACR, ACR_LATENCY, MW_CHIP_FLASH_WAIT_STATES);
}

// The buses get slower before the core gets faster.
static bool use_pll(void)
{
    RCC_CFGR = CFGR_PPRE1_4 | CFGR_PPRE2_2 | CFGR_SW_HSI;
    RCC_CFGR = CFGR_PPRE1_4 | CFGR_PPRE2_2 | CFGR_SW_PLL;
    return chip_wait(&RCC_CFGR, CFGR_SWS, CFGR_SWS_PLL);
}

uint32_t chip_clock_start(void)
{
    RCC_APB1ENR |= APB1ENR_PWREN;
    (void)RCC_APB1ENR; // the clock is there after two cycles
    use_hsi();
    if (hse_start(&RCC_CR) && start_pll() && start_overdrive() && set_flash() && use_pll()) {
        core_hz = MW_CPU_HZ;
    } else {
        use_hsi();
    }
    if (MW_CHIP_CACHES) {
        caches_start();
    }
    return core_hz;
}

uint32_t chip_uart_start(void)
{
    RCC_AHB1ENR |= PINS_PORTS;
    UART_ENR |= UART_EN;
    // The core's clock, whatever its bus has.
    RCC_DCKCFGR2 = (RCC_DCKCFGR2 & ~(3u << UART_SEL)) | DCKCFGR2_SYSCLK << UART_SEL;
    (void)UART_ENR;
    pins_route_uart(GPIOA, MW_CHIP_UART_FUNCTION);
    return core_hz;
}
