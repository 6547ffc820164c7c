#include "mw/add_s8_table.h"

#include "mw/requantize.h"

enum { FRACTION_BITS = 21 };

// What each value of an operand adds, by the value as unsigned.
static void fill(int32_t table[256], int32_t scale, int32_t offset)
{
    int64_t product = -128 * (int64_t)scale;
    for (int value = -128; value < 128; ++value) {
        table[(uint8_t)value] = (int32_t)((uint32_t)offset + (uint32_t)(product >> 8));
        product += scale;
    }
}

static inline int8_t sum_of(int32_t term1, int32_t term2)
{
    return mw_saturate_s8((int32_t)((uint32_t)term1 + (uint32_t)term2) >> FRACTION_BITS);
}

static inline void add_row(const int32_t terms1[256], const int32_t terms2[256], const int8_t *in1, int32_t step1,
                           const int8_t *in2, int32_t step2, int8_t *out, int32_t count)
{
    for (int8_t *const end = out + (count & ~3); out != end; out += 4, in1 += 4 * step1, in2 += 4 * step2) {
        out[0] = sum_of(terms1[(uint8_t)in1[0]], terms2[(uint8_t)in2[0]]);
        out[1] = sum_of(terms1[(uint8_t)in1[step1]], terms2[(uint8_t)in2[step2]]);
        out[2] = sum_of(terms1[(uint8_t)in1[2 * step1]], terms2[(uint8_t)in2[2 * step2]]);
        out[3] = sum_of(terms1[(uint8_t)in1[3 * step1]], terms2[(uint8_t)in2[3 * step2]]);
    }
    for (count &= 3; count > 0; --count, in1 += step1, in2 += step2) {
        *out++ = sum_of(terms1[(uint8_t)*in1], terms2[(uint8_t)*in2]);
    }
}

void mw_add_s8_table(const struct mw_add_s8_table *layer, const int8_t *in1, const int8_t *in2, int8_t *out,
                     void *scratch)
{
    int32_t *const terms1 = scratch;
    int32_t *const terms2 = terms1 + 256;
    const int32_t step1 = layer->strides1[3];
    const int32_t step2 = layer->strides2[3];
    const int32_t count = layer->extents[3];

    fill(terms1, layer->scale1, layer->offset);
    fill(terms2, layer->scale2, 0);
    for (int32_t a = 0; a < layer->extents[0]; ++a) {
        for (int32_t b = 0; b < layer->extents[1]; ++b) {
            for (int32_t c = 0; c < layer->extents[2]; ++c) {
                const int8_t *p1 = in1 + a * layer->strides1[0] + b * layer->strides1[1] + c * layer->strides1[2];
                const int8_t *p2 = in2 + a * layer->strides2[0] + b * layer->strides2[1] + c * layer->strides2[2];
                if (step1 == 1 && step2 == 1) {
                    add_row(terms1, terms2, p1, 1, p2, 1, out, count);
                } else {
                    add_row(terms1, terms2, p1, step1, p2, step2, out, count);
                }
                if (layer->act_min > INT8_MIN || layer->act_max < INT8_MAX) {
                    for (int32_t i = 0; i < count; ++i) {
                        out[i] = (int8_t)mw_clamp(out[i], layer->act_min, layer->act_max);
                    }
                }
                out += count;
            }
        }
    }
}
