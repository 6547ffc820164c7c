// The loop of the kernels that rescale integers, whatever their types. Before including this, define MW_LAYER, with the
// members of struct mw_rescale_s16, and MW_IN and MW_OUT, the types of the elements.

#ifndef MW_RESCALE_LOOPS_H
#define MW_RESCALE_LOOPS_H

#include "mw/requantize.h"

static void rescale(const MW_LAYER *layer, const MW_IN *in, MW_OUT *out)
{
    for (int32_t i = 0; i < layer->elements; ++i) {
        const int32_t x = mw_requantize(in[i] - layer->in_zp, layer->mult, layer->shift);
        // The sum wraps as in two's complement, which only a factor above 1 can reach.
        const int32_t y = (int32_t)((uint32_t)x + (uint32_t)layer->out_zp);
        out[i] = (MW_OUT)mw_clamp(y, layer->act_min, layer->act_max);
    }
}

#endif
