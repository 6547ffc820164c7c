// Sums of products of int16 values and int8 weights.

#ifndef MW_MAC_S16_H
#define MW_MAC_S16_H

#include <stdint.h>

// So many products fit in 32 bits, whatever the operands.
#define MW_MAC_S16_TERMS 511

// acc + the sum of in[i] * weights[i].
static inline int64_t mw_mac_s16(int64_t acc, const int16_t *in, const int8_t *weights, int32_t count)
{
    while (count > 0) {
        const int32_t terms = count < MW_MAC_S16_TERMS ? count : MW_MAC_S16_TERMS;
        int32_t sum = 0;
        for (int32_t i = 0; i < terms; ++i) {
            sum += in[i] * weights[i];
        }
        acc += sum;
        in += terms;
        weights += terms;
        count -= terms;
    }
    return acc;
}

#endif
