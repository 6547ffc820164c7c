// Helium loops that several kernels need. Nothing outside the given ranges is read or written.

#ifndef MW_MVE_H
#define MW_MVE_H

#include <stdint.h>

// Assembly that changes the predicate, and what it names for that among its clobbers. Clang has no name for it: there,
// it is put back.
#ifdef __clang__
#define MW_PREDICATED(CODE) "vmrs r12, p0\n\t" CODE "\n\tvmsr p0, r12"
#define MW_PREDICATE "r12"
#else
#define MW_PREDICATED(CODE) CODE
#define MW_PREDICATE "p0"
#endif

static inline void mw_copy_mve(int8_t *to, const int8_t *from, int32_t count)
{
    __asm volatile("wlstp.8 lr, %[count], 2f\n"
                   "1:\n\t"
                   "vldrb.8 q0, [%[from]], #16\n\t"
                   "vstrb.8 q0, [%[to]], #16\n\t"
                   "letp lr, 1b\n"
                   "2:"
                   : [to] "+r"(to), [from] "+r"(from)
                   : [count] "r"(count)
                   : "q0", "lr", "cc", "memory");
}

static inline void mw_fill_mve(int8_t *to, int32_t value, int32_t count)
{
    __asm volatile("vdup.8 q0, %[value]\n\t"
                   "wlstp.8 lr, %[count], 2f\n"
                   "1:\n\t"
                   "vstrb.8 q0, [%[to]], #16\n\t"
                   "letp lr, 1b\n"
                   "2:"
                   : [to] "+r"(to)
                   : [value] "r"(value), [count] "r"(count)
                   : "q0", "lr", "cc", "memory");
}

// Clamps in place.
static inline void mw_clamp_mve(int8_t *values, int32_t count, int32_t low, int32_t high)
{
    __asm volatile("vdup.8 q1, %[low]\n\t"
                   "vdup.8 q2, %[high]\n\t"
                   "wlstp.8 lr, %[count], 2f\n"
                   "1:\n\t"
                   "vldrb.8 q0, [%[values]]\n\t"
                   "vmax.s8 q0, q0, q1\n\t"
                   "vmin.s8 q0, q0, q2\n\t"
                   "vstrb.8 q0, [%[values]], #16\n\t"
                   "letp lr, 1b\n"
                   "2:"
                   : [values] "+r"(values)
                   : [low] "r"(low), [high] "r"(high), [count] "r"(count)
                   : "q0", "q1", "q2", "lr", "cc", "memory");
}

#endif
