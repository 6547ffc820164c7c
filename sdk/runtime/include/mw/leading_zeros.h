// Zeros in front of the highest bit that is set.

#ifndef MW_LEADING_ZEROS_H
#define MW_LEADING_ZEROS_H

#include <limits.h>
#include <stdint.h>

// Of x > 0.
static inline int mw_leading_zeros(uint32_t x)
{
#if defined(__GNUC__) && UINT_MAX == 0xffffffffu
    return __builtin_clz(x);
#else
    int zeros = 0;
    for (; (x & 0x80000000u) == 0; x <<= 1) {
        ++zeros;
    }
    return zeros;
#endif
}

#endif
