#include "mw/mul_s8_portable.h"

#include "mw/channel.h"

struct form {
    int32_t zp1, zp2;
    struct mw_channel scale;
};

static inline int8_t product(struct form by, int8_t in1, int8_t in2)
{
    return mw_channel_scale(by.scale, (in1 - by.zp1) * (in2 - by.zp2));
}

static inline void multiply_row(struct form by, const int8_t *in1, int32_t step1, const int8_t *in2, int32_t step2,
                                int8_t *out, int32_t count)
{
    for (int8_t *const end = out + (count & ~3); out != end; out += 4, in1 += 4 * step1, in2 += 4 * step2) {
        out[0] = product(by, in1[0], in2[0]);
        out[1] = product(by, in1[step1], in2[step2]);
        out[2] = product(by, in1[2 * step1], in2[2 * step2]);
        out[3] = product(by, in1[3 * step1], in2[3 * step2]);
    }
    for (count &= 3; count > 0; --count, in1 += step1, in2 += step2) {
        *out++ = product(by, *in1, *in2);
    }
}

void mw_mul_s8_portable(const struct mw_mul_s8_portable *layer, const int8_t *in1, const int8_t *in2, int8_t *out)
{
    const int32_t step1 = layer->strides1[3];
    const int32_t step2 = layer->strides2[3];
    const int32_t count = layer->extents[3];
    const int32_t round = (2 * layer->out_zp + 1) * ((int32_t)1 << (layer->exponent - 1));
    const struct form by = {layer->in1_zp, layer->in2_zp, {0, layer->mult, round, layer->exponent}};

    for (int32_t a = 0; a < layer->extents[0]; ++a) {
        for (int32_t b = 0; b < layer->extents[1]; ++b) {
            for (int32_t c = 0; c < layer->extents[2]; ++c) {
                const int8_t *p1 = in1 + a * layer->strides1[0] + b * layer->strides1[1] + c * layer->strides1[2];
                const int8_t *p2 = in2 + a * layer->strides2[0] + b * layer->strides2[1] + c * layer->strides2[2];
                if (step1 == 1 && step2 == 1) {
                    multiply_row(by, p1, 1, p2, 1, out, count);
                } else {
                    multiply_row(by, p1, step1, p2, step2, out, count);
                }
                mw_clamp_s8(out, count, layer->act_min, layer->act_max);
                out += count;
            }
        }
    }
}
