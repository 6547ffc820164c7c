#include "mw/average_pool_2d_s8_mve.h"

#include "mw/mve.h"
#include "mw/window.h"

#include <arm_mve.h>

enum { LANES = 8 };

// Sums of 16 channels.
static inline void sum_16(int16x8_t sums[2], const int8_t *from, int32_t step, int32_t count)
{
    __asm volatile("dls lr, %[count]\n"
                   "1:\n\t"
                   "vldrb.s16 q2, [%[from]]\n\t"
                   "vadd.i16 %q[low], %q[low], q2\n\t"
                   "vldrb.s16 q3, [%[from], #8]\n\t"
                   "vadd.i16 %q[high], %q[high], q3\n\t"
                   "add %[from], %[from], %[step]\n\t"
                   "le lr, 1b"
                   : [low] "+w"(sums[0]), [high] "+w"(sums[1]), [from] "+l"(from)
                   : [count] "r"(count), [step] "r"(step)
                   : "q2", "q3", "lr", "memory");
}

// Sums of the first `channels`, up to 8; the others are 0.
static inline int16x8_t sum_8(int16x8_t sum, const int8_t *from, int32_t step, int32_t count, int32_t channels)
{
    __asm volatile(MW_PREDICATED("vctp.16 %[channels]\n\t"
                                 "dls lr, %[count]\n"
                                 "1:\n\t"
                                 "vpst\n\t"
                                 "vldrbt.s16 q2, [%[from]]\n\t"
                                 "vadd.i16 %q[sum], %q[sum], q2\n\t"
                                 "add %[from], %[from], %[step]\n\t"
                                 "le lr, 1b")
                   : [sum] "+w"(sum), [from] "+l"(from)
                   : [count] "r"(count), [step] "r"(step), [channels] "r"(channels)
                   : "q2", "lr", MW_PREDICATE, "memory");
    return sum;
}

// A sum of n values times reciprocal = floor(2^31 / n) + 1 is their average, rounded to nearest: the product is too large
// by less than what parts an average from the next tie, and for a tie it is too large, away from zero.
static inline int16x8_t average(int16x8_t sum, int32_t reciprocal)
{
    const int32x4_t even = vqrdmulhq_n_s32(vmovlbq_s16(sum), reciprocal);
    const int32x4_t odd = vqrdmulhq_n_s32(vmovltq_s16(sum), reciprocal);
    return vmovntq_s32(vmovnbq_s32(sum, even), odd);
}

static void pool(int32_t channels, struct mw_pixels window, int8_t *out)
{
    const int32_t taps = window.runs * window.count;
    const int32_t reciprocal = taps == 1 ? 0 : (int32_t)(0x80000000u / (uint32_t)taps + 1);
    int32_t c = 0;
    if (taps == 1) {
        mw_copy_mve(out, window.first, channels);
        return;
    }
    for (; c + 2 * LANES <= channels; c += 2 * LANES) {
        int16x8_t sums[2] = {vdupq_n_s16(0), vdupq_n_s16(0)};
        for (int32_t run = 0; run < window.runs; ++run) {
            sum_16(sums, window.first + c + run * window.run_step, window.step, window.count);
        }
        vstrbq_s16(out + c, average(sums[0], reciprocal));
        vstrbq_s16(out + c + LANES, average(sums[1], reciprocal));
    }
    for (; c < channels; c += LANES) {
        int16x8_t sum = vdupq_n_s16(0);
        for (int32_t run = 0; run < window.runs; ++run) {
            sum = sum_8(sum, window.first + c + run * window.run_step, window.step, window.count, channels - c);
        }
        vstrbq_p_s16(out + c, average(sum, reciprocal), vctp16q((uint32_t)(channels - c)));
    }
}

void mw_average_pool_2d_s8_mve(const struct mw_average_pool_2d_s8_mve *layer, const int8_t *in, int8_t *out)
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
