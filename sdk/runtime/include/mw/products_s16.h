// Types and sums of plain int16 layers with int8 weights. Before including this, define MW_LAYER, the parameters' type.

#ifndef MW_PRODUCTS_S16_H
#define MW_PRODUCTS_S16_H

#include <stdint.h>

#define MW_VALUE int16_t
#define MW_WEIGHT int8_t
#define MW_SUM int64_t

// So many products fit in 32 bits, whatever the operands.
#define MW_TERMS 511

static inline int64_t mac(const MW_LAYER *layer, int64_t sum, const int16_t *in, const int8_t *weights, int32_t count)
{
    (void)layer;
    while (count > 0) {
        const int32_t terms = count < MW_TERMS ? count : MW_TERMS;
        int32_t part = 0;
        for (int32_t i = 0; i < terms; ++i) {
            part += in[i] * weights[i];
        }
        sum += part;
        in += terms;
        weights += terms;
        count -= terms;
    }
    return sum;
}

#endif
