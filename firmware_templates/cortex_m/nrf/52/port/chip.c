// Nordic nRF52.

#include "chip.h"
#include "mw_board.h"
#include "nrf.h"

#define FICR_PART (*(const volatile uint32_t *)0x10000130u)
#define FICR_REVISION (*(const volatile uint32_t *)0x10000134u)
#define UICR_APPROTECT (*(const volatile uint32_t *)0x10001208u)
#define APPROTECT_DISABLE (*(volatile uint32_t *)0x40000558u)
#define NVMC_ICACHECNF (*(volatile uint32_t *)0x4001e540u)
#define ICACHECNF_CACHEEN (1u << 0)

void chip_early(void)
{
    // Without this, later revisions could be flashed again only after an erasure of the whole chip. The debug port stays
    // closed where UICR says so.
    if (FICR_PART == MW_CHIP_PART && FICR_REVISION >= MW_CHIP_PROTECTED_FROM) {
        APPROTECT_DISABLE = UICR_APPROTECT;
    }
}

uint32_t chip_clock_start(void)
{
    NVMC_ICACHECNF = MW_CHIP_CACHES ? ICACHECNF_CACHEEN : 0;
    nrf_crystal_start();
    return MW_CPU_HZ;
}

uint32_t chip_uart_start(void)
{
    return nrf_uart_start();
}
