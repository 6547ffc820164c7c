#include "mw/fully_connected_s8_dsp.h"

#include "mw/code.h"
#include "mw/dsp.h"
#include "mw/gemm_dsp.h"

enum { GROUP_WORDS = 4 }; // of inputs, two each

struct scale {
    int32_t mult, round, exponent;
};

// Fours of channels whose sums over all inputs fit.
struct fours {
    const uint32_t *x, *x_end;
    const uint32_t *weights;
    const int32_t *bias;
    const struct scale *scale;
    int32_t scale_bytes; // from one channel's scale to the next one's; 0 where all have the same
    int8_t *out, *out_end;
};

// r0 inputs, r1 weights, r2-r5 inputs of a group, r6 and r8 sums of channels 0 and 2, r7 and r9 of these + 256 * the next
// one's, r10-r12 and lr weights: of one pair of inputs for both pairs of channels, twice. A round takes four groups, the
// first one what is left over of them.
// The frame: [sp] x, x_end, [sp, #8] where the first round is entered, bias, [sp, #16] scale, scale_bytes, [sp, #24] out,
// out_end.
#define MAC2(x, w0, w1) \
    "smlad r7, " x ", " w0 ", r7\n\t" \
    "sxtb16 " w0 ", " w0 "\n\t" \
    "smlad r9, " x ", " w1 ", r9\n\t" \
    "sxtb16 " w1 ", " w1 "\n\t" \
    "smlad r6, " x ", " w0 ", r6\n\t" \
    "smlad r8, " x ", " w1 ", r8\n\t"
#define LOAD_WEIGHTS "ldmia.w r1!, {r10, r11, r12, lr}\n\t"

// r2 scale, r3 scale_bytes, r4 out. The sums are doubled.
#define STORE(sum) \
    "ldm r2, {r10, r11, r12}\n\t" \
    "add r2, r2, r3\n\t" \
    "smmlar r5, " sum ", r10, r11\n\t" \
    "add r5, r5, " sum ", asr #31\n\t" \
    "asr r5, r5, r12\n\t" \
    "ssat r5, #8, r5\n\t" \
    "strb r5, [r4], #1\n\t"

__attribute__((naked)) static void compute_fours(const struct fours *fours __attribute__((unused)))
{
    __asm volatile("push {r4-r11, lr}\n\t"
                   "sub sp, sp, #36\n\t"
                   "ldmia r0, {r2, r3, r4, r5, r6, r7, r8, r9}\n\t"
                   "mov r1, r4\n\t"
                   "strd r2, r3, [sp]\n\t"
                   "strd r6, r7, [sp, #16]\n\t"
                   "strd r8, r9, [sp, #24]\n\t"
                   "subs r2, r2, r3\n\t"
                   "ubfx r2, r2, #4, #2\n\t"
                   "adr.w r3, 1f\n\t"
                   "movs r4, #108\n\t"
                   "mla r4, r2, r4, r3\n\t"
                   "orr r4, r4, #1\n\t"
                   "strd r4, r5, [sp, #8]\n"
                   "3:\n\t"
                   "ldrd r3, r2, [sp, #8]\n\t"
                   "ldm r2!, {r6, r7, r8, r9}\n\t"
                   "str r2, [sp, #12]\n\t"
                   "add r7, r6, r7, lsl #8\n\t"
                   "add r9, r8, r9, lsl #8\n\t"
                   "ldr r0, [sp]\n\t"
                   "bx r3\n\t"
                   ".balign 4\n"
                   "1:\n\t"
                   ".rept 4\n\t"
                   "ldmia.w r0!, {r2, r3, r4, r5}\n\t" LOAD_WEIGHTS MAC2("r2", "r10", "r11") MAC2("r3", "r12", "lr")
                   LOAD_WEIGHTS MAC2("r4", "r10", "r11") MAC2("r5", "r12", "lr")
                   ".endr\n"
                   "2:\n\t"
                   MW_CODE_BYTES("1b", "2b", "4 * 108")
                   "ldr r2, [sp, #4]\n\t"
                   "cmp r0, r2\n\t"
                   "bne.w 1b\n\t"
                   "ldrd r2, r3, [sp, #16]\n\t"
                   "ldr r4, [sp, #24]\n\t"
                   "sub r7, r7, r6\n\t"
                   "sub r9, r9, r8\n\t"
                   "asr r7, r7, #7\n\t"
                   "asr r9, r9, #7\n\t"
                   "lsl r6, r6, #1\n\t"
                   "lsl r8, r8, #1\n\t" STORE("r6") STORE("r7") STORE("r8") STORE("r9")
                   "str r2, [sp, #16]\n\t"
                   "str r4, [sp, #24]\n\t"
                   "ldr r2, [sp, #28]\n\t"
                   "cmp r4, r2\n\t"
                   "bne.w 3b\n\t"
                   "add sp, sp, #36\n\t"
                   "pop {r4-r11, pc}\n\t");
}

static int32_t bias_of(const uint32_t *channel, int own)
{
    return own ? (int32_t)channel[0] >> 3 : (int32_t)channel[0];
}

static struct scale scale_of(const struct mw_fully_connected_s8_dsp *layer, const uint32_t *channel, int own)
{
    const int32_t mult = own ? (int32_t)((channel[1] & 0x3fffffffu) | 0x40000000u) : layer->mult;
    const int32_t exponent = own ? (int32_t)((channel[0] & 7u) | (channel[1] >> 30 << 3)) : layer->exponent;
    return (struct scale){mult, (2 * layer->out_zp + 1) * ((int32_t)1 << (exponent - 1)), exponent};
}

// The outputs of `count` channels, four at a time.
static void fours(const struct mw_fully_connected_s8_dsp *layer, const uint32_t *x, const uint32_t *x_end, int32_t count,
                  int8_t *out)
{
    const int own = layer->mult == 0;
    const uint32_t *channel = layer->channels;
    struct scale scales[4];
    int32_t biases[4];
    struct fours fours = {x, x_end, layer->weights, biases, scales, (int32_t)sizeof *scales, out, out};
    if (count == 0) {
        return;
    }
    if (!own) {
        scales[0] = scale_of(layer, channel, 0);
        fours.bias = (const int32_t *)channel;
        fours.scale_bytes = 0;
        fours.out_end = out + count;
        compute_fours(&fours);
        return;
    }
    for (int8_t *const end = out + count; out != end; out += 4) {
        for (int c = 0; c < 4; ++c, channel += 2) {
            biases[c] = bias_of(channel, 1);
            scales[c] = scale_of(layer, channel, 1);
        }
        fours.out = out;
        fours.out_end = out + 4;
        compute_fours(&fours);
        fours.weights += 2 * (x_end - x);
    }
}

// The outputs of channel `first` and the next one, if there is one, in sums of `chunk` words of inputs.
static void pair(const struct mw_fully_connected_s8_dsp *layer, const uint32_t *x, const uint32_t *x_end, int32_t chunk,
                 int32_t first, int8_t *out)
{
    const int own = layer->mult == 0;
    const int32_t channel_words = own ? 2 : 1;
    const uint32_t *const channel = layer->channels + first * channel_words;
    const int32_t alone = layer->out_len - first == 1;
    // Two pairs are interleaved.
    const int32_t step = layer->out_len - (first & ~3) > 2 ? 2 : 1;
    const uint32_t *weights = layer->weights + (first >> 2) * 2 * (x_end - x) + (first >> 1 & 1);
    int32_t acc0 = bias_of(channel, own);
    int32_t acc1 = alone ? 0 : bias_of(channel + channel_words, own);
    while (x != x_end) {
        const uint32_t *const end = x_end - x > chunk ? x + chunk : x_end;
        int32_t both = acc0;
        for (; x != end; ++x, weights += step) {
            both = mw_smlad(*x, *weights, both);
            acc0 = mw_smlad(*x, mw_sxtb16(*weights), acc0);
        }
        acc1 += (int32_t)((uint32_t)both - (uint32_t)acc0) >> 8;
    }
    struct scale by = scale_of(layer, channel, own);
    out[first] = mw_requantize_dsp(acc0, by.mult, by.round, by.exponent);
    if (!alone) {
        by = scale_of(layer, channel + channel_words, own);
        out[first + 1] = mw_requantize_dsp(acc1, by.mult, by.round, by.exponent);
    }
}

void mw_fully_connected_s8_dsp(const struct mw_fully_connected_s8_dsp *layer, const int8_t *in, int8_t *out,
                               void *scratch)
{
    uint32_t *const x = scratch;
    const uint32_t *const x_end = x + GROUP_WORDS * layer->groups;
    const int32_t chunk = GROUP_WORDS * (layer->chunk == 0 ? layer->groups : layer->chunk);
    const int32_t by_four = layer->chunk == 0 ? layer->out_len & ~3 : 0;

    for (int32_t b = 0; b < layer->batches; ++b, in += layer->in_len, out += layer->out_len) {
        mw_expand_dsp(x, x_end, in, layer->in_len);
        fours(layer, x, x_end, by_four, out);
        for (int32_t first = by_four; first < layer->out_len; first += 2) {
            pair(layer, x, x_end, chunk, first, out);
        }
        mw_clamp_dsp(out, layer->out_len, layer->act_min, layer->act_max);
    }
}
