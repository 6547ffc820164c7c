#include "mw/fully_connected_s8_scattered_dsp.h"

#include "mw/channel_words_dsp.h"
#include "mw/gemm_dsp.h"

// Two weights and their steps: bytes 0 and 2, 1 and 3.
#define MAC2(word) \
    "uxtab %[x], %[x], " word ", ror #8\n\t" \
    "ldrsb %[value], [%[x]]\n\t" \
    "sxtb16 %[weights], " word "\n\t" \
    "smlabb %[acc], %[value], %[weights], %[acc]\n\t" \
    "uxtab %[x], %[x], " word ", ror #24\n\t" \
    "ldrsb %[value], [%[x]]\n\t" \
    "smlabt %[acc], %[value], %[weights], %[acc]\n\t"

// acc and the products of a channel; its weights, four a round, begin at `at`.
static inline int32_t add_channel(int32_t acc, const int8_t *x, const uint32_t *at, const uint32_t *end)
{
    if (at != end) {
        uint32_t first;
        uint32_t second;
        uint32_t weights;
        int32_t value;
        __asm volatile("1:\n\t"
                       "ldrd %[first], %[second], [%[at]], #8\n\t" MAC2("%[first]") MAC2("%[second]")
                       "cmp %[at], %[end]\n\t"
                       "bne 1b"
                       : [acc] "+r"(acc), [x] "+r"(x), [at] "+r"(at), [first] "=&r"(first), [second] "=&r"(second),
                         [weights] "=&r"(weights), [value] "=&r"(value)
                       : [end] "r"(end)
                       : "cc", "memory");
    }
    return acc;
}

void mw_fully_connected_s8_scattered_dsp(const struct mw_fully_connected_s8_scattered_dsp *layer, const int8_t *in,
                                         int8_t *out)
{
    const int32_t odd_zp = 2 * layer->out_zp + 1;
    for (int32_t b = 0; b < layer->batches; ++b, in += layer->in_len, out += layer->out_len) {
        const uint32_t *weights = layer->weights;
        const uint32_t *channel = layer->channels;
        for (int32_t c = 0; c < layer->out_len; ++c, channel += 2) {
            const uint32_t *const begin = weights + 1;
            weights = begin + *weights / 4;
            const int32_t acc = add_channel(mw_channel_words_bias(channel), in, begin, weights);
            out[c] = mw_channel_words_scale(channel, acc, odd_zp);
        }
        if (layer->act_min > INT8_MIN || layer->act_max < INT8_MAX) {
            mw_clamp_dsp(out, layer->out_len, layer->act_min, layer->act_max);
        }
    }
}
