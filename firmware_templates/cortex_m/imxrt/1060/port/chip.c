// i.MX RT1060. Registers and bits have the names of NXP's reference manual (IMXRT1060RM).

#include "caches.h"
#include "chip.h"
#include "mw_board.h"

#define REGISTER(address) (*(volatile uint32_t *)(address))
#define DCDC_REG0 REGISTER(0x40080000u)
#define DCDC_REG3 REGISTER(0x4008000cu)
#define IOMUXC_GPR_GPR14 REGISTER(0x400ac038u)
#define IOMUXC_GPR_GPR16 REGISTER(0x400ac040u)
#define IOMUXC_GPR_GPR17 REGISTER(0x400ac044u)
#define CCM_ANALOG_PLL_ARM REGISTER(0x400d8000u)
#define CCM_CACRR REGISTER(0x400fc010u)
#define CCM_CBCDR REGISTER(0x400fc014u)
#define CCM_CBCMR REGISTER(0x400fc018u)
#define CCM_CSCDR1 REGISTER(0x400fc024u)
#define CCM_CDHIPR REGISTER(0x400fc048u)
#define CCM_CLPCR REGISTER(0x400fc054u)
#define CCM_CCGR(number) REGISTER(0x400fc068u + 4u * (number))
#define MPU_CTRL REGISTER(0xe000ed94u)
#define MPU_RBAR REGISTER(0xe000ed9cu)
#define MPU_RASR REGISTER(0xe000eda0u)

#define REG0_STS_DC_OK (1u << 31)
#define REG3_TRG 31u
#define REG3_TRG_MV(mv) (((mv)-800u) / 25u)

#define GPR14_CM7_CFGTCMSZ_512K (0xaau << 16)
#define GPR16_INIT_TCM_EN 3u
#define GPR16_FLEXRAM_BANK_CFG_SEL (1u << 2)
// Two bits a bank: 3 is ITCM, 2 DTCM.
#define GPR17_BANKS(itcm) (0xaaaaaaaau | (uint32_t)((1ull << (2u * (itcm))) - 1u))

#define PLL_ARM_DIV_SELECT 127u
#define PLL_ARM_POWERDOWN (1u << 12)
#define PLL_ARM_ENABLE (1u << 13)
#define PLL_ARM_BYPASS (1u << 16)
#define PLL_ARM_LOCK (1u << 31)
#define CBCDR_IPG_PODF_4 (3u << 8)
#define CBCDR_IPG_PODF (3u << 8)
#define CBCDR_AHB_PODF (7u << 10)
#define CBCDR_PERIPH_CLK_SEL (1u << 25)
#define CBCDR_PERIPH_CLK2_PODF (7u << 27)
#define CBCMR_PERIPH_CLK2_SEL (3u << 12)
#define CBCMR_PERIPH_CLK2_OSC (1u << 12)
#define CBCMR_PRE_PERIPH_CLK_SEL (3u << 18)
#define CBCMR_PRE_PERIPH_CLK_ARM (3u << 18)
#define CSCDR1_UART_CLK_PODF 63u
#define CSCDR1_UART_CLK_SEL_OSC (1u << 6)
#define CDHIPR_BUSY 0x1002bu
#define CLPCR_LPM 3u // what sleeping is: 0 is running on, 1, after a reset, stops the core's clock
#define GATE_ON 3u
#define GATE_DCDC (6u * 16u + 3u)

#define PAD_CONTROL_BEHIND 0x1f0u // from a pad's SW_MUX_CTL to its SW_PAD_CTL
#define PAD_TX 0x10b0u            // as after a reset: 100 MHz, drive strength 6, keeper
#define PAD_RX 0x1f0b0u           // pulled up, with hysteresis

#define OSC_HZ 24000000u
#define BOOT_ROM_HZ 396000000u

#if MW_RESET_HZ != OSC_HZ
#error "board.toml: reset_hz is not 24 MHz, the crystal's, where the core stays when the PLL does not lock"
#endif
#if OSC_HZ / 2u * MW_CHIP_PLL_FACTOR / MW_CHIP_ARM_DIVIDER != MW_CPU_HZ
#error "board.toml: pll_factor and arm_divider of [chip] do not make clock_hz"
#endif

// The banks of the FlexRAM change places, and with them what the stack holds. Nothing of it is needed here, nor by the
// caller, who never returns.
__attribute__((naked)) void chip_early(void)
{
    __asm volatile("str %1, [%0, #0x44]\n"
                   "ldr r3, [%0, #0x40]\n"
                   "orr r3, r3, %2\n"
                   "str r3, [%0, #0x40]\n"
                   "str %3, [%0, #0x38]\n"
                   "dsb\n"
                   "isb\n"
                   "bx lr\n" ::"r"(0x400ac000u),
                   "r"(GPR17_BANKS(MW_CHIP_ITCM_BANKS)), "i"(GPR16_INIT_TCM_EN | GPR16_FLEXRAM_BANK_CFG_SEL),
                   "r"(GPR14_CM7_CFGTCMSZ_512K));
}

static bool handshakes_done(void)
{
    return chip_wait(&CCM_CDHIPR, CDHIPR_BUSY, 0);
}

// Core and buses at the crystal's 24 MHz, which runs since before the boot ROM.
static bool use_crystal(void)
{
    CCM_CBCDR &= ~CBCDR_PERIPH_CLK2_PODF;
    CCM_CBCMR = (CCM_CBCMR & ~CBCMR_PERIPH_CLK2_SEL) | CBCMR_PERIPH_CLK2_OSC;
    if (!handshakes_done()) {
        return false;
    }
    CCM_CBCDR |= CBCDR_PERIPH_CLK_SEL;
    return handshakes_done();
}

static bool raise_voltage(void)
{
    CCM_CCGR(GATE_DCDC / 16u) |= GATE_ON << (2u * (GATE_DCDC % 16u));
    DCDC_REG3 = (DCDC_REG3 & ~REG3_TRG) | REG3_TRG_MV(MW_CHIP_CORE_MV);
    return chip_wait(&DCDC_REG0, REG0_STS_DC_OK, REG0_STS_DC_OK);
}

static bool start_pll(void)
{
    CCM_ANALOG_PLL_ARM = PLL_ARM_BYPASS | PLL_ARM_ENABLE | MW_CHIP_PLL_FACTOR;
    if (!chip_wait(&CCM_ANALOG_PLL_ARM, PLL_ARM_LOCK, PLL_ARM_LOCK)) {
        return false;
    }
    CCM_ANALOG_PLL_ARM = PLL_ARM_ENABLE | MW_CHIP_PLL_FACTOR;
    return true;
}

// The peripherals' bus stays at a quarter of the core's clock, which is below its 150 MHz.
static bool use_pll(void)
{
    CCM_CACRR = MW_CHIP_ARM_DIVIDER - 1u;
    CCM_CBCDR = (CCM_CBCDR & ~(CBCDR_AHB_PODF | CBCDR_IPG_PODF)) | CBCDR_IPG_PODF_4;
    CCM_CBCMR = (CCM_CBCMR & ~CBCMR_PRE_PERIPH_CLK_SEL) | CBCMR_PRE_PERIPH_CLK_ARM;
    if (!handshakes_done()) {
        return false;
    }
    CCM_CBCDR &= ~CBCDR_PERIPH_CLK_SEL;
    return handshakes_done();
}

#define REGION(number, address) (0x10u | (number) | (address))
#define RASR_ENABLE 1u
#define RASR_SIZE(log2_bytes) (((log2_bytes)-1u) << 1)
#define RASR_NORMAL_CACHED 0x000b0000u // write-back, with allocation
#define RASR_NORMAL 0x00080000u
#define RASR_DEVICE 0x00100000u
#define RASR_READ_WRITE 0x03000000u
#define RASR_READ_ONLY 0x06000000u
#define RASR_NEVER_EXECUTE 0x10000000u

// The core reads ahead wherever it may. Where nothing is, or what is there is not set up, it may not.
static void forbid_empty_memory(void)
{
    static const struct {
        uint32_t address;
        uint32_t attributes;
    } regions[] = {
        {0x00000000u, RASR_NEVER_EXECUTE | RASR_SIZE(32)},
        {0x00000000u, RASR_NORMAL | RASR_READ_ONLY | RASR_SIZE(19)},                                 // ITCM
        {0x00200000u, RASR_NORMAL | RASR_READ_ONLY | RASR_SIZE(17)},                                 // boot ROM
        {0x20000000u, RASR_NORMAL | RASR_READ_WRITE | RASR_NEVER_EXECUTE | RASR_SIZE(19)},           // DTCM
        {0x20200000u, RASR_NORMAL_CACHED | RASR_READ_WRITE | RASR_NEVER_EXECUTE | RASR_SIZE(20)},    // OCRAM
        {0x40000000u, RASR_DEVICE | RASR_READ_WRITE | RASR_NEVER_EXECUTE | RASR_SIZE(26)},           // peripherals
        {0x60000000u, RASR_NORMAL_CACHED | RASR_READ_ONLY | RASR_SIZE(28)},                          // flash
    };
    MPU_CTRL = 0;
    for (uint32_t i = 0; i < sizeof regions / sizeof regions[0]; ++i) {
        MPU_RBAR = REGION(i, regions[i].address);
        MPU_RASR = regions[i].attributes | RASR_ENABLE;
    }
    __asm volatile("dsb" ::: "memory");
    MPU_CTRL = 1;
    __asm volatile("dsb\n isb" ::: "memory");
}

uint32_t chip_clock_start(void)
{
    CCM_CLPCR &= ~CLPCR_LPM; // SysTick counts on while the core waits for a byte
    uint32_t core_hz = BOOT_ROM_HZ;
    if (use_crystal()) {
        core_hz = raise_voltage() && start_pll() && use_pll() ? MW_CPU_HZ : MW_RESET_HZ;
    }
    if (core_hz == MW_RESET_HZ) {
        (void)use_crystal();
    }
    if (MW_CHIP_CACHES) {
        forbid_empty_memory();
        caches_start();
    }
    return core_hz;
}

static void route(uint32_t mux, uint32_t pad)
{
    REGISTER(mux) = MW_CHIP_UART_FUNCTION;
    REGISTER(mux + PAD_CONTROL_BEHIND) = pad;
}

uint32_t chip_uart_start(void)
{
    CCM_CSCDR1 = (CCM_CSCDR1 & ~CSCDR1_UART_CLK_PODF) | CSCDR1_UART_CLK_SEL_OSC;
    CCM_CCGR(MW_CHIP_UART_GATE / 16u) |= GATE_ON << (2u * (MW_CHIP_UART_GATE % 16u));
    route(MW_CHIP_TX_MUX, PAD_TX);
    route(MW_CHIP_RX_MUX, PAD_RX);
    REGISTER(MW_CHIP_TX_SELECT) = MW_CHIP_SELECT;
    REGISTER(MW_CHIP_RX_SELECT) = MW_CHIP_SELECT;
    return OSC_HZ;
}
