#include "mw/add_s8.h"

#include "mw/requantize.h"

// The inputs get 20 more bits before they are rescaled; (127 + 128) * 2^20 is below 2^28.
static const int32_t headroom = (int32_t)1 << 20;

void mw_add_s8(const struct mw_add_s8 *layer, const int8_t *in1, const int8_t *in2, int8_t *out)
{
    for (int32_t a = 0; a < layer->extents[0]; ++a) {
        for (int32_t b = 0; b < layer->extents[1]; ++b) {
            for (int32_t c = 0; c < layer->extents[2]; ++c) {
                const int8_t *p1 = in1 + a * layer->strides1[0] + b * layer->strides1[1] + c * layer->strides1[2];
                const int8_t *p2 = in2 + a * layer->strides2[0] + b * layer->strides2[1] + c * layer->strides2[2];
                for (int32_t d = 0; d < layer->extents[3]; ++d) {
                    const int32_t wide1 = (*p1 - layer->in1_zp) * headroom;
                    const int32_t wide2 = (*p2 - layer->in2_zp) * headroom;
                    const int32_t sum = mw_requantize(wide1, layer->in1_mult, layer->in1_shift)
                                        + mw_requantize(wide2, layer->in2_mult, layer->in2_shift);
                    *out++ = mw_requantize_s8(sum, layer->out_mult, layer->out_shift, layer->out_zp, layer->act_min,
                                              layer->act_max);
                    p1 += layer->strides1[3];
                    p2 += layer->strides2[3];
                }
            }
        }
    }
}
