#include "mw/depthwise_conv_2d_s8_portable.h"

#include <string.h>

#include "mw/channel.h"

#define PIXELS 4

// One output channel at work.
struct work {
    const uint32_t *weights, *weights_end; // a word a tap
    const int32_t *offsets;                // of the taps, in bytes
    struct mw_channel channel;
    int32_t row_words;   // from one row of the band to the next
    int32_t phase_words; // from a phase to the next
    int32_t out_w, out_step;
};

typedef void accumulate(const struct work *work, const uint32_t *x, uint32_t acc[PIXELS]);

// Four outputs side by side, whose first window starts at x: any window.
#if defined(__thumb2__) && defined(__GNUC__)

static inline void accumulate_any(const struct work *work, const uint32_t *x, uint32_t acc[PIXELS])
{
    const uint32_t *w = work->weights;
    const int32_t *offset = work->offsets;
    __asm volatile("1:\n\t"
                   "ldr r4, [%[offset]], #4\n\t"
                   "ldr r8, [%[w]], #4\n\t"
                   "add r4, r4, %[x]\n\t"
                   "ldmia r4, {r4, r5, r6, r9}\n\t"
                   "mla %[acc0], r4, r8, %[acc0]\n\t"
                   "mla %[acc1], r5, r8, %[acc1]\n\t"
                   "mla %[acc2], r6, r8, %[acc2]\n\t"
                   "mla %[acc3], r9, r8, %[acc3]\n\t"
                   "cmp %[w], %[end]\n\t"
                   "bne 1b"
                   : [acc0] "+r"(acc[0]), [acc1] "+r"(acc[1]), [acc2] "+r"(acc[2]), [acc3] "+r"(acc[3]), [w] "+r"(w),
                     [offset] "+r"(offset)
                   : [x] "r"(x), [end] "r"(work->weights_end)
                   : "r4", "r5", "r6", "r8", "r9", "cc", "memory");
}

#elif defined(__thumb__) && defined(__GNUC__)

// r1 weights, r2 offsets, r8-r11 sums, r12 x, lr end of the weights; a sum in a high register can be added to.
__attribute__((naked, noinline)) static void accumulate_any(const struct work *work __attribute__((unused)),
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

static inline void accumulate_any(const struct work *work, const uint32_t *x, uint32_t acc[PIXELS])
{
    const uint32_t *weight = work->weights;
    const int32_t *offset = work->offsets;
    for (; weight != work->weights_end; ++weight, ++offset) {
        const uint32_t *const tap = (const uint32_t *)((const uint8_t *)x + *offset);
        acc[0] += *weight * tap[0];
        acc[1] += *weight * tap[1];
        acc[2] += *weight * tap[2];
        acc[3] += *weight * tap[3];
    }
}

#endif

#if defined(__thumb2__) && defined(__GNUC__)
#define FILTER_3X3 1

// r4-r6 values of the image, r8-r10 weights of a row of taps.
#define ROW_STRIDE_1 \
    "ldmia %[w]!, {r8, r9, r10}\n\t" \
    "ldmia %[x]!, {r4, r5, r6}\n\t" \
    "mla %[acc0], r4, r8, %[acc0]\n\t" \
    "mla %[acc0], r5, r9, %[acc0]\n\t" \
    "mla %[acc0], r6, r10, %[acc0]\n\t" \
    "mla %[acc1], r5, r8, %[acc1]\n\t" \
    "mla %[acc1], r6, r9, %[acc1]\n\t" \
    "mla %[acc2], r6, r8, %[acc2]\n\t" \
    "ldmia %[x], {r4, r5, r6}\n\t" \
    "mla %[acc1], r4, r10, %[acc1]\n\t" \
    "mla %[acc2], r4, r9, %[acc2]\n\t" \
    "mla %[acc2], r5, r10, %[acc2]\n\t" \
    "mla %[acc3], r4, r8, %[acc3]\n\t" \
    "mla %[acc3], r5, r9, %[acc3]\n\t" \
    "mla %[acc3], r6, r10, %[acc3]\n\t"

// Even columns, then odd ones, then the next row: each lies `phase` bytes on.
#define ROW_STRIDE_2 \
    "ldmia %[w]!, {r8, r9, r10}\n\t" \
    "ldmia %[x], {r4, r5, r6}\n\t" \
    "mla %[acc0], r4, r8, %[acc0]\n\t" \
    "mla %[acc0], r5, r10, %[acc0]\n\t" \
    "mla %[acc1], r5, r8, %[acc1]\n\t" \
    "mla %[acc1], r6, r10, %[acc1]\n\t" \
    "mla %[acc2], r6, r8, %[acc2]\n\t" \
    "ldrd r4, r5, [%[x], #12]\n\t" \
    "add %[x], %[x], %[phase]\n\t" \
    "mla %[acc2], r4, r10, %[acc2]\n\t" \
    "mla %[acc3], r4, r8, %[acc3]\n\t" \
    "mla %[acc3], r5, r10, %[acc3]\n\t" \
    "ldmia %[x], {r4, r5, r6, r8}\n\t" \
    "add %[x], %[x], %[phase]\n\t" \
    "mla %[acc0], r4, r9, %[acc0]\n\t" \
    "mla %[acc1], r5, r9, %[acc1]\n\t" \
    "mla %[acc2], r6, r9, %[acc2]\n\t" \
    "mla %[acc3], r8, r9, %[acc3]\n\t"

#define NEXT_ROW "add %[x], %[x], %[next]\n\t"

static inline void accumulate_3x3(const struct work *work, const uint32_t *x, uint32_t acc[PIXELS])
{
    const uint32_t *w = work->weights;
    const int32_t next = 4 * work->row_words - 12;
    __asm volatile(ROW_STRIDE_1 NEXT_ROW ROW_STRIDE_1 NEXT_ROW ROW_STRIDE_1
                   : [acc0] "+r"(acc[0]), [acc1] "+r"(acc[1]), [acc2] "+r"(acc[2]), [acc3] "+r"(acc[3]), [x] "+r"(x),
                     [w] "+r"(w)
                   : [next] "r"(next)
                   : "r4", "r5", "r6", "r8", "r9", "r10", "memory");
}

static inline void accumulate_3x3_stride_2(const struct work *work, const uint32_t *x, uint32_t acc[PIXELS])
{
    const uint32_t *w = work->weights;
    __asm volatile(ROW_STRIDE_2 ROW_STRIDE_2 ROW_STRIDE_2
                   : [acc0] "+r"(acc[0]), [acc1] "+r"(acc[1]), [acc2] "+r"(acc[2]), [acc3] "+r"(acc[3]), [x] "+r"(x),
                     [w] "+r"(w)
                   : [phase] "r"(4 * work->phase_words)
                   : "r4", "r5", "r6", "r8", "r9", "r10", "memory");
}

#endif

// A row of outputs, whose first window starts at x.
static inline void row_of(accumulate *sums, const struct work *work, const uint32_t *x, int8_t *out)
{
    const struct mw_channel channel = work->channel;
    const int32_t step = work->out_step;
    for (int32_t left = work->out_w; left > 0; left -= PIXELS, x += PIXELS) {
        const uint32_t bias = (uint32_t)channel.bias;
        uint32_t acc[PIXELS] = {bias, bias, bias, bias};
        sums(work, x, acc);
        for (int32_t i = 0; i < PIXELS && i < left; ++i, out += step) {
            *out = mw_channel_scale(channel, (int32_t)acc[i]);
        }
    }
}

static void row_any(const struct work *work, const uint32_t *x, int8_t *out)
{
    row_of(accumulate_any, work, x, out);
}

typedef void row(const struct work *work, const uint32_t *x, int8_t *out);

#ifdef FILTER_3X3

static void row_3x3(const struct work *work, const uint32_t *x, int8_t *out)
{
    row_of(accumulate_3x3, work, x, out);
}

static void row_3x3_stride_2(const struct work *work, const uint32_t *x, int8_t *out)
{
    row_of(accumulate_3x3_stride_2, work, x, out);
}

static row *row_for(const struct mw_depthwise_conv_2d_s8_portable *layer)
{
    if (layer->filter_h == 3 && layer->filter_w == 3 && layer->dilation_h == 1 && layer->dilation_w == 1) {
        if (layer->stride_w == 1) {
            return row_3x3;
        }
        if (layer->stride_w == 2) {
            return row_3x3_stride_2;
        }
    }
    return row_any;
}

#else

static row *row_for(const struct mw_depthwise_conv_2d_s8_portable *layer)
{
    (void)layer;
    return row_any;
}

#endif

static void spread(uint32_t *to, const int8_t *from, int32_t step, int32_t count)
{
    for (; count >= 4; count -= 4, to += 4) {
        const int8_t *const third = from + 2 * step;
        const uint32_t a = (uint32_t)from[0];
        const uint32_t b = (uint32_t)from[step];
        const uint32_t c = (uint32_t)third[0];
        const uint32_t d = (uint32_t)third[step];
        to[0] = a;
        to[1] = b;
        to[2] = c;
        to[3] = d;
        from = third + 2 * step;
    }
    for (; count > 0; --count, from += step) {
        *to++ = (uint32_t)*from;
    }
}

// Spreads row `y` of a channel, whose padding is in place already; the zero point where it lies outside.
static void fill_row(const struct mw_depthwise_conv_2d_s8_portable *layer, const int8_t *in, int32_t y, uint32_t *band_row)
{
    if (y < 0 || y >= layer->in_h) {
        for (int32_t i = 0; i < layer->stride_w * layer->phase_words; ++i) {
            band_row[i] = (uint32_t)layer->in_zp;
        }
        return;
    }
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
    uint32_t *const weights = scratch;
    int32_t *const offsets = (int32_t *)(weights + taps);
    uint32_t *const band = (uint32_t *)(offsets + taps);
    row *const row_outputs = row_for(layer);
    struct work work = {
        .weights = weights,
        .weights_end = weights + taps,
        .offsets = offsets,
        .row_words = row_words,
        .phase_words = layer->phase_words,
        .out_w = layer->out_w,
        .out_step = layer->out_step,
    };

    offsets_of_taps(layer, row_words, offsets);
    for (int32_t i = 0; i < layer->band_rows * row_words; ++i) {
        band[i] = (uint32_t)layer->in_zp;
    }
    for (int32_t o = 0, c = 0, m = 0; o < out_ch; ++o) {
        mw_channels_unpack(&work.channel, layer->channels + o * layer->channel_bytes, layer->channel_bytes, 1,
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
                fill_row(layer, in + c, end, band + (end - first) * row_words);
            }
            row_outputs(&work, band + (top - first) * row_words, out + o + oy * layer->out_row);
        }
        if (++m == layer->multiplier) {
            m = 0;
            ++c;
        }
    }
    mw_clamp_s8(out, layer->out_h * layer->out_w * out_ch, layer->act_min, layer->act_max);
}
