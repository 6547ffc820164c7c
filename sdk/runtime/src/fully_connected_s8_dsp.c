#include "mw/fully_connected_s8_dsp.h"

#include "mw/dsp.h"
#include "mw/gemm_dsp.h"

enum { GROUP_WORDS = 4 }; // of inputs, two each

struct scale {
    int32_t mult, round, exponent;
};

// Adds to the sums of four channels their products with the inputs from `x` to `end`; returns where the weights end.
// r0 inputs, r1 weights, r2-r5 inputs of a group, r6 and r8 sums of channel 0 and 2, r7 and r9 of these + 256 * the next
// one's, r10-r12 and lr weights: of one pair of inputs for both pairs of channels, twice. [sp] end, [sp, #4] acc. A round
// takes four groups, the first one what is left over of them.
#define MAC2(x, w0, w1) \
    "smlad r7, " x ", " w0 ", r7\n\t" \
    "sxtb16 " w0 ", " w0 "\n\t" \
    "smlad r9, " x ", " w1 ", r9\n\t" \
    "sxtb16 " w1 ", " w1 "\n\t" \
    "smlad r6, " x ", " w0 ", r6\n\t" \
    "smlad r8, " x ", " w1 ", r8\n\t"
#define LOAD_WEIGHTS "ldmia.w r1!, {r10, r11, r12, lr}\n\t"

__attribute__((naked)) static const uint32_t *add_four(int32_t acc[4] __attribute__((unused)),
                                                       const uint32_t *x __attribute__((unused)),
                                                       const uint32_t *end __attribute__((unused)),
                                                       const uint32_t *weights __attribute__((unused)))
{
    __asm volatile("push {r4-r11, lr}\n\t"
                   "push {r0, r2}\n\t"
                   "ldr r6, [r0]\n\t"
                   "ldr r8, [r0, #8]\n\t"
                   "mov r7, r6\n\t"
                   "mov r9, r8\n\t"
                   "subs r4, r1, r2\n\t"
                   "ubfx r4, r4, #4, #2\n\t"
                   "adr.w r5, 1f\n\t"
                   "movs r2, #108\n\t"
                   "mla r4, r4, r2, r5\n\t"
                   "orr r4, r4, #1\n\t"
                   "mov r0, r1\n\t"
                   "mov r1, r3\n\t"
                   "bx r4\n\t"
                   ".balign 4\n"
                   "1:\n\t"
                   ".rept 4\n\t"
                   "ldmia.w r0!, {r2, r3, r4, r5}\n\t" LOAD_WEIGHTS MAC2("r2", "r10", "r11") MAC2("r3", "r12", "lr")
                   LOAD_WEIGHTS MAC2("r4", "r10", "r11") MAC2("r5", "r12", "lr")
                   ".endr\n"
                   "2:\n\t"
                   ".if (2b - 1b) != 4 * 108\n\t"
                   ".error \"the block's size\"\n\t"
                   ".endif\n\t"
                   "ldr r2, [sp, #4]\n\t"
                   "cmp r0, r2\n\t"
                   "bne.w 1b\n\t"
                   "ldr r3, [sp]\n\t"
                   "ldr r2, [r3, #4]\n\t"
                   "ldr r4, [r3, #12]\n\t"
                   "sub r7, r7, r6\n\t"
                   "sub r9, r9, r8\n\t"
                   "add r7, r2, r7, asr #8\n\t"
                   "add r9, r4, r9, asr #8\n\t"
                   "stmia r3, {r6, r7, r8, r9}\n\t"
                   "mov r0, r1\n\t"
                   "add sp, sp, #8\n\t"
                   "pop {r4-r11, pc}\n\t");
}

// The same for two channels.
static const uint32_t *add_two(int32_t acc[2], const uint32_t *x, const uint32_t *end, const uint32_t *weights)
{
    int32_t first = acc[0];
    int32_t both = acc[0];
    for (; x != end; x += GROUP_WORDS, weights += GROUP_WORDS) {
        for (int i = 0; i < GROUP_WORDS; ++i) {
            both = mw_smlad(x[i], weights[i], both);
            first = mw_smlad(x[i], mw_sxtb16(weights[i]), first);
        }
    }
    acc[0] = first;
    acc[1] += (int32_t)((uint32_t)both - (uint32_t)first) >> 8;
    return weights;
}

// Inputs as pairs of 16 bits, in the order of the weights.
static void expand(uint32_t *to, const uint32_t *end, const int8_t *in, int32_t in_len)
{
    for (; in_len >= 4; in_len -= 4, in += 4, to += 2) {
        const uint32_t word = mw_load32(in);
        to[0] = mw_sxtb16(word);
        to[1] = mw_sxtb16_odd(word);
    }
    for (; in_len > 0; in_len -= 2, in += 2) {
        *to++ = (uint16_t)in[0] | (in_len > 1 ? (uint32_t)(uint16_t)in[1] << 16 : 0u);
    }
    while (to != end) {
        *to++ = 0;
    }
}

// Sums over all inputs, added to the biases in `acc`, of four channels, or of two.
static const uint32_t *accumulate(const struct mw_fully_connected_s8_dsp *layer, int32_t acc[4], int32_t count,
                                  const uint32_t *x, const uint32_t *x_end, const uint32_t *weights)
{
    const int32_t chunk_words = GROUP_WORDS * layer->chunk;
    while (x != x_end) {
        const uint32_t *const end = x_end - x > chunk_words ? x + chunk_words : x_end;
        weights = count > 2 ? add_four(acc, x, end, weights) : add_two(acc, x, end, weights);
        x = end;
    }
    return weights;
}

static inline int32_t bias_of(const uint32_t *channel, int own)
{
    return own ? (int32_t)channel[0] >> 3 : (int32_t)channel[0];
}

// `by` is the scale of all channels, where they have none of their own.
static inline int8_t rescale(int32_t acc, const uint32_t *channel, int own, struct scale by, int32_t out_zp)
{
    if (own) {
        by.mult = (int32_t)((channel[1] & 0x3fffffffu) | 0x40000000u);
        by.exponent = (int32_t)((channel[0] & 7u) | (channel[1] >> 30 << 3));
        by.round = (2 * out_zp + 1) * ((int32_t)1 << (by.exponent - 1));
    }
    return mw_requantize_dsp(acc, by.mult, by.round, by.exponent);
}

// A batch. `own`, whether channels have scales of their own, is a constant of each call.
static inline __attribute__((always_inline)) void row(const struct mw_fully_connected_s8_dsp *layer, const int own,
                                                      struct scale by, const uint32_t *x,
                                                      const uint32_t *x_end, int8_t *out)
{
    const int words = own ? 2 : 1;
    const int32_t out_zp = layer->out_zp;
    const uint32_t *weights = layer->weights;
    const uint32_t *channel = layer->channels;
    int32_t left = layer->out_len;
    for (; left >= 4; left -= 4, channel += 4 * words, out += 4) {
        int32_t acc[4] = {bias_of(channel, own), bias_of(channel + words, own), bias_of(channel + 2 * words, own),
                          bias_of(channel + 3 * words, own)};
        weights = accumulate(layer, acc, 4, x, x_end, weights);
        out[0] = rescale(acc[0], channel, own, by, out_zp);
        out[1] = rescale(acc[1], channel + words, own, by, out_zp);
        out[2] = rescale(acc[2], channel + 2 * words, own, by, out_zp);
        out[3] = rescale(acc[3], channel + 3 * words, own, by, out_zp);
    }
    if (left > 0) {
        int32_t acc[4] = {0};
        for (int32_t c = 0; c < left; ++c) {
            acc[c] = bias_of(channel + c * words, own);
        }
        (void)accumulate(layer, acc, left, x, x_end, weights);
        for (int32_t c = 0; c < left; ++c) {
            out[c] = rescale(acc[c], channel + c * words, own, by, out_zp);
        }
    }
}

void mw_fully_connected_s8_dsp(const struct mw_fully_connected_s8_dsp *layer, const int8_t *in, int8_t *out,
                               void *scratch)
{
    uint32_t *const x = scratch;
    const uint32_t *const x_end = x + GROUP_WORDS * layer->groups;
    for (int32_t b = 0; b < layer->batches; ++b, in += layer->in_len, out += layer->out_len) {
        expand(x, x_end, in, layer->in_len);
        if (layer->mult == 0) {
            row(layer, 1, (struct scale){0, 0, 0}, x, x_end, out);
        } else {
            const int32_t round = (2 * layer->out_zp + 1) * ((int32_t)1 << (layer->exponent - 1));
            row(layer, 0, (struct scale){layer->mult, round, layer->exponent}, x, x_end, out);
        }
        if (layer->act_min > INT8_MIN || layer->act_max < INT8_MAX) {
            mw_clamp_dsp(out, layer->out_len, layer->act_min, layer->act_max);
        }
    }
}
