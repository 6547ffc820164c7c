// Types and sums of plain int8 layers with weights. Before including this, define MW_LAYER, the parameters' type.

#ifndef MW_PRODUCTS_S8_H
#define MW_PRODUCTS_S8_H

#include <stdint.h>

#define MW_VALUE int8_t
#define MW_WEIGHT int8_t
#define MW_SUM int32_t

static inline int32_t mac(const MW_LAYER *layer, int32_t sum, const int8_t *in, const int8_t *weights, int32_t count)
{
    const int32_t in_zp = layer->in_zp;
    for (int32_t i = 0; i < count; ++i) {
        sum += (in[i] - in_zp) * weights[i];
    }
    return sum;
}

#endif
