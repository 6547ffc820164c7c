// STM32H742, H743, H750 and H753. Registers and bits have the names of ST's reference manual RM0433.

#include "caches.h"
#include "chip.h"
#include "hse.h"
#include "mw_board.h"
#include "pins.h"

#define REGISTER(address) (*(volatile uint32_t *)(address))
#define RCC_CR REGISTER(0x58024400u)
#define RCC_CFGR REGISTER(0x58024410u)
#define RCC_D1CFGR REGISTER(0x58024418u)
#define RCC_D2CFGR REGISTER(0x5802441cu)
#define RCC_D3CFGR REGISTER(0x58024420u)
#define RCC_PLLCKSELR REGISTER(0x58024428u)
#define RCC_PLLCFGR REGISTER(0x5802442cu)
#define RCC_PLL1DIVR REGISTER(0x58024430u)
#define RCC_D2CCIP2R REGISTER(0x58024454u)
#define RCC_D3CCIPR REGISTER(0x58024458u)
#define RCC_AHB2ENR REGISTER(0x580244dcu)
#define RCC_AHB4ENR REGISTER(0x580244e0u)
#define RCC_APB1LENR REGISTER(0x580244e8u)
#define RCC_APB2ENR REGISTER(0x580244f0u)
#define RCC_APB4ENR REGISTER(0x580244f4u)
#define PWR_CSR1 REGISTER(0x58024804u)
#define PWR_CR3 REGISTER(0x5802480cu)
#define PWR_D3CR REGISTER(0x58024818u)
#define SYSCFG_PWRCR REGISTER(0x5800042cu)
#define FLASH_ACR REGISTER(0x52002000u)
#define AXI_TARG7_FN_MOD REGISTER(0x51008108u)
#define DBGMCU_IDCODE REGISTER(0x5c001000u)
#define GPIOA 0x58020000u

#define CR_HSION (1u << 0)
#define CR_HSIRDY (1u << 2)
#define CR_HSIDIV (3u << 3)
#define CR_PLL1ON (1u << 24)
#define CR_PLL1RDY (1u << 25)

#define CFGR_SW (7u << 0)
#define CFGR_SW_HSI (0u << 0)
#define CFGR_SW_PLL1 (3u << 0)
#define CFGR_SWS (7u << 3)
#define CFGR_SWS_HSI (0u << 3)
#define CFGR_SWS_PLL1 (3u << 3)

// The buses of the three domains have a quarter of the core's clock, behind AXI and AHB with half of it.
#define D1CFGR_HPRE_2 (8u << 0)
#define D1CFGR_D1PPRE_2 (4u << 4)
#define D2CFGR_D2PPRE1_2 (4u << 4)
#define D2CFGR_D2PPRE2_2 (4u << 8)
#define D3CFGR_D3PPRE_2 (4u << 4)
#define AXI_DIVIDER 2u
#define APB_DIVIDER 4u

#define PLLCKSELR_PLLSRC (3u << 0)
#define PLLCKSELR_PLLSRC_HSI (0u << 0)
#define PLLCKSELR_PLLSRC_HSE (2u << 0)
#define PLLCKSELR_DIVM1(divider) ((divider) << 4)
#define PLLCFGR_PLL1FRACEN (1u << 0)
#define PLLCFGR_PLL1VCOSEL (1u << 1)
#define PLLCFGR_PLL1RGE(range) ((range) << 2)
#define PLLCFGR_DIVP1EN (1u << 16)
#define PLLCFGR_DIVQ1EN (1u << 17)
#define PLLCFGR_DIVR1EN (1u << 18)
#define PLLCFGR_UNUSED (PLLCFGR_PLL1FRACEN | PLLCFGR_PLL1VCOSEL | PLLCFGR_DIVQ1EN | PLLCFGR_DIVR1EN)
#define PLL1DIVR_N1(factor) (((factor)-1u) << 0)
#define PLL1DIVR_P1(divider) (((divider)-1u) << 9)
#define PLL1DIVR_N1_P1 0xffffu

#define CR3_BYPASS (1u << 0)
#define CR3_LDOEN (1u << 1)
#define CR3_SCUEN (1u << 2)
#define CSR1_ACTVOSRDY (1u << 13)
#define D3CR_VOSRDY (1u << 13)
#define D3CR_VOS_SCALE_1 (3u << 14)
#define APB4ENR_SYSCFGEN (1u << 1)
#define PWRCR_ODEN (1u << 0)

#define AHB2ENR_SRAMS (7u << 29)
#define ACR_LATENCY 0xfu
#define ACR_WRHIGHFREQ(delay) ((delay) << 4)
#define FN_MOD_READ_ISS_OVERRIDE (1u << 0)

#define REVISION (DBGMCU_IDCODE >> 16)
#define REVISION_2 0x2000u // the first without an erratum of the AXI bus
#define REVISION_V 0x2003u // the first that has more than 400 MHz
#define SCALE_1_HZ 400000000u

#if MW_CHIP_HSE_HZ != 0
#define PLL_INPUT_HZ (MW_CHIP_HSE_HZ / MW_CHIP_PLL_M)
#else
#define PLL_INPUT_HZ (64000000u / MW_CHIP_PLL_M)
#endif
#define PLL_RANGE (PLL_INPUT_HZ >= 8000000u ? 3u : PLL_INPUT_HZ >= 4000000u ? 2u : 1u)
#define PLL_HZ (PLL_INPUT_HZ * MW_CHIP_PLL_N)

// Of flash, whose clock is AXI's.
#define FLASH_HZ (MW_CPU_HZ / AXI_DIVIDER)
#define LEAST_WAIT_STATES (FLASH_HZ > 225000000u ? 4u : FLASH_HZ > 210000000u ? 3u : (FLASH_HZ - 1u) / 70000000u)

#if PLL_INPUT_HZ < 2000000u || PLL_INPUT_HZ > 16000000u
#error "board.toml: pll_m of [chip] gives the PLL less than 2 MHz or more than 16 MHz"
#elif PLL_HZ < 192000000u || PLL_HZ > 960000000u
#error "board.toml: pll_n of [chip] makes less than 192 MHz or more than 960 MHz"
#elif MW_CHIP_PLL_P % 2u != 0 || PLL_HZ / MW_CHIP_PLL_P != MW_CPU_HZ
#error "board.toml: pll_p of [chip] is odd or does not make clock_hz"
#elif MW_CHIP_FLASH_WAIT_STATES < LEAST_WAIT_STATES
#error "board.toml: flash_wait_states of [chip] are too few for clock_hz"
#endif
#define WRITE_DELAY (FLASH_HZ > 185000000u ? 2u : FLASH_HZ > 70000000u ? 1u : 0u)

// What a chip that has no more than SCALE_1_HZ makes of the same PLL.
#define SCALE_1_N (SCALE_1_HZ / (PLL_INPUT_HZ / MW_CHIP_PLL_P))

// The UARTs: what enables the clock, where it is chosen.
#if MW_UART_BASE == 0x40011000u // USART1
#define UART_ENR RCC_APB2ENR
#define UART_EN (1u << 4)
#define UART_CCIPR RCC_D2CCIP2R
#define UART_SEL 3u
#elif MW_UART_BASE == 0x40004400u // USART2
#define UART_ENR RCC_APB1LENR
#define UART_EN (1u << 17)
#define UART_CCIPR RCC_D2CCIP2R
#define UART_SEL 0u
#elif MW_UART_BASE == 0x40004800u // USART3
#define UART_ENR RCC_APB1LENR
#define UART_EN (1u << 18)
#define UART_CCIPR RCC_D2CCIP2R
#define UART_SEL 0u
#elif MW_UART_BASE == 0x40004c00u // UART4
#define UART_ENR RCC_APB1LENR
#define UART_EN (1u << 19)
#define UART_CCIPR RCC_D2CCIP2R
#define UART_SEL 0u
#elif MW_UART_BASE == 0x40005000u // UART5
#define UART_ENR RCC_APB1LENR
#define UART_EN (1u << 20)
#define UART_CCIPR RCC_D2CCIP2R
#define UART_SEL 0u
#elif MW_UART_BASE == 0x40011400u // USART6
#define UART_ENR RCC_APB2ENR
#define UART_EN (1u << 5)
#define UART_CCIPR RCC_D2CCIP2R
#define UART_SEL 3u
#elif MW_UART_BASE == 0x40007800u // UART7
#define UART_ENR RCC_APB1LENR
#define UART_EN (1u << 30)
#define UART_CCIPR RCC_D2CCIP2R
#define UART_SEL 0u
#elif MW_UART_BASE == 0x40007c00u // UART8
#define UART_ENR RCC_APB1LENR
#define UART_EN (1u << 31)
#define UART_CCIPR RCC_D2CCIP2R
#define UART_SEL 0u
#elif MW_UART_BASE == 0x58000c00u // LPUART1
#define UART_ENR RCC_APB4ENR
#define UART_EN (1u << 3)
#define UART_CCIPR RCC_D3CCIPR
#define UART_SEL 0u
#else
#error "board.toml: base of [uart] is none of the chip's UARTs"
#endif

static uint32_t core_hz = MW_RESET_HZ;

// The memory of the second domain has no clock after a reset. On older chips, two reads of AXI SRAM at a time may give
// wrong data: errata sheet ES0392.
void chip_early(void)
{
    RCC_AHB2ENR |= AHB2ENR_SRAMS;
    (void)RCC_AHB2ENR;
    if (REVISION < REVISION_2) {
        AXI_TARG7_FN_MOD = FN_MOD_READ_ISS_OVERRIDE;
    }
}

// The clock as it is after a reset, which a boot loader may have changed.
static void use_hsi(void)
{
    RCC_CR |= CR_HSION;
    (void)chip_wait(&RCC_CR, CR_HSIRDY, CR_HSIRDY);
    RCC_CFGR &= ~CFGR_SW;
    (void)chip_wait(&RCC_CFGR, CFGR_SWS, CFGR_SWS_HSI);
    RCC_CR &= ~(CR_PLL1ON | CR_HSIDIV);
    (void)chip_wait(&RCC_CR, CR_PLL1RDY, 0);
}

// How the chip is powered can be said once after power-on, and until it is said the voltage stays. LDO is what ST ships
// the chip with; another supply that was said before is left as it is.
static bool set_supply(void)
{
    if ((PWR_CR3 & CR3_SCUEN) != 0) {
        PWR_CR3 = (PWR_CR3 & ~(CR3_SCUEN | CR3_BYPASS)) | CR3_LDOEN;
    }
    return chip_wait(&PWR_CSR1, CSR1_ACTVOSRDY, CSR1_ACTVOSRDY);
}

// Scale 0, for more than 400 MHz, is scale 1 with the regulator's over-drive.
static bool set_voltage(bool scale_0)
{
    RCC_APB4ENR |= APB4ENR_SYSCFGEN;
    (void)RCC_APB4ENR;
    SYSCFG_PWRCR &= ~PWRCR_ODEN;
    PWR_D3CR |= D3CR_VOS_SCALE_1;
    (void)PWR_D3CR;
    if (!chip_wait(&PWR_D3CR, D3CR_VOSRDY, D3CR_VOSRDY)) {
        return false;
    }
    if (scale_0) {
        SYSCFG_PWRCR |= PWRCR_ODEN;
        (void)SYSCFG_PWRCR;
    }
    return chip_wait(&PWR_D3CR, D3CR_VOSRDY, D3CR_VOSRDY);
}

static bool start_pll(uint32_t factor)
{
    RCC_PLLCKSELR = (RCC_PLLCKSELR & ~(PLLCKSELR_PLLSRC | PLLCKSELR_DIVM1(0x3fu))) |
                    (MW_CHIP_HSE_HZ != 0 ? PLLCKSELR_PLLSRC_HSE : PLLCKSELR_PLLSRC_HSI) |
                    PLLCKSELR_DIVM1(MW_CHIP_PLL_M);
    RCC_PLLCFGR = (RCC_PLLCFGR & ~(PLLCFGR_UNUSED | PLLCFGR_PLL1RGE(3u))) | PLLCFGR_PLL1RGE(PLL_RANGE) |
                  PLLCFGR_DIVP1EN;
    RCC_PLL1DIVR = (RCC_PLL1DIVR & ~PLL1DIVR_N1_P1) | PLL1DIVR_N1(factor) | PLL1DIVR_P1(MW_CHIP_PLL_P);
    RCC_CR |= CR_PLL1ON;
    return chip_wait(&RCC_CR, CR_PLL1RDY, CR_PLL1RDY);
}

static bool set_flash(void)
{
    FLASH_ACR = MW_CHIP_FLASH_WAIT_STATES | ACR_WRHIGHFREQ(WRITE_DELAY);
    return chip_wait(&FLASH_ACR, ACR_LATENCY, MW_CHIP_FLASH_WAIT_STATES);
}

static bool use_pll(void)
{
    RCC_CFGR = (RCC_CFGR & ~CFGR_SW) | CFGR_SW_PLL1;
    return chip_wait(&RCC_CFGR, CFGR_SWS, CFGR_SWS_PLL1);
}

// Returns the core's clock: the PLL's with a factor, or after a reset.
static uint32_t start(bool scale_0, uint32_t factor)
{
    if (set_voltage(scale_0) && hse_start(&RCC_CR) && start_pll(factor) && set_flash() && use_pll()) {
        return PLL_INPUT_HZ * factor / MW_CHIP_PLL_P;
    }
    use_hsi();
    return MW_RESET_HZ;
}

uint32_t chip_clock_start(void)
{
    use_hsi();
    RCC_D1CFGR = D1CFGR_HPRE_2 | D1CFGR_D1PPRE_2;
    RCC_D2CFGR = D2CFGR_D2PPRE1_2 | D2CFGR_D2PPRE2_2;
    RCC_D3CFGR = D3CFGR_D3PPRE_2;
    if (set_supply()) {
        if (MW_CPU_HZ <= SCALE_1_HZ) {
            core_hz = start(false, MW_CHIP_PLL_N);
        } else if (REVISION >= REVISION_V) {
            core_hz = start(true, MW_CHIP_PLL_N);
        }
        if (MW_CPU_HZ > SCALE_1_HZ && core_hz == MW_RESET_HZ) {
            core_hz = start(false, SCALE_1_N);
        }
    }
    if (MW_CHIP_CACHES) {
        caches_start();
    }
    return core_hz;
}

uint32_t chip_uart_start(void)
{
    RCC_AHB4ENR |= PINS_PORTS;
    UART_ENR |= UART_EN;
    UART_CCIPR &= ~(7u << UART_SEL); // its bus is its clock
    (void)UART_ENR;
    pins_route_uart(GPIOA, MW_CHIP_UART_FUNCTION);
    return core_hz / APB_DIVIDER;
}
