#include "mw/tanh_s16.h"

#include "mw/squash.h"

void mw_tanh_s16(const struct mw_tanh_s16 *layer, const int16_t *in, int16_t *out)
{
    for (int32_t i = 0; i < layer->elements; ++i) {
        out[i] = mw_tanh_of(in[i], layer->mult, layer->shift);
    }
}
