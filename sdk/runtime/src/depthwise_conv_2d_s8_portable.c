#include "mw/depthwise_conv_2d_s8_portable.h"

#include <string.h>

#include "mw/channel_four.h"

#define PIXELS 4

// A row of outputs of one channel. An output is the sum of weight * word at x + offset over all taps; the next one's x is
// a word further.
struct row {
    struct mw_channel channel;
    int8_t *out;
    int32_t steps[PIXELS - 1]; // bytes from an output to the next three
    int32_t outputs;
    const uint32_t *weights, *weights_end;
    const int32_t *offsets; // of the taps, in bytes
    int32_t stride;         // from the words of the first row of taps to those that follow, in bytes
};

typedef void compute(const struct row *row, const uint32_t *x);

#if defined(__thumb2__) && defined(__GNUC__)

// Four outputs at a time. The frame is struct row: [sp] bias, mult, round, exponent, [sp, #16] out, [sp, #20] steps,
// [sp, #32] outputs, [sp, #36] weights, weights_end, offsets, stride.
// r0-r3 sums, lr x. Outputs that are missing at the end of the row are stored where the last one goes, which then
// overwrites them.
#define COMPUTE(NAME, SUMS) \
    __attribute__((naked, noinline)) static void NAME(const struct row *row __attribute__((unused)), \
                                                      const uint32_t *x __attribute__((unused))) \
    { \
        __asm volatile("push {r4-r11, lr}\n\t" \
                       "sub sp, sp, #52\n\t" \
                       "mov lr, r1\n\t" \
                       "ldmia r0!, {r1-r7}\n\t" \
                       "stmia.w sp, {r1-r7}\n\t" \
                       "ldmia r0!, {r1-r6}\n\t" \
                       "add r0, sp, #28\n\t" \
                       "stmia r0!, {r1-r6}\n" \
                       "1:\n\t" \
                       "ldr r4, [sp, #32]\n\t" \
                       "cmp r4, #4\n\t" \
                       "bge.n 2f\n\t" \
                       "ldr r5, [sp, #20]\n\t" \
                       "sub r4, r4, #1\n\t" \
                       "mul r6, r4, r5\n\t" \
                       "cmp r4, #0\n\t" \
                       "it eq\n\t" \
                       "moveq r5, #0\n\t" \
                       "strd r5, r6, [sp, #20]\n\t" \
                       "str r6, [sp, #28]\n" \
                       "2:\n\t" \
                       "ldr r0, [sp]\n\t" \
                       "ldr r11, [sp, #36]\n\t" \
                       "ldr r12, [sp, #48]\n\t" \
                       "mov r1, r0\n\t" \
                       "mov r2, r0\n\t" \
                       "mov r3, r0\n\t" SUMS "add r4, sp, #4\n\t" \
                       "ldmia r4, {r4-r10}\n\t" SCALE_AND_STORE("r3", "[r7, r10]") \
                           SCALE_AND_STORE("r2", "[r7, r9]") SCALE_AND_STORE("r1", "[r7, r8]") \
                               SCALE_AND_STORE("r0", "[r7]") \
                       "add r7, r7, r8, lsl #2\n\t" \
                       "str r7, [sp, #16]\n\t" \
                       "add lr, lr, #16\n\t" \
                       "ldr r4, [sp, #32]\n\t" \
                       "subs r4, r4, #4\n\t" \
                       "str r4, [sp, #32]\n\t" \
                       "bgt.w 1b\n\t" \
                       "add sp, sp, #52\n\t" \
                       "pop {r4-r11, pc}\n\t"); \
    }

// As mw_channel_scale(); r4 mult, r5 round, r6 exponent.
#define SCALE_AND_STORE(acc, address) \
    "lsl r11, " acc ", #1\n\t" \
    "smull r12, r11, r11, r4\n\t" \
    "lsls r12, r12, #1\n\t" \
    "adc r11, r11, r5\n\t" \
    "add r11, r11, " acc ", asr #31\n\t" \
    "asr r11, r11, r6\n\t" \
    "ssat r11, #8, r11\n\t" \
    "strb r11, " address "\n\t"

COMPUTE(compute_any,
        "ldrd r10, r12, [sp, #40]\n"
        "3:\n\t"
        "ldr r4, [r12], #4\n\t"
        "ldr r8, [r11], #4\n\t"
        "add r4, r4, lr\n\t"
        "ldmia r4, {r4, r5, r6, r9}\n\t"
        "mla r0, r4, r8, r0\n\t"
        "mla r1, r5, r8, r1\n\t"
        "mla r2, r6, r8, r2\n\t"
        "mla r3, r9, r8, r3\n\t"
        "cmp r11, r10\n\t"
        "bne 3b\n\t")

// r4-r6 words, r8-r10 weights of a row of taps.
#define TAPS_STRIDE_1 \
    "ldmia r11!, {r8, r9, r10}\n\t" \
    "ldmia r7, {r4, r5, r6}\n\t" \
    "mla r0, r4, r8, r0\n\t" \
    "mla r0, r5, r9, r0\n\t" \
    "mla r0, r6, r10, r0\n\t" \
    "mla r1, r5, r8, r1\n\t" \
    "mla r1, r6, r9, r1\n\t" \
    "mla r2, r6, r8, r2\n\t" \
    "add r4, r7, #12\n\t" \
    "ldmia r4, {r4, r5, r6}\n\t" \
    "mla r1, r4, r10, r1\n\t" \
    "mla r2, r4, r9, r2\n\t" \
    "mla r2, r5, r10, r2\n\t" \
    "mla r3, r4, r8, r3\n\t" \
    "mla r3, r5, r9, r3\n\t" \
    "mla r3, r6, r10, r3\n\t"

// Even columns, then odd ones, then the next row.
#define TAPS_STRIDE_2 \
    "ldmia r11!, {r8, r9, r10}\n\t" \
    "ldmia r7, {r4, r5, r6}\n\t" \
    "mla r0, r4, r8, r0\n\t" \
    "mla r0, r5, r10, r0\n\t" \
    "mla r1, r5, r8, r1\n\t" \
    "mla r1, r6, r10, r1\n\t" \
    "mla r2, r6, r8, r2\n\t" \
    "ldrd r4, r5, [r7, #12]\n\t" \
    "add r7, r7, r12\n\t" \
    "mla r2, r4, r10, r2\n\t" \
    "mla r3, r4, r8, r3\n\t" \
    "mla r3, r5, r10, r3\n\t" \
    "ldmia r7, {r4, r5, r6, r8}\n\t" \
    "mla r0, r4, r9, r0\n\t" \
    "mla r1, r5, r9, r1\n\t" \
    "mla r2, r6, r9, r2\n\t" \
    "mla r3, r8, r9, r3\n\t"

#define NEXT_ROW "add r7, r7, r12\n\t"

COMPUTE(compute_3x3, "mov r7, lr\n\t" TAPS_STRIDE_1 NEXT_ROW TAPS_STRIDE_1 NEXT_ROW TAPS_STRIDE_1)
COMPUTE(compute_3x3_stride_2, "mov r7, lr\n\t" TAPS_STRIDE_2 NEXT_ROW TAPS_STRIDE_2 NEXT_ROW TAPS_STRIDE_2)

static compute *compute_for(const struct mw_depthwise_conv_2d_s8_portable *layer)
{
    if (layer->filter_h == 3 && layer->filter_w == 3 && layer->dilation_h == 1 && layer->dilation_w == 1) {
        if (layer->stride_w == 1) {
            return compute_3x3;
        }
        if (layer->stride_w == 2) {
            return compute_3x3_stride_2;
        }
    }
    return compute_any;
}

#else

#if defined(__thumb__) && defined(__GNUC__)

// r1 weights, r2 offsets, r8-r11 sums, r12 x, lr end of the weights; a sum in a high register can be added to.
__attribute__((naked, noinline)) static void accumulate(const struct row *row __attribute__((unused)),
                                                            const uint32_t *x __attribute__((unused)),
                                                            uint32_t acc[PIXELS] __attribute__((unused)))
{
    __asm volatile(".syntax unified\n\t"
                   "push {r2, r4-r7, lr}\n\t"
                   "mov r4, r8\n\t"
                   "mov r5, r9\n\t"
                   "mov r6, r10\n\t"
                   "mov r7, r11\n\t"
                   "push {r4-r7}\n\t"
                   "ldmia r2!, {r4-r7}\n\t"
                   "mov r8, r4\n\t"
                   "mov r9, r5\n\t"
                   "mov r10, r6\n\t"
                   "mov r11, r7\n\t"
                   "mov r12, r1\n\t"
                   "adds r0, #36\n\t"
                   "ldmia r0!, {r1, r2, r3}\n\t"
                   "mov lr, r2\n\t"
                   "mov r2, r3\n"
                   "1:\n\t"
                   "ldmia r2!, {r3}\n\t"
                   "ldmia r1!, {r0}\n\t"
                   "add r3, r12\n\t"
                   "ldmia r3, {r3, r4, r5, r6}\n\t"
                   "muls r3, r0, r3\n\t"
                   "add r8, r3\n\t"
                   "muls r4, r0, r4\n\t"
                   "add r9, r4\n\t"
                   "muls r5, r0, r5\n\t"
                   "add r10, r5\n\t"
                   "muls r6, r0, r6\n\t"
                   "add r11, r6\n\t"
                   "cmp r1, lr\n\t"
                   "bne 1b\n\t"
                   "ldr r0, [sp, #16]\n\t"
                   "mov r4, r8\n\t"
                   "mov r5, r9\n\t"
                   "mov r6, r10\n\t"
                   "mov r7, r11\n\t"
                   "stmia r0!, {r4-r7}\n\t"
                   "pop {r4-r7}\n\t"
                   "mov r8, r4\n\t"
                   "mov r9, r5\n\t"
                   "mov r10, r6\n\t"
                   "mov r11, r7\n\t"
                   "pop {r2, r4-r7, pc}\n\t");
}

#else

static inline void accumulate(const struct row *row, const uint32_t *x, uint32_t acc[PIXELS])
{
    const uint32_t *weight = row->weights;
    const int32_t *offset = row->offsets;
    for (; weight != row->weights_end; ++weight, ++offset) {
        const uint32_t *const tap = (const uint32_t *)((const uint8_t *)x + *offset);
        acc[0] += *weight * tap[0];
        acc[1] += *weight * tap[1];
        acc[2] += *weight * tap[2];
        acc[3] += *weight * tap[3];
    }
}

#endif

static void compute_any(const struct row *row, const uint32_t *x)
{
    const int32_t step = row->steps[0];
    int8_t *out = row->out;
    struct mw_four four = {.offsets = {0, step, 2 * step, 3 * step}};
    for (int32_t left = row->outputs; left > 0; left -= PIXELS, x += PIXELS, out += PIXELS * step) {
        for (int32_t i = 0; i < PIXELS; ++i) {
            four.acc[i] = row->channel.bias;
        }
        accumulate(row, x, (uint32_t *)four.acc);
        // In the place of those that are missing, the first one is written again.
        for (int32_t i = left; i < PIXELS; ++i) {
            four.acc[i] = four.acc[0];
            four.offsets[i] = 0;
        }
        mw_channel_scale_four(&row->channel, &four, out);
    }
}

static compute *compute_for(const struct mw_depthwise_conv_2d_s8_portable *layer)
{
    (void)layer;
    return compute_any;
}

#endif

static void spread(uint32_t *to, const int8_t *from, int32_t step, int32_t count)
{
    uint32_t *const end = to + count;
#if defined(__thumb2__) && defined(__GNUC__)
    uint32_t *const end_of_fours = to + (count & ~3);
    if (to != end_of_fours) {
        __asm volatile("1:\n\t"
                       "ldrsb r4, [%[from]]\n\t"
                       "ldrsb r5, [%[from], %[step]]\n\t"
                       "ldrsb r6, [%[from], %[step], lsl #1]\n\t"
                       "ldrsb r8, [%[from], %[three]]\n\t"
                       "add %[from], %[from], %[step], lsl #2\n\t"
                       "stmia %[to]!, {r4, r5, r6, r8}\n\t"
                       "cmp %[to], %[end]\n\t"
                       "bne 1b"
                       : [to] "+r"(to), [from] "+r"(from)
                       : [end] "r"(end_of_fours), [step] "r"(step), [three] "r"(3 * step)
                       : "r4", "r5", "r6", "r8", "cc", "memory");
    }
#endif
    for (; to != end; from += step) {
        *to++ = (uint32_t)*from;
    }
}

static void fill(uint32_t *to, uint32_t *end, int32_t value)
{
    while (to != end) {
        *to++ = (uint32_t)value;
    }
}

// Spreads row `y` of a channel, which lies inside, between its padding.
static void spread_row(const struct mw_depthwise_conv_2d_s8_portable *layer, const int8_t *in, int32_t y,
                       uint32_t *band_row)
{
    const int8_t *const from = in + y * layer->in_row;
    int32_t column = layer->pad_left / layer->stride_w; // of the first value, in its phase
    int32_t phase = layer->pad_left - column * layer->stride_w;
    for (int32_t first = 0; first < layer->stride_w && first < layer->in_w; ++first) {
        spread(band_row + phase * layer->phase_words + column, from + first * layer->in_step,
               layer->stride_w * layer->in_step, (layer->in_w - first + layer->stride_w - 1) / layer->stride_w);
        if (++phase == layer->stride_w) {
            phase = 0;
            ++column;
        }
    }
}

static void offsets_of_taps(const struct mw_depthwise_conv_2d_s8_portable *layer, int32_t row_words, int32_t *offsets)
{
    for (int32_t y = 0; y < layer->filter_h; ++y) {
        for (int32_t x = 0; x < layer->filter_w; ++x) {
            const int32_t column = x * layer->dilation_w;
            const int32_t in_phase = column / layer->stride_w;
            const int32_t phase = column - in_phase * layer->stride_w;
            *offsets++ = 4 * (y * layer->dilation_h * row_words + phase * layer->phase_words + in_phase);
        }
    }
}

void mw_depthwise_conv_2d_s8_portable(const struct mw_depthwise_conv_2d_s8_portable *layer, const int8_t *in, int8_t *out,
                                      void *scratch)
{
    const int32_t taps = layer->filter_h * layer->filter_w;
    const int32_t out_ch = layer->in_ch * layer->multiplier;
    const int32_t row_words = layer->stride_w * layer->phase_words;
    const int32_t window_rows = (layer->filter_h - 1) * layer->dilation_h + 1;
    const int whole = layer->band_rows >= (layer->out_h - 1) * layer->stride_h + window_rows;
    uint32_t *const weights = scratch;
    int32_t *const offsets = (int32_t *)(weights + taps);
    uint32_t *const band = (uint32_t *)(offsets + taps);
    compute *const compute_row = compute_for(layer);
    struct row row = {
        .steps = {layer->out_step, 2 * layer->out_step, 3 * layer->out_step},
        .outputs = layer->out_w,
        .weights = weights,
        .weights_end = weights + taps,
        .offsets = offsets,
        .stride = 4 * layer->phase_words,
    };

    offsets_of_taps(layer, row_words, offsets);
    // Padding stays, and rows outside do where the band holds all rows.
    fill(band, band + layer->band_rows * row_words, layer->in_zp);
    for (int32_t o = 0, c = 0, m = 0; o < out_ch; ++o) {
        mw_channels_unpack(&row.channel, layer->channels + o * layer->channel_bytes, layer->channel_bytes, 1,
                           layer->out_zp);
        for (int32_t t = 0; t < taps; ++t) {
            weights[t] = (uint32_t)layer->weights[o * taps + t];
        }
        int32_t first = -layer->pad_top; // the input row at the start of the band
        int32_t end = first;             // the one behind its last
        for (int32_t oy = 0; oy < layer->out_h; ++oy) {
            const int32_t top = oy * layer->stride_h - layer->pad_top;
            if (top + window_rows - first > layer->band_rows) {
                if (end > top) {
                    memmove(band, band + (top - first) * row_words,
                            (size_t)((end - top) * row_words) * sizeof band[0]);
                }
                first = top;
            }
            for (end = end > top ? end : top; end < top + window_rows; ++end) {
                uint32_t *const to = band + (end - first) * row_words;
                if (end >= 0 && end < layer->in_h) {
                    spread_row(layer, in + c, end, to);
                } else if (!whole) {
                    fill(to, to + row_words, layer->in_zp);
                }
            }
            row.out = out + o + oy * layer->out_row;
            compute_row(&row, band + (top - first) * row_words);
        }
        if (++m == layer->multiplier) {
            m = 0;
            ++c;
        }
    }
    mw_clamp_s8(out, layer->out_h * layer->out_w * out_ch, layer->act_min, layer->act_max);
}
