#include "mw/max_pool_2d_s8_mve.h"

#include "mw/mve.h"
#include "mw/window.h"

#include <arm_mve.h>

enum { LANES = 16 };

static inline int8x16_t maximum_16(int8x16_t largest, const int8_t *from, int32_t step, int32_t count)
{
    __asm volatile("dls lr, %[count]\n"
                   "1:\n\t"
                   "vldrb.8 q2, [%[from]]\n\t"
                   "vmax.s8 %q[largest], %q[largest], q2\n\t"
                   "add %[from], %[from], %[step]\n\t"
                   "le lr, 1b"
                   : [largest] "+w"(largest), [from] "+r"(from)
                   : [count] "r"(count), [step] "r"(step)
                   : "q2", "lr", "memory");
    return largest;
}

// Of the first `channels`, up to 16.
static inline int8x16_t maximum_of(int8x16_t largest, const int8_t *from, int32_t step, int32_t count,
                                   int32_t channels)
{
    __asm volatile(MW_PREDICATED("vctp.8 %[channels]\n\t"
                                 "dls lr, %[count]\n"
                                 "1:\n\t"
                                 "vpst\n\t"
                                 "vldrbt.8 q2, [%[from]]\n\t"
                                 "vmax.s8 %q[largest], %q[largest], q2\n\t"
                                 "add %[from], %[from], %[step]\n\t"
                                 "le lr, 1b")
                   : [largest] "+w"(largest), [from] "+r"(from)
                   : [count] "r"(count), [step] "r"(step), [channels] "r"(channels)
                   : "q2", "lr", MW_PREDICATE, "memory");
    return largest;
}

static void pool(int32_t channels, struct mw_pixels window, int8_t *out)
{
    int32_t c = 0;
    for (; c + LANES <= channels; c += LANES) {
        int8x16_t largest = vdupq_n_s8(INT8_MIN);
        for (int32_t run = 0; run < window.runs; ++run) {
            largest = maximum_16(largest, window.first + c + run * window.run_step, window.step, window.count);
        }
        vstrbq_s8(out + c, largest);
    }
    if (c < channels) {
        int8x16_t largest = vdupq_n_s8(INT8_MIN);
        for (int32_t run = 0; run < window.runs; ++run) {
            largest = maximum_of(largest, window.first + c + run * window.run_step, window.step, window.count,
                                 channels - c);
        }
        vstrbq_p_s8(out + c, largest, vctp8q((uint32_t)(channels - c)));
    }
}

void mw_max_pool_2d_s8_mve(const struct mw_max_pool_2d_s8_mve *layer, const int8_t *in, int8_t *out)
{
    const int32_t row = layer->in_w * layer->channels;

    for (int32_t b = 0; b < layer->batches; ++b) {
        for (int32_t oy = 0; oy < layer->out_h; ++oy) {
            const int32_t top = oy * layer->stride_h - layer->pad_top;
            const struct mw_taps ys = mw_taps_inside(top, 1, layer->filter_h, layer->in_h);

            for (int32_t ox = 0; ox < layer->out_w; ++ox, out += layer->channels) {
                const int32_t left = ox * layer->stride_w - layer->pad_left;
                const struct mw_taps xs = mw_taps_inside(left, 1, layer->filter_w, layer->in_w);
                pool(layer->channels, mw_pixels_inside(in, layer->in_w, layer->channels, top, ys, left, xs), out);
            }
            if (layer->act_min > INT8_MIN || layer->act_max < INT8_MAX) {
                const int32_t count = layer->out_w * layer->channels;
                mw_clamp_mve(out - count, count, layer->act_min, layer->act_max);
            }
        }
        in += layer->in_h * row;
    }
}
