// STM32G4. Registers and bits have the names of ST's reference manual RM0440.

#include "chip.h"
#include "hse.h"
#include "mw_board.h"
#include "pins.h"

#define REGISTER(address) (*(volatile uint32_t *)(address))
#define RCC_CR REGISTER(0x40021000u)
#define RCC_CFGR REGISTER(0x40021008u)
#define RCC_PLLCFGR REGISTER(0x4002100cu)
#define RCC_AHB2ENR REGISTER(0x4002104cu)
#define RCC_APB1ENR1 REGISTER(0x40021058u)
#define RCC_APB1ENR2 REGISTER(0x4002105cu)
#define RCC_APB2ENR REGISTER(0x40021060u)
#define RCC_CCIPR REGISTER(0x40021088u)
#define FLASH_ACR REGISTER(0x40022000u)
#define PWR_CR1 REGISTER(0x40007000u)
#define PWR_SR2 REGISTER(0x40007014u)
#define PWR_CR5 REGISTER(0x40007080u)
#define GPIOA 0x48000000u

#define CR_HSION (1u << 8)
#define CR_HSIRDY (1u << 10)
#define CR_PLLON (1u << 24)
#define CR_PLLRDY (1u << 25)

#define CFGR_SW_HSI (1u << 0)
#define CFGR_SW_PLL (3u << 0)
#define CFGR_SWS (3u << 2)
#define CFGR_SWS_HSI (1u << 2)
#define CFGR_SWS_PLL (3u << 2)
#define CFGR_HPRE_2 (8u << 4)

#define PLLCFGR_PLLSRC_HSI16 (2u << 0)
#define PLLCFGR_PLLSRC_HSE (3u << 0)
#define PLLCFGR_PLLM(divider) (((divider)-1u) << 4)
#define PLLCFGR_PLLN(factor) ((factor) << 8)
#define PLLCFGR_PLLREN (1u << 24)
#define PLLCFGR_PLLR(divider) (((divider) / 2u - 1u) << 25)

#define APB1ENR1_PWREN (1u << 28)
#define CR1_VOS (3u << 9)
#define CR1_VOS_RANGE_1 (1u << 9)
#define SR2_VOSF (1u << 10)
#define CR5_R1MODE (1u << 8)
#define WITHOUT_BOOST_HZ 150000000u

#define ACR_LATENCY 0xfu
#define ACR_PRFTEN (1u << 8)
#define ACR_ICEN (1u << 9)
#define ACR_DCEN (1u << 10)
#define ACR_ICRST (1u << 11)
#define ACR_DCRST (1u << 12)
#define ACR_DBG_SWEN (1u << 18) // a debugger may connect, as after a reset

#if MW_CHIP_HSE_HZ != 0
#define PLL_SOURCE_HZ MW_CHIP_HSE_HZ
#else
#define PLL_SOURCE_HZ 16000000u
#endif

#define PLL_HZ (PLL_SOURCE_HZ * MW_CHIP_PLL_N / MW_CHIP_PLL_M)

// Of flash at clock_hz.
#define LEAST_WAIT_STATES (MW_CPU_HZ > WITHOUT_BOOST_HZ ? 4u : (MW_CPU_HZ - 1u) / 30000000u)

#if PLL_SOURCE_HZ < 2660000u * MW_CHIP_PLL_M || PLL_SOURCE_HZ > 16000000u * MW_CHIP_PLL_M
#error "board.toml: pll_m of [chip] gives the PLL less than 2.66 MHz or more than 16 MHz"
#elif PLL_HZ < 96000000u || PLL_HZ > 344000000u
#error "board.toml: pll_n of [chip] makes less than 96 MHz or more than 344 MHz"
#elif MW_CHIP_PLL_R % 2u != 0 || PLL_HZ / MW_CHIP_PLL_R != MW_CPU_HZ
#error "board.toml: pll_r of [chip] is odd or does not make clock_hz"
#elif MW_CHIP_FLASH_WAIT_STATES < LEAST_WAIT_STATES
#error "board.toml: flash_wait_states of [chip] are too few for clock_hz"
#endif

// The UARTs: what enables the clock, where it is chosen in CCIPR.
#if MW_UART_BASE == 0x40013800u // USART1
#define UART_ENR RCC_APB2ENR
#define UART_EN (1u << 14)
#define UART_SEL 0u
#elif MW_UART_BASE == 0x40004400u // USART2
#define UART_ENR RCC_APB1ENR1
#define UART_EN (1u << 17)
#define UART_SEL 2u
#elif MW_UART_BASE == 0x40004800u // USART3
#define UART_ENR RCC_APB1ENR1
#define UART_EN (1u << 18)
#define UART_SEL 4u
#elif MW_UART_BASE == 0x40004c00u // UART4
#define UART_ENR RCC_APB1ENR1
#define UART_EN (1u << 19)
#define UART_SEL 6u
#elif MW_UART_BASE == 0x40005000u // UART5
#define UART_ENR RCC_APB1ENR1
#define UART_EN (1u << 20)
#define UART_SEL 8u
#elif MW_UART_BASE == 0x40008000u // LPUART1
#define UART_ENR RCC_APB1ENR2
#define UART_EN (1u << 0)
#define UART_SEL 10u
#else
#error "board.toml: base of [uart] is none of the chip's UARTs"
#endif

static uint32_t core_hz = MW_RESET_HZ;

void chip_early(void)
{
}

// The clock as it is after a reset, which a boot loader may have changed; no bus divided.
static void use_hsi(void)
{
    RCC_CR |= CR_HSION;
    (void)chip_wait(&RCC_CR, CR_HSIRDY, CR_HSIRDY);
    RCC_CFGR = CFGR_SW_HSI;
    (void)chip_wait(&RCC_CFGR, CFGR_SWS, CFGR_SWS_HSI);
    RCC_CR &= ~CR_PLLON;
    (void)chip_wait(&RCC_CR, CR_PLLRDY, 0);
}

static bool start_pll(void)
{
    RCC_PLLCFGR = (MW_CHIP_HSE_HZ == 0 ? PLLCFGR_PLLSRC_HSI16 : PLLCFGR_PLLSRC_HSE) | PLLCFGR_PLLM(MW_CHIP_PLL_M) |
                  PLLCFGR_PLLN(MW_CHIP_PLL_N) | PLLCFGR_PLLR(MW_CHIP_PLL_R) | PLLCFGR_PLLREN;
    RCC_CR |= CR_PLLON;
    return chip_wait(&RCC_CR, CR_PLLRDY, CR_PLLRDY);
}

// Range 1, in its boost mode for more than 150 MHz.
static bool raise_voltage(void)
{
    RCC_APB1ENR1 |= APB1ENR1_PWREN;
    (void)RCC_APB1ENR1; // the clock is there after two cycles
    if (MW_CPU_HZ > WITHOUT_BOOST_HZ) {
        PWR_CR5 &= ~CR5_R1MODE;
    }
    PWR_CR1 = (PWR_CR1 & ~CR1_VOS) | CR1_VOS_RANGE_1;
    return chip_wait(&PWR_SR2, SR2_VOSF, 0);
}

// The caches are emptied while they are off.
static bool set_flash(void)
{
    FLASH_ACR = MW_CHIP_FLASH_WAIT_STATES | ACR_DBG_SWEN;
    FLASH_ACR = MW_CHIP_FLASH_WAIT_STATES | ACR_DBG_SWEN | ACR_ICRST | ACR_DCRST;
    FLASH_ACR = MW_CHIP_FLASH_WAIT_STATES | ACR_DBG_SWEN | (MW_CHIP_PREFETCH ? ACR_PRFTEN : 0u) |
                (MW_CHIP_CACHES ? ACR_ICEN | ACR_DCEN : 0u);
    return chip_wait(&FLASH_ACR, ACR_LATENCY, MW_CHIP_FLASH_WAIT_STATES);
}

// Above 80 MHz in two steps, half of the clock for a microsecond at least, so that the voltage keeps up.
static bool use_pll(void)
{
    RCC_CFGR = CFGR_HPRE_2 | CFGR_SW_HSI;
    RCC_CFGR = CFGR_HPRE_2 | CFGR_SW_PLL;
    if (!chip_wait(&RCC_CFGR, CFGR_SWS, CFGR_SWS_PLL)) {
        return false;
    }
    for (uint32_t cycles = 0; cycles < MW_CPU_HZ / 2000000u; ++cycles) {
        __asm volatile("nop");
    }
    RCC_CFGR = CFGR_SW_PLL;
    return true;
}

uint32_t chip_clock_start(void)
{
    use_hsi();
    if (raise_voltage() && hse_start(&RCC_CR) && start_pll() && set_flash() && use_pll()) {
        core_hz = MW_CPU_HZ;
    } else {
        use_hsi();
    }
    return core_hz;
}

uint32_t chip_uart_start(void)
{
    RCC_AHB2ENR |= PINS_PORTS;
    UART_ENR |= UART_EN;
    RCC_CCIPR &= ~(3u << UART_SEL); // its bus is its clock
    (void)UART_ENR;
    pins_route_uart(GPIOA, MW_CHIP_UART_FUNCTION);
    return core_hz;
}
