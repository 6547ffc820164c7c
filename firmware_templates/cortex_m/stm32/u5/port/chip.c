// STM32U5 without TrustZone. Registers and bits have the names of ST's reference manual RM0456.

#include "chip.h"
#include "hse.h"
#include "mw_board.h"
#include "pins.h"

#define REGISTER(address) (*(volatile uint32_t *)(address))
#define RCC_CR REGISTER(0x46020c00u)
#define RCC_ICSCR1 REGISTER(0x46020c08u)
#define RCC_CFGR1 REGISTER(0x46020c1cu)
#define RCC_CFGR2 REGISTER(0x46020c20u)
#define RCC_CFGR3 REGISTER(0x46020c24u)
#define RCC_PLL1CFGR REGISTER(0x46020c28u)
#define RCC_PLL1DIVR REGISTER(0x46020c34u)
#define RCC_AHB2ENR1 REGISTER(0x46020c8cu)
#define RCC_AHB3ENR REGISTER(0x46020c94u)
#define RCC_APB1ENR1 REGISTER(0x46020c9cu)
#define RCC_APB2ENR REGISTER(0x46020ca4u)
#define RCC_APB3ENR REGISTER(0x46020ca8u)
#define RCC_CCIPR1 REGISTER(0x46020ce0u)
#define RCC_CCIPR3 REGISTER(0x46020ce8u)
#define PWR_CR3 REGISTER(0x46020808u)
#define PWR_VOSR REGISTER(0x4602080cu)
#define PWR_SVMSR REGISTER(0x4602083cu)
#define FLASH_ACR REGISTER(0x40022000u)
#define ICACHE_CR REGISTER(0x40030400u)
#define ICACHE_SR REGISTER(0x40030404u)
#define GPIOA 0x42020000u

#define CR_MSISON (1u << 0)
#define CR_MSISRDY (1u << 2)
#define CR_HSION (1u << 8)
#define CR_HSIRDY (1u << 10)
#define CR_PLL1ON (1u << 24)
#define CR_PLL1RDY (1u << 25)

#define ICSCR1_MSIRGSEL (1u << 23)
#define ICSCR1_MSISRANGE (0xfu << 28)
#define ICSCR1_MSISRANGE_4_MHZ (4u << 28)

#define CFGR1_SW_MSIS (0u << 0)
#define CFGR1_SW_PLL (3u << 0)
#define CFGR1_SWS (3u << 2)
#define CFGR1_SWS_MSIS (0u << 2)
#define CFGR1_SWS_PLL (3u << 2)

#define PLL1CFGR_PLL1SRC_HSI16 (2u << 0)
#define PLL1CFGR_PLL1SRC_HSE (3u << 0)
#define PLL1CFGR_PLL1RGE_4_MHZ (0u << 2)
#define PLL1CFGR_PLL1RGE_8_MHZ (3u << 2)
#define PLL1CFGR_PLL1M(divider) (((divider)-1u) << 8)
#define PLL1CFGR_PLL1MBOOST(half_divider) ((half_divider) << 12)
#define PLL1CFGR_PLL1REN (1u << 18)
#define PLL1DIVR_PLL1N(factor) (((factor)-1u) << 0)
#define PLL1DIVR_PLL1P_2 (1u << 9)
#define PLL1DIVR_PLL1Q_2 (1u << 16)
#define PLL1DIVR_PLL1R(divider) (((divider)-1u) << 24)

#define AHB3ENR_PWREN (1u << 2)
#define CR3_REGSEL (1u << 1)
#define SVMSR_REGS (1u << 1)
#define SVMSR_ACTVOSRDY (1u << 15)
#define VOSR_BOOSTRDY (1u << 14)
#define VOSR_VOSRDY (1u << 15)
#define VOSR_VOS_RANGE_1 (3u << 16)
#define VOSR_BOOSTEN (1u << 18)

#define ACR_LATENCY 0xfu
#define ACR_PRFTEN (1u << 8)
#define ICACHE_CR_EN (1u << 0)
#define ICACHE_CR_CACHEINV (1u << 1)
#define ICACHE_SR_BUSYF (1u << 0)

#if MW_CHIP_HSE_HZ != 0
#define PLL_SOURCE_HZ MW_CHIP_HSE_HZ
#else
#define PLL_SOURCE_HZ 16000000u
#endif
#define PLL_HZ (PLL_SOURCE_HZ * MW_CHIP_PLL_N / MW_CHIP_PLL_M)
#define PLL_RANGE (PLL_SOURCE_HZ > 8000000u * MW_CHIP_PLL_M ? PLL1CFGR_PLL1RGE_8_MHZ : PLL1CFGR_PLL1RGE_4_MHZ)

// Of flash at clock_hz.
#define LEAST_WAIT_STATES ((MW_CPU_HZ - 1u) / 32000000u)

#if PLL_SOURCE_HZ < 4000000u * MW_CHIP_PLL_M || PLL_SOURCE_HZ > 16000000u * MW_CHIP_PLL_M
#error "board.toml: pll_m of [chip] gives the PLL less than 4 MHz or more than 16 MHz"
#elif PLL_HZ < 128000000u || PLL_HZ > 544000000u
#error "board.toml: pll_n of [chip] makes less than 128 MHz or more than 544 MHz"
#elif MW_CHIP_PLL_R > 1u && MW_CHIP_PLL_R % 2u != 0 || PLL_HZ / MW_CHIP_PLL_R != MW_CPU_HZ
#error "board.toml: pll_r of [chip] is odd or does not make clock_hz"
#elif MW_CHIP_FLASH_WAIT_STATES < LEAST_WAIT_STATES
#error "board.toml: flash_wait_states of [chip] are too few for clock_hz"
#endif

// The booster takes 4 to 16 MHz of the PLL's source.
#define BOOST_HALF_DIVIDER (PLL_SOURCE_HZ <= 16000000u ? 0u : PLL_SOURCE_HZ <= 32000000u ? 1u : 2u)

// The UARTs: what enables the clock, where it is chosen.
#if MW_UART_BASE == 0x40013800u // USART1
#define UART_ENR RCC_APB2ENR
#define UART_EN (1u << 14)
#define UART_CCIPR RCC_CCIPR1
#define UART_SEL (3u << 0)
#elif MW_UART_BASE == 0x40004400u // USART2
#define UART_ENR RCC_APB1ENR1
#define UART_EN (1u << 17)
#define UART_CCIPR RCC_CCIPR1
#define UART_SEL (3u << 2)
#elif MW_UART_BASE == 0x40004800u // USART3
#define UART_ENR RCC_APB1ENR1
#define UART_EN (1u << 18)
#define UART_CCIPR RCC_CCIPR1
#define UART_SEL (3u << 4)
#elif MW_UART_BASE == 0x40004c00u // UART4
#define UART_ENR RCC_APB1ENR1
#define UART_EN (1u << 19)
#define UART_CCIPR RCC_CCIPR1
#define UART_SEL (3u << 6)
#elif MW_UART_BASE == 0x40005000u // UART5
#define UART_ENR RCC_APB1ENR1
#define UART_EN (1u << 20)
#define UART_CCIPR RCC_CCIPR1
#define UART_SEL (3u << 8)
#elif MW_UART_BASE == 0x46002400u // LPUART1
#define UART_ENR RCC_APB3ENR
#define UART_EN (1u << 6)
#define UART_CCIPR RCC_CCIPR3
#define UART_SEL (7u << 0)
#else
#error "board.toml: base of [uart] is none of the chip's UARTs"
#endif

static uint32_t core_hz = MW_RESET_HZ;

void chip_early(void)
{
}

// The clock as it is after a reset, which a boot loader may have changed: MSIS at 4 MHz, no bus divided.
static void use_msis(void)
{
    RCC_CR |= CR_MSISON;
    (void)chip_wait(&RCC_CR, CR_MSISRDY, CR_MSISRDY);
    RCC_ICSCR1 = (RCC_ICSCR1 & ~ICSCR1_MSISRANGE) | ICSCR1_MSISRANGE_4_MHZ | ICSCR1_MSIRGSEL;
    RCC_CFGR1 = CFGR1_SW_MSIS;
    (void)chip_wait(&RCC_CFGR1, CFGR1_SWS, CFGR1_SWS_MSIS);
    RCC_CFGR2 = 0;
    RCC_CFGR3 = 0;
    RCC_CR &= ~CR_PLL1ON;
    (void)chip_wait(&RCC_CR, CR_PLL1RDY, 0);
}

// Range 1, with the converter in place of the linear regulator where the board has it.
static bool raise_voltage(void)
{
    if (MW_CHIP_SMPS) {
        PWR_CR3 |= CR3_REGSEL;
        if (!chip_wait(&PWR_SVMSR, SVMSR_REGS, SVMSR_REGS)) {
            return false;
        }
    }
    PWR_VOSR = VOSR_VOS_RANGE_1;
    return chip_wait(&PWR_VOSR, VOSR_VOSRDY, VOSR_VOSRDY) &&
           chip_wait(&PWR_SVMSR, SVMSR_ACTVOSRDY, SVMSR_ACTVOSRDY);
}

static bool start_pll_source(void)
{
    if (MW_CHIP_HSE_HZ == 0) {
        RCC_CR |= CR_HSION;
        return chip_wait(&RCC_CR, CR_HSIRDY, CR_HSIRDY);
    }
    return hse_start(&RCC_CR);
}

// With the voltage's booster, which more than 55 MHz need and which the PLL's source feeds.
static bool start_pll(void)
{
    RCC_PLL1CFGR = (MW_CHIP_HSE_HZ != 0 ? PLL1CFGR_PLL1SRC_HSE : PLL1CFGR_PLL1SRC_HSI16) |
                   PLL_RANGE | PLL1CFGR_PLL1M(MW_CHIP_PLL_M) | PLL1CFGR_PLL1MBOOST(BOOST_HALF_DIVIDER) |
                   PLL1CFGR_PLL1REN;
    RCC_PLL1DIVR = PLL1DIVR_PLL1N(MW_CHIP_PLL_N) | PLL1DIVR_PLL1P_2 | PLL1DIVR_PLL1Q_2 | PLL1DIVR_PLL1R(MW_CHIP_PLL_R);
    PWR_VOSR |= VOSR_BOOSTEN;
    if (!chip_wait(&PWR_VOSR, VOSR_BOOSTRDY, VOSR_BOOSTRDY)) {
        return false;
    }
    RCC_CR |= CR_PLL1ON;
    return chip_wait(&RCC_CR, CR_PLL1RDY, CR_PLL1RDY);
}

static bool set_flash(void)
{
    FLASH_ACR = MW_CHIP_FLASH_WAIT_STATES | (MW_CHIP_PREFETCH ? ACR_PRFTEN : 0u);
    return chip_wait(&FLASH_ACR, ACR_LATENCY, MW_CHIP_FLASH_WAIT_STATES);
}

static bool use_pll(void)
{
    RCC_CFGR1 = CFGR1_SW_PLL;
    return chip_wait(&RCC_CFGR1, CFGR1_SWS, CFGR1_SWS_PLL);
}

// The cache is emptied while it is off.
static void start_cache(void)
{
    ICACHE_CR &= ~ICACHE_CR_EN;
    if (chip_wait(&ICACHE_SR, ICACHE_SR_BUSYF, 0)) {
        ICACHE_CR |= ICACHE_CR_CACHEINV;
        if (chip_wait(&ICACHE_SR, ICACHE_SR_BUSYF, 0)) {
            ICACHE_CR |= ICACHE_CR_EN;
        }
    }
}

uint32_t chip_clock_start(void)
{
    RCC_AHB3ENR |= AHB3ENR_PWREN;
    (void)RCC_AHB3ENR;
    use_msis();
    if (raise_voltage() && start_pll_source() && start_pll() && set_flash() && use_pll()) {
        core_hz = MW_CPU_HZ;
    } else {
        use_msis();
    }
    if (MW_CHIP_CACHES) {
        start_cache();
    }
    return core_hz;
}

uint32_t chip_uart_start(void)
{
    RCC_AHB2ENR1 |= PINS_PORTS;
    UART_ENR |= UART_EN;
    UART_CCIPR &= ~UART_SEL; // its bus is its clock
    (void)UART_ENR;
    pins_route_uart(GPIOA, MW_CHIP_UART_FUNCTION);
    return core_hz;
}
