// Nearest integers of floats, without libm.

#ifndef MW_ROUND_F32_H
#define MW_ROUND_F32_H

#include <stdint.h>

// Half away from zero, saturated to -2^17..2^17, 0 for NaN. Exact, because for such values the fraction is a float.
static inline int32_t mw_round_f32(float x)
{
    const int32_t limit = (int32_t)1 << 17;
    if (x >= (float)limit) {
        return limit;
    }
    if (x <= (float)-limit) {
        return -limit;
    }
    if (x != x) {
        return 0;
    }
    const int32_t whole = (int32_t)x;
    const float fraction = x - (float)whole;
    return whole + (fraction >= 0.5f ? 1 : 0) - (fraction <= -0.5f ? 1 : 0);
}

#endif
