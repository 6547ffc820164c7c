#include "mw/depthwise_3x3_s8_dsp.h"

#include <string.h>

#include "mw/dsp.h"
#include "mw/gemm_dsp.h"

// A channel. Weights and bias are doubled, so that the sum comes out as the product with `mult` needs it.
struct channel {
    int32_t mult, round, exponent, bias;
    uint32_t weights[6]; // of each column rows 0 and 1, then rows 1 and 2
};

struct strip {
    const struct channel *channels;
    const uint32_t *columns;
    int8_t *out;
    int32_t count;       // channels
    int32_t column_bytes; // of one channel's output columns
    int32_t strip_bytes; // from one channel's columns to the next one's
    int32_t row_bytes;   // from the first output row to the second; 0 where there is only one
    int32_t pixel_bytes; // from one output pixel to the next
};

// r0-r5 weights, r6-r9 inputs of two columns, r10 and r11 sums of the two rows, r12 columns, lr out.
// The frame: [sp] mult, round, exponent, row_bytes, pixel_bytes, [sp, #20] end of the columns, [sp, #24] bias, bias,
// [sp, #32] channels, [sp, #36] columns, [sp, #40] out, [sp, #44] count, [sp, #48] column_bytes, [sp, #52] strip_bytes,
// [sp, #56] where the loop is entered: it takes two columns a round.
// `low` is the word of rows 0 and 1, `high` that of rows 2 and 3.
#define COLUMN(low, high, k01, k12) \
    "smlad r10, " low ", " k01 ", r10\n\t" \
    "smlatb r11, " low ", " k01 ", r11\n\t" \
    "smlabt r10, " high ", " k12 ", r10\n\t" \
    "smlad r11, " high ", " k12 ", r11\n\t"

#define REQUANTIZE(sum) \
    "smmlar r9, " sum ", r6, r7\n\t" \
    "add r9, r9, " sum ", asr #31\n\t" \
    "asr r9, r9, r8\n\t"

// The second row is written first: where there is none, the first row then overwrites it.
#define PIXEL(LOW0, HIGH0, LOW1, HIGH1, LOW2, HIGH2) \
    "ldrd r10, r11, [sp, #24]\n\t" \
    "ldrd r6, r7, [r12], #8\n\t" COLUMN(LOW0, HIGH0, "r0", "r1") \
    "ldmia.w r12, {r6, r7, r8, r9}\n\t" COLUMN(LOW1, HIGH1, "r2", "r3") COLUMN(LOW2, HIGH2, "r4", "r5") \
    "ldmia.w sp, {r6, r7, r8}\n\t" REQUANTIZE("r11") \
    "ssat r11, #8, r9\n\t" REQUANTIZE("r10") \
    "ssat r9, #8, r9\n\t" \
    "ldrd r7, r8, [sp, #12]\n\t" \
    "strb r11, [lr, r7]\n\t" \
    "strb r9, [lr]\n\t" \
    "add lr, lr, r8\n\t"

// With stride 2, r11 is pixel_bytes.
#define COLUMN_2(low, high, k01, k12) \
    "smlad r10, " low ", " k01 ", r10\n\t" \
    "smlabt r10, " high ", " k12 ", r10\n\t"

#define PIXEL_2(LOW, HIGH) \
    "ldr r10, [sp, #24]\n\t" \
    "ldrd r6, r7, [r12], #8\n\t" COLUMN_2(LOW, HIGH, "r0", "r1") \
    "ldrd r6, r7, [r12], #8\n\t" COLUMN_2(LOW, HIGH, "r2", "r3") \
    "ldrd r6, r7, [r12]\n\t" COLUMN_2(LOW, HIGH, "r4", "r5") \
    "ldmia.w sp, {r6, r7, r8}\n\t" REQUANTIZE("r10") \
    "ssat r9, #8, r9\n\t" \
    "strb r9, [lr]\n\t" \
    "add lr, lr, r11\n\t"

#define STRIP(NAME, STRIDE, PIXEL_CODE)                                                                                        \
    __attribute__((naked)) static void NAME(const struct strip *strip __attribute__((unused)))                         \
    {                                                                                                                  \
        __asm volatile("push {r4-r11, lr}\n\t"                                                                         \
                       "sub sp, sp, #60\n\t"                                                                           \
                       "ldmia r0, {r1, r2, r3, r4, r5, r6, r7, r8}\n\t"                                                \
                       "strd r7, r8, [sp, #12]\n\t"                                                                    \
                       "strd r1, r2, [sp, #32]\n\t"                                                                    \
                       "strd r3, r4, [sp, #40]\n\t"                                                                    \
                       "strd r5, r6, [sp, #48]\n\t"                                                                    \
                       "adr.w r0, 1f\n\t"                                                                              \
                       "tst r5, #8 * " #STRIDE "\n\t"                                                                    \
                       "beq.n 4f\n\t"                                                                                  \
                       "adr.w r0, 5f\n"                                                                                \
                       "4:\n\t"                                                                                        \
                       "orr r0, r0, #1\n\t"                                                                            \
                       "str r0, [sp, #56]\n"                                                                           \
                       "2:\n\t"                                                                                        \
                       "ldrd r9, r12, [sp, #32]\n\t"                                                                   \
                       "ldmia r9!, {r6, r7, r8, r10}\n\t"                                                              \
                       "stmia.w sp, {r6, r7, r8}\n\t"                                                                  \
                       "strd r10, r10, [sp, #24]\n\t"                                                                  \
                       "ldmia r9!, {r0, r1, r2, r3, r4, r5}\n\t"                                                       \
                       "ldrd r6, r7, [sp, #48]\n\t"                                                                    \
                       "add r6, r6, r12\n\t"                                                                           \
                       "str r6, [sp, #20]\n\t"                                                                         \
                       "add r10, r12, r7\n\t"                                                                          \
                       "strd r9, r10, [sp, #32]\n\t"                                                                   \
                       "ldr lr, [sp, #40]\n\t"                                                                         \
                       "add r6, lr, #1\n\t"                                                                            \
                       "str r6, [sp, #40]\n\t"                                                                         \
                       "ldr r11, [sp, #16]\n\t"                                                                        \
                       "ldr pc, [sp, #56]\n\t"                                                                         \
                       ".balign 4\n"                                                                                   \
                       "1:\n\t" PIXEL_CODE ".balign 4\n"                                                               \
                       "5:\n\t" PIXEL_CODE "ldr r9, [sp, #20]\n\t"                                                     \
                       "cmp r12, r9\n\t"                                                                               \
                       "bne.w 1b\n\t"                                                                                  \
                       "ldr r9, [sp, #44]\n\t"                                                                         \
                       "subs r9, r9, #1\n\t"                                                                           \
                       "str r9, [sp, #44]\n\t"                                                                         \
                       "bne.w 2b\n\t"                                                                                  \
                       "add sp, sp, #60\n\t"                                                                           \
                       "pop {r4-r11, pc}\n\t");                                                                        \
    }

// The first word of a column is rows 0 and 1, or rows 2 and 3.
STRIP(strip_even, 1, PIXEL("r6", "r7", "r6", "r7", "r8", "r9"))
STRIP(strip_odd, 1, PIXEL("r7", "r6", "r7", "r6", "r9", "r8"))

STRIP(strip_2_even, 2, PIXEL_2("r6", "r7"))
STRIP(strip_2_odd, 2, PIXEL_2("r7", "r6"))

static void (*const strips[2][2])(const struct strip *) = {{strip_even, strip_odd}, {strip_2_even, strip_2_odd}};

static uint32_t pair(int32_t low, int32_t high)
{
    return ((uint32_t)low & 0xffffu) | (uint32_t)high << 16;
}

static void expand(struct channel *to, const struct mw_depthwise_3x3_s8_dsp *layer, int32_t channel)
{
    const struct mw_gemm_channels_dsp scales = {layer->scales, layer->channel_bytes};
    const struct mw_gemm_scale_dsp scale = mw_gemm_dsp_scale(scales, channel, 0, layer->out_zp);
    const int8_t *const weights = layer->weights + channel;
    to->mult = scale.mult;
    to->round = scale.round;
    to->exponent = scale.exponent;
    to->bias = 2 * mw_gemm_dsp_bias(scales, channel);
    for (int x = 0; x < 3; ++x) {
        const int32_t k0 = 2 * weights[x * layer->channels];
        const int32_t k1 = 2 * weights[(3 + x) * layer->channels];
        const int32_t k2 = 2 * weights[(6 + x) * layer->channels];
        to->weights[2 * x] = pair(k0, k1);
        to->weights[2 * x + 1] = pair(k1, k2);
    }
}

// Two input rows of `count` channels to one word a column; a row outside the image is one pixel that is read again.
static void fill(uint32_t *to, int32_t strip_words, const int8_t *low, int32_t low_step, const int8_t *high,
                 int32_t high_step, int32_t columns, int32_t count)
{
    if (count == 4) {
        uint32_t *const end = to + 2 * columns;
        for (; to != end; to += 2) {
            const uint32_t a = mw_load32(low);
            const uint32_t b = mw_load32(high);
            const uint32_t u = mw_pkh_low(a, b);
            const uint32_t v = mw_pkh_high(a, b);
            to[0] = mw_sxtb16(u);
            to[strip_words] = mw_sxtb16_odd(u);
            to[2 * strip_words] = mw_sxtb16(v);
            to[3 * strip_words] = mw_sxtb16_odd(v);
            low += low_step;
            high += high_step;
        }
        return;
    }
    for (int32_t column = 0; column < columns; ++column) {
        for (int32_t c = 0; c < count; ++c) {
            to[c * strip_words + 2 * column] = pair(low[c], high[c]);
        }
        low += low_step;
        high += high_step;
    }
}

// memmove to a lower address; a loop of words is smaller than the library's.
static void move_down(int8_t *to, const int8_t *from, int32_t bytes)
{
    int32_t i = 0;
    for (; i + 4 <= bytes; i += 4) {
        const uint32_t word = mw_load32(from + i);
        memcpy(to + i, &word, sizeof word);
    }
    for (; i < bytes; ++i) {
        to[i] = from[i];
    }
}

void mw_depthwise_3x3_s8_dsp(const struct mw_depthwise_3x3_s8_dsp *layer, const int8_t *in, int8_t *out, void *scratch)
{
    struct channel *const channels = scratch;
    uint32_t *const columns = (uint32_t *)(channels + 4);
    const int32_t strip_words = 2 * layer->columns;
    const int32_t in_row = layer->in_w * layer->channels;
    const int32_t out_row = layer->out_w * layer->channels;
    const int32_t strip_rows = layer->stride == 1 ? 2 : 1;
    // In place, an output row stays in the input row of its number until all channels are done.
    const int32_t row_bytes = out == in ? in_row : out_row;
    const int8_t zero_point[4] = {(int8_t)layer->in_zp, (int8_t)layer->in_zp, (int8_t)layer->in_zp,
                                  (int8_t)layer->in_zp};

    // The padding stays: rows are filled in between.
    for (int32_t i = 0; i < 4 * strip_words; ++i) {
        columns[i] = pair(layer->in_zp, layer->in_zp);
    }
    for (int32_t first = 0; first < layer->channels; first += 4) {
        const int32_t left = layer->channels - first;
        struct strip strip = {channels,        columns,         out + first, left < 4 ? left : 4,
                              8 * layer->stride * layer->out_w, 4 * strip_words, row_bytes,   layer->channels};
        for (int32_t c = 0; c < strip.count; ++c) {
            expand(channels + c, layer, first + c);
        }
        int32_t y = -layer->pad_top; // the next input row
        for (int32_t oy = -strip_rows, odd = 1; oy < layer->out_h; oy += strip_rows, y += 2, odd = !odd) {
            // The first two rows go to word 0, the next two to word 1, and so on in turn.
            const int low_inside = y >= 0 && y < layer->in_h;
            const int high_inside = y + 1 >= 0 && y + 1 < layer->in_h;
            fill(columns + 2 * layer->pad_left + !odd, strip_words,
                 low_inside ? in + first + y * in_row : zero_point, low_inside ? layer->channels : 0,
                 high_inside ? in + first + (y + 1) * in_row : zero_point, high_inside ? layer->channels : 0,
                 layer->in_w, strip.count);
            if (oy < 0) {
                continue;
            }
            if (oy + 1 == layer->out_h) {
                strip.row_bytes = 0;
            }
            strips[layer->stride - 1][odd](&strip);
            strip.out += strip_rows * row_bytes;
        }
    }
    if (row_bytes != out_row) {
        for (int32_t oy = 1; oy < layer->out_h; ++oy) {
            move_down(out + oy * out_row, out + oy * row_bytes, out_row);
        }
    }
    mw_clamp_dsp(out, layer->out_h * out_row, layer->act_min, layer->act_max);
}
