// The caches of Cortex-M7, as the Armv7-M architecture has them.

#ifndef PORT_CACHES_H
#define PORT_CACHES_H

#include <stdint.h>

#define SCB_CCR (*(volatile uint32_t *)0xe000ed14u)
#define SCB_CCSIDR (*(volatile uint32_t *)0xe000ed80u)
#define SCB_CSSELR (*(volatile uint32_t *)0xe000ed84u)
#define SCB_ICIALLU (*(volatile uint32_t *)0xe000ef50u)
#define SCB_DCISW (*(volatile uint32_t *)0xe000ef60u)

#define CCR_DC (1u << 16)
#define CCR_IC (1u << 17)
#define CCSIDR_LAST_WAY(ccsidr) ((ccsidr) >> 3 & 0x3ffu)
#define CCSIDR_LAST_SET(ccsidr) ((ccsidr) >> 13 & 0x7fffu)
#define DCISW(set, way) ((way) << 30 | (set) << 5) // 4 ways, lines of 32 bytes

static inline void caches_barrier(void)
{
    __asm volatile("dsb\n isb" ::: "memory");
}

// Empties the caches of instructions and data, whose content is anything after a reset, and turns them on. One that is
// on already stays as it is: it may hold what memory does not.
static inline void caches_start(void)
{
    if ((SCB_CCR & CCR_IC) == 0) {
        caches_barrier();
        SCB_ICIALLU = 0;
        caches_barrier();
        SCB_CCR |= CCR_IC;
    }
    if ((SCB_CCR & CCR_DC) == 0) {
        SCB_CSSELR = 0; // the data cache
        caches_barrier();
        const uint32_t size = SCB_CCSIDR;
        for (uint32_t set = 0; set <= CCSIDR_LAST_SET(size); ++set) {
            for (uint32_t way = 0; way <= CCSIDR_LAST_WAY(size); ++way) {
                SCB_DCISW = DCISW(set, way);
            }
        }
        caches_barrier();
        SCB_CCR |= CCR_DC;
    }
    caches_barrier();
}

#endif
