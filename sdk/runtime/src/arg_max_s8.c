#include "mw/arg_max_s8.h"

void mw_arg_max_s8(const struct mw_arg_max_s8 *layer, const int8_t *in, int32_t *out)
{
    for (int32_t o = 0; o < layer->outer; ++o, in += layer->size * layer->inner) {
        for (int32_t i = 0; i < layer->inner; ++i) {
            int32_t best = 0;
            for (int32_t a = 1; a < layer->size; ++a) {
                if ((in[a * layer->inner + i] ^ layer->flip) > (in[best * layer->inner + i] ^ layer->flip)) {
                    best = a;
                }
            }
            *out++ = best;
        }
    }
}
