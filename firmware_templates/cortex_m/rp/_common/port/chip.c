// Raspberry Pi RP2040 and RP2350: the core from the crystal by way of the system PLL. rp.h has what differs.
//
// The flash is set up before the firmware starts, for the highest clock: by boot2 on RP2040, by the boot ROM on RP2350.
// The second core stays in the boot ROM.

#include "chip.h"
#include "mw_board.h"
#include "mw_port.h"
#include "rp.h"

#define RESETS_RESET (*(volatile uint32_t *)(RESETS_BASE + 0x00u))
#define RESETS_RESET_DONE (*(volatile uint32_t *)(RESETS_BASE + 0x08u))

#define CLK_REF_CTRL (*(volatile uint32_t *)(CLOCKS_BASE + 0x30u))
#define CLK_REF_SELECTED (*(volatile uint32_t *)(CLOCKS_BASE + 0x38u))
#define CLK_SYS_CTRL (*(volatile uint32_t *)(CLOCKS_BASE + 0x3cu))
#define CLK_SYS_SELECTED (*(volatile uint32_t *)(CLOCKS_BASE + 0x44u))
#define CLK_PERI_CTRL (*(volatile uint32_t *)(CLOCKS_BASE + 0x48u))
#define CLK_SYS_RESUS_CTRL (*(volatile uint32_t *)(CLOCKS_BASE + CLK_SYS_RESUS_CTRL_OFFSET))
#define CLK_REF_SRC 3u
#define CLK_REF_SRC_ROSC 0u
#define CLK_REF_SRC_XOSC 2u
#define CLK_SYS_SRC 1u
#define CLK_SYS_SRC_REF 0u
#define CLK_SYS_SRC_AUX 1u
#define CLK_SYS_AUXSRC (7u << 5)
#define CLK_SYS_AUXSRC_PLL_SYS (0u << 5)
#define CLK_PERI_ENABLE (1u << 11)
#define CLK_PERI_AUXSRC_SYS (0u << 5)

#define XOSC_CTRL (*(volatile uint32_t *)(XOSC_BASE + 0x00u))
#define XOSC_STATUS (*(volatile uint32_t *)(XOSC_BASE + 0x04u))
#define XOSC_STARTUP (*(volatile uint32_t *)(XOSC_BASE + 0x0cu))
#define XOSC_FREQ_RANGE_1_15MHZ 0xaa0u
#define XOSC_ENABLE (0xfabu << 12)
#define XOSC_STABLE (1u << 31)

#define PLL_CS (*(volatile uint32_t *)(PLL_SYS_BASE + 0x00u))
#define PLL_PWR (*(volatile uint32_t *)(PLL_SYS_BASE + 0x04u))
#define PLL_FBDIV_INT (*(volatile uint32_t *)(PLL_SYS_BASE + 0x08u))
#define PLL_PRIM (*(volatile uint32_t *)(PLL_SYS_BASE + 0x0cu))
#define PLL_LOCK (1u << 31)
#define PLL_REFDIV 1u
#define PLL_PD (1u << 0)
#define PLL_POSTDIVPD (1u << 3)
#define PLL_VCOPD (1u << 5)
#define PLL_POSTDIV1(divider) ((divider) << 16)
#define PLL_POSTDIV2(divider) ((divider) << 12)

#define GPIO_CTRL(pin) (*(volatile uint32_t *)(IO_BANK0_BASE + 8u * (pin) + 4u))
#define GPIO_PAD(pin) (*(volatile uint32_t *)(PADS_BANK0_BASE + 4u * (pin) + 4u))
#define FUNCSEL_UART 2u
#define PAD_SCHMITT (1u << 1)
#define PAD_PULL_UP (1u << 3)
#define PAD_4_MA (1u << 4)
#define PAD_INPUT (1u << 6)

// What the crystal counts its start in: 256 of its periods.
#define XOSC_STARTUP_DELAY (MW_CHIP_XOSC_HZ / 1000u * MW_CHIP_XOSC_STARTUP_MS / 256u + 1u)

#define VCO_HZ (MW_CHIP_XOSC_HZ / PLL_REFDIV * MW_CHIP_PLL_FBDIV)
#if VCO_HZ < 750000000u || VCO_HZ > 1600000000u
#error "board.toml: pll_fbdiv of [chip] makes less than 750 MHz or more than 1600 MHz"
#endif
#if VCO_HZ != MW_CPU_HZ * MW_CHIP_PLL_POSTDIV1 * MW_CHIP_PLL_POSTDIV2
#error "board.toml: pll_postdiv1 and pll_postdiv2 of [chip] do not make clock_hz"
#endif

#if !defined(MW_UART_TX_PIN) || !defined(MW_UART_RX_PIN)
#error "board.toml: [uart] needs tx and rx"
#endif
#if MW_UART_BASE == UART0_BASE
#define UART 0u
#elif MW_UART_BASE == UART1_BASE
#define UART 1u
#else
#error "board.toml: base of [uart] is none of the chip's UARTs"
#endif
// Of each four pins the first sends and the second receives, of UART 0, 1, 1, 0, 0, 1, 1, 0 and so on.
#define UART_OF(pin) (((pin) + 4u) / 8u % 2u)
#if MW_UART_TX_PIN % 4u != 0 || UART_OF(MW_UART_TX_PIN) != UART || MW_UART_TX_PIN >= GPIO_PINS
#error "board.toml: the UART of [uart] does not come out at tx"
#endif
#if MW_UART_RX_PIN % 4u != 1 || UART_OF(MW_UART_RX_PIN) != UART || MW_UART_RX_PIN >= GPIO_PINS
#error "board.toml: the UART of [uart] does not come in at rx"
#endif

static bool out_of_reset(uint32_t blocks)
{
    RESETS_RESET &= ~blocks;
    return chip_wait(&RESETS_RESET_DONE, blocks, blocks);
}

static bool crystal_start(void)
{
    XOSC_CTRL = XOSC_FREQ_RANGE_1_15MHZ;
    XOSC_STARTUP = XOSC_STARTUP_DELAY;
    XOSC_CTRL = XOSC_FREQ_RANGE_1_15MHZ | XOSC_ENABLE;
    return chip_wait(&XOSC_STATUS, XOSC_STABLE, XOSC_STABLE);
}

static bool pll_start(void)
{
    RESETS_RESET |= RESET_PLL_SYS;
    if (!out_of_reset(RESET_PLL_SYS)) {
        return false;
    }
    PLL_CS = PLL_REFDIV;
    PLL_FBDIV_INT = MW_CHIP_PLL_FBDIV;
    PLL_PWR &= ~(PLL_PD | PLL_VCOPD);
    if (!chip_wait(&PLL_CS, PLL_LOCK, PLL_LOCK)) {
        return false;
    }
    PLL_PRIM = PLL_POSTDIV1(MW_CHIP_PLL_POSTDIV1) | PLL_POSTDIV2(MW_CHIP_PLL_POSTDIV2);
    PLL_PWR &= ~PLL_POSTDIVPD;
    return true;
}

// Both switches are free of glitches, but not the one of auxiliary sources in front of the second.
static bool select_ref(uint32_t source)
{
    CLK_REF_CTRL = (CLK_REF_CTRL & ~CLK_REF_SRC) | source;
    return chip_wait(&CLK_REF_SELECTED, 1u << source, 1u << source);
}

static bool select_sys(uint32_t source)
{
    CLK_SYS_CTRL = (CLK_SYS_CTRL & ~CLK_SYS_SRC) | source;
    return chip_wait(&CLK_SYS_SELECTED, 1u << source, 1u << source);
}

void chip_early(void)
{
}

uint32_t chip_clock_start(void)
{
    CLK_SYS_RESUS_CTRL = 0;
    // Away from a PLL that was started before, which is about to be reset.
    if (!select_sys(CLK_SYS_SRC_REF) || !select_ref(CLK_REF_SRC_ROSC)) {
        return MW_RESET_HZ;
    }
    if (!crystal_start() || !pll_start()) {
        return MW_RESET_HZ;
    }
    CLK_SYS_CTRL = (CLK_SYS_CTRL & ~CLK_SYS_AUXSRC) | CLK_SYS_AUXSRC_PLL_SYS;
    if (!select_ref(CLK_REF_SRC_XOSC) || !select_sys(CLK_SYS_SRC_AUX)) {
        (void)select_sys(CLK_SYS_SRC_REF);
        (void)select_ref(CLK_REF_SRC_ROSC);
        return MW_RESET_HZ;
    }
    return MW_CPU_HZ;
}

uint32_t chip_uart_start(void)
{
    CLK_PERI_CTRL = 0;
    CLK_PERI_CTRL = CLK_PERI_ENABLE | CLK_PERI_AUXSRC_SYS;
    (void)out_of_reset(RESET_IO_BANK0 | RESET_PADS_BANK0 | (UART == 0 ? RESET_UART0 : RESET_UART1));
    // Function first: on RP2350 a pad is isolated until it is written.
    GPIO_CTRL(MW_UART_TX_PIN) = FUNCSEL_UART;
    GPIO_CTRL(MW_UART_RX_PIN) = FUNCSEL_UART;
    GPIO_PAD(MW_UART_TX_PIN) = PAD_INPUT | PAD_4_MA | PAD_SCHMITT;
    GPIO_PAD(MW_UART_RX_PIN) = PAD_INPUT | PAD_4_MA | PAD_SCHMITT | PAD_PULL_UP;
    return mw_port_cpu_hz();
}
