// Stellaris LM3S. Registers and bits have the names of the LM3S6965's data sheet. There are no wait states to set: flash
// keeps up with 50 MHz.

#include "chip.h"
#include "mw_board.h"

#define REGISTER(address) (*(volatile uint32_t *)(address))
#define LDOPCTL REGISTER(0x400fe034u)
#define RIS REGISTER(0x400fe050u)
#define MISC REGISTER(0x400fe058u)
#define RCC REGISTER(0x400fe060u)
#define RCGC1 REGISTER(0x400fe104u)
#define RCGC2 REGISTER(0x400fe108u)
#define GPIO(port) (0x40004000u + 0x1000u * (port))
#define GPIOAFSEL(port) REGISTER(GPIO(port) + 0x420u)
#define GPIODEN(port) REGISTER(GPIO(port) + 0x51cu)

#define LDOPCTL_2_75V 0x1bu
#define RIS_PLLLRIS (1u << 6)
#define MISC_PLLLMIS (1u << 6)
#define RCC_MOSCDIS (1u << 0)
#define RCC_IOSCDIS (1u << 1)
#define RCC_OSCSRC (3u << 4)
#define RCC_OSCSRC_MOSC 0u
#define RCC_OSCSRC_IOSC (1u << 4)
#define RCC_XTAL (31u << 6)
#define RCC_XTAL_CODE(code) ((code) << 6)
#define RCC_BYPASS (1u << 11)
#define RCC_OEN (1u << 12) // of the older classes; a reserved bit, set at reset, in the others
#define RCC_PWRDN (1u << 13)
#define RCC_USESYSDIV (1u << 22)
#define RCC_SYSDIV (15u << 23)
#define RCC_SYSDIV_BY(divider) (((divider)-1u) << 23)

#define PLL_HZ 200000000u

#if PLL_HZ / MW_CHIP_SYS_DIVIDER != MW_CPU_HZ
#error "board.toml: sys_divider of [chip] does not make clock_hz"
#elif MW_UART_BASE == 0x4000c000u
#define RCGC1_UART (1u << 0)
#elif MW_UART_BASE == 0x4000d000u
#define RCGC1_UART (1u << 1)
#elif MW_UART_BASE == 0x4000e000u
#define RCGC1_UART (1u << 2)
#else
#error "board.toml: base of [uart] is none of the chip's UARTs"
#endif
#if MW_UART_TX_PORT > 3u || MW_UART_RX_PORT > 3u
#error "board.toml: tx and rx of [uart] are pins of the ports A to D"
#elif MW_UART_TX_PIN > 7u || MW_UART_RX_PIN > 7u
#error "board.toml: tx and rx of [uart] are pins 0 to 7 of a port"
#endif

static uint32_t cpu_hz = MW_RESET_HZ;

void chip_early(void)
{
}

// What a crystal takes to start: 20 ms, of a loop of 4 cycles or more at the internal oscillator's 12 MHz and 30 %.
#define CRYSTAL_START_LOOPS (20u * 15600u / 4u)

// The core runs on the internal oscillator until the crystal has had its time to start, on the crystal until the PLL has
// locked, and on the internal oscillator again where the PLL does not lock. The crystal has no flag that says whether it
// runs, and the PLL's source is the core's: where it never starts, the core stops when it is selected, unseen.
uint32_t chip_clock_start(void)
{
    LDOPCTL = LDOPCTL_2_75V; // without it, the PLL of the first silicon does not run reliably
    RCC = (RCC | RCC_BYPASS) & ~(RCC_USESYSDIV | RCC_IOSCDIS);
    const uint32_t internal =
        ((RCC | RCC_PWRDN) & ~(RCC_SYSDIV | RCC_MOSCDIS | RCC_XTAL | RCC_OSCSRC)) | RCC_OSCSRC_IOSC;
    uint32_t rcc = internal | RCC_XTAL_CODE(MW_CHIP_CRYSTAL_CODE);
    RCC = rcc;
    for (uint32_t loop = 0; loop < CRYSTAL_START_LOOPS; ++loop) {
        __asm volatile("nop");
    }
    rcc = (rcc & ~RCC_OSCSRC) | RCC_OSCSRC_MOSC;
    RCC = rcc;
    MISC = MISC_PLLLMIS; // the PLL that a boot loader has started had locked, too
    rcc &= ~(RCC_PWRDN | RCC_OEN);
    RCC = rcc;
    rcc |= RCC_USESYSDIV | RCC_SYSDIV_BY(MW_CHIP_SYS_DIVIDER);
    RCC = rcc;
    if (!chip_wait(&RIS, RIS_PLLLRIS, RIS_PLLLRIS)) {
        RCC = internal;
        return cpu_hz;
    }
    RCC = rcc & ~RCC_BYPASS;
    cpu_hz = MW_CPU_HZ;
    return cpu_hz;
}

uint32_t chip_uart_start(void)
{
    RCGC1 |= RCGC1_UART;
    RCGC2 |= (1u << MW_UART_TX_PORT) | (1u << MW_UART_RX_PORT);
    (void)RCGC2; // the clocks are there a few cycles later
    GPIOAFSEL(MW_UART_TX_PORT) |= 1u << MW_UART_TX_PIN;
    GPIOAFSEL(MW_UART_RX_PORT) |= 1u << MW_UART_RX_PIN;
    GPIODEN(MW_UART_TX_PORT) |= 1u << MW_UART_TX_PIN;
    GPIODEN(MW_UART_RX_PORT) |= 1u << MW_UART_RX_PIN;
    return cpu_hz;
}
