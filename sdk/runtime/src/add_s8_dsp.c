#include "mw/add_s8_dsp.h"

#include "mw/dsp.h"
#include "mw/gemm_dsp.h"

struct form {
    int32_t scale1, scale2, offset;
};

// in1 and in2 hold values times 2^8 in their low halves.
static inline int8_t add_low(struct form by, uint32_t in1, uint32_t in2)
{
    int32_t sum;
    __asm("smlawb %0, %1, %2, %3" : "=r"(sum) : "r"(by.scale1), "r"(in1), "r"(by.offset));
    __asm("smlawb %0, %1, %2, %0" : "+r"(sum) : "r"(by.scale2), "r"(in2));
    __asm("ssat %0, #8, %0, asr #21" : "+r"(sum));
    return (int8_t)sum;
}

// In their high halves.
static inline int8_t add_high(struct form by, uint32_t in1, uint32_t in2)
{
    int32_t sum;
    __asm("smlawt %0, %1, %2, %3" : "=r"(sum) : "r"(by.scale1), "r"(in1), "r"(by.offset));
    __asm("smlawt %0, %1, %2, %0" : "+r"(sum) : "r"(by.scale2), "r"(in2));
    __asm("ssat %0, #8, %0, asr #21" : "+r"(sum));
    return (int8_t)sum;
}

static void add_row(struct form by, const int8_t *in1, const int8_t *in2, int8_t *out, int32_t count)
{
    const uint32_t odd = 0xff00ff00u;
    const int8_t *const end = in1 + (count & ~3);
    while (in1 != end) {
        const uint32_t word1 = mw_load32(in1);
        const uint32_t word2 = mw_load32(in2);
        const uint32_t even1 = word1 << 8 & odd;
        const uint32_t even2 = word2 << 8 & odd;
        out[0] = add_low(by, even1, even2);
        out[1] = add_low(by, word1 & odd, word2 & odd);
        out[2] = add_high(by, even1, even2);
        out[3] = add_high(by, word1 & odd, word2 & odd);
        in1 += 4;
        in2 += 4;
        out += 4;
    }
    for (count &= 3; count > 0; --count) {
        *out++ = add_high(by, (uint32_t)*in1++ << 24, (uint32_t)*in2++ << 24);
    }
}

void mw_add_s8_dsp(const struct mw_add_s8_dsp *layer, const int8_t *in1, const int8_t *in2, int8_t *out)
{
    const struct form by = {layer->scale1, layer->scale2, layer->offset};
    const int32_t count = layer->extents[3];
    const int clamped = layer->act_min > INT8_MIN || layer->act_max < INT8_MAX;

    for (int32_t a = 0; a < layer->extents[0]; ++a) {
        for (int32_t b = 0; b < layer->extents[1]; ++b) {
            for (int32_t c = 0; c < layer->extents[2]; ++c) {
                const int8_t *p1 = in1 + a * layer->strides1[0] + b * layer->strides1[1] + c * layer->strides1[2];
                const int8_t *p2 = in2 + a * layer->strides2[0] + b * layer->strides2[1] + c * layer->strides2[2];
                add_row(by, p1, p2, out, count);
                if (clamped) {
                    mw_clamp_dsp(out, count, layer->act_min, layer->act_max);
                }
                out += count;
            }
        }
    }
}
