#include "mw/logistic_s16.h"

#include "mw/squash.h"

void mw_logistic_s16(const struct mw_logistic_s16 *layer, const int16_t *in, int16_t *out)
{
    for (int32_t i = 0; i < layer->elements; ++i) {
        out[i] = mw_logistic_of(in[i], layer->mult, layer->shift);
    }
}
