#include "mw/gemm_portable.h"

#include <string.h>

#include "mw/channel_four.h"
#include "mw/code.h"

#define PIXELS 4
#define WORDS 3

// Four pixels, all channels.
struct tile {
    const uint32_t *columns;
    int32_t offsets[PIXELS - 1]; // from the first pixel to the others
    int8_t *out;
    const struct mw_channel *channel, *channels_end;
    const int8_t *weights;
    int32_t k;
    const uint32_t *columns_end;
};

// The accumulators S0 to S3 of a channel come as
//   a = S0 + 2^16 * S1,   b = S2 + 2^16 * S3,   c = S1 + 2^8 * S3   modulo 2^32.
// With S0 = low0 + 2^16 * h0 and S2 = low2 + 2^16 * h2, the upper halves of a and b are S1 + h0 and S3 + h2 modulo 2^16,
// high1 = S1 + h0 - 2^16 * g1 and high3 = S3 + h2 - 2^16 * g3, all low and high in 16 bits. Then
//   high1 + 2^8 * high3 - c = h0 + 2^8 * h2 - 2^16 * g1 - 2^24 * g3,
// a number to the base 2^8 with signed digits.

#if defined(__thumb2__) && defined(__GNUC__)

// The frame: [sp] struct tile, [sp, #40] where the loop is entered, [sp, #44] sums of the second channel.
// In the loop, for two channels: r0 columns, r1 weights, r2-r4 inputs, r5 a weight, r6 from the first channel's weights to
// the second's, r7-r9 and r10-r12 sums, lr the columns' end. A round takes 8 k, the first one k modulo 8.
// An odd last channel is its own partner.
#define STEP \
    "ldmia r0!, {r2, r3, r4}\n\t" \
    "ldrsb.w r5, [r1, r6]\n\t" \
    "mla r10, r2, r5, r10\n\t" \
    "mla r11, r3, r5, r11\n\t" \
    "mla r12, r4, r5, r12\n\t" \
    "ldrsb r5, [r1], #1\n\t" \
    "mla r7, r2, r5, r7\n\t" \
    "mla r8, r3, r5, r8\n\t" \
    "mla r9, r4, r5, r9\n\t"

// As mw_channel_scale().
#define SCALE_AND_STORE(acc, address) \
    "lsl r9, " acc ", #1\n\t" \
    "smull r5, r9, r9, r6\n\t" \
    "lsls r5, r5, #1\n\t" \
    "adc r9, r9, r7\n\t" \
    "add r9, r9, " acc ", asr #31\n\t" \
    "asr r9, r9, r8\n\t" \
    "ssat r9, #8, r9\n\t" \
    "strb r9, " address "\n\t"

// S0 to S3 in r0-r3 from the sums r7-r9; r4 channel, r10-r12 offsets, lr out.
#define FINISH \
    "sxth r0, r7\n\t" \
    "sub r7, r7, r0\n\t" \
    "sxth r2, r8\n\t" \
    "sub r8, r8, r2\n\t" \
    "rsb r9, r9, r7, asr #16\n\t" \
    "add r9, r9, r8, asr #8\n\t" \
    "sxtb r3, r9\n\t" \
    "sub r9, r9, r3\n\t" \
    "add r0, r0, r3, lsl #16\n\t" \
    "rsb r1, r3, r7, asr #16\n\t" \
    "sxth r3, r9\n\t" \
    "add r2, r2, r3, lsl #8\n\t" \
    "sub r3, r9, r3\n\t" \
    "sbfx r3, r3, #0, #24\n\t" \
    "sub r1, r1, r3\n\t" \
    "sub r9, r9, r3\n\t" \
    "asr r9, r9, #8\n\t" \
    "rsb r3, r9, r8, asr #16\n\t" \
    "ldmia.w r4!, {r5, r6, r7, r8}\n\t" SCALE_AND_STORE("r0", "[lr]") SCALE_AND_STORE("r1", "[lr, r10]") \
        SCALE_AND_STORE("r2", "[lr, r11]") SCALE_AND_STORE("r3", "[lr, r12]")

__attribute__((naked, noinline)) static void compute(const struct tile *tile __attribute__((unused)))
{
    __asm volatile("push {r4-r11, lr}\n\t"
                   "sub sp, sp, #56\n\t"
                   "ldmia.w r0, {r1-r10}\n\t"
                   "stmia.w sp, {r1-r10}\n\t"
                   "rsb r2, r9, #0\n\t"
                   "and r2, r2, #7\n\t"
                   "movs r3, #34\n\t"
                   "adr.w r4, 1f\n\t"
                   "mla r2, r2, r3, r4\n\t"
                   "orr r2, r2, #1\n\t"
                   "str r2, [sp, #40]\n"
                   "2:\n\t"
                   "ldrd r2, r3, [sp, #20]\n\t"
                   "ldr r6, [sp, #32]\n\t"
                   "add r4, r2, #16\n\t"
                   "cmp r4, r3\n\t"
                   "itt eq\n\t"
                   "moveq r6, #0\n\t"
                   "moveq r4, r2\n\t"
                   "ldr r7, [r2]\n\t"
                   "ldr r10, [r4]\n\t"
                   "ldr r0, [sp]\n\t"
                   "ldr r1, [sp, #28]\n\t"
                   "add r9, r7, r7, lsl #8\n\t"
                   "add r7, r7, r7, lsl #16\n\t"
                   "mov r8, r7\n\t"
                   "add r12, r10, r10, lsl #8\n\t"
                   "add r10, r10, r10, lsl #16\n\t"
                   "mov r11, r10\n\t"
                   "ldr lr, [sp, #36]\n\t"
                   "ldr pc, [sp, #40]\n\t"
                   ".balign 4\n"
                   "1:\n\t"
                   ".rept 8\n\t" STEP ".endr\n"
                   "3:\n\t"
                   MW_CODE_BYTES("1b", "3b", "8 * 34")
                   "cmp r0, lr\n\t"
                   "bne.w 1b\n\t"
                   "add r1, r1, r6\n\t"
                   "str r1, [sp, #28]\n\t"
                   "strd r10, r11, [sp, #44]\n\t"
                   "str r12, [sp, #52]\n\t"
                   "ldr r4, [sp, #20]\n\t"
                   "add r0, sp, #4\n\t"
                   "ldmia.w r0, {r10, r11, r12, lr}\n\t" FINISH
                   "ldr r5, [sp, #24]\n\t"
                   "cmp r4, r5\n\t"
                   "beq.n 4f\n\t"
                   "add lr, lr, #1\n\t"
                   "ldrd r7, r8, [sp, #44]\n\t"
                   "ldr r9, [sp, #52]\n\t" FINISH
                   "add lr, lr, #1\n\t"
                   "strd lr, r4, [sp, #16]\n\t"
                   "ldr r5, [sp, #24]\n\t"
                   "cmp r4, r5\n\t"
                   "bne.w 2b\n"
                   "4:\n\t"
                   "add sp, sp, #56\n\t"
                   "pop {r4-r11, pc}\n\t");
}

#else

struct sums {
    uint32_t a, b, c;
};

#if defined(__thumb__) && defined(__GNUC__)

// r1 column, r2 zero, r3 weights, r8-r10 sums, r11 and lr ends of the column; a sum in a high register can be added to.
#define STEP \
    "ldmia r1!, {r4, r5, r6}\n\t" \
    "ldrsb r7, [r3, r2]\n\t" \
    "muls r4, r7, r4\n\t" \
    "add r8, r4\n\t" \
    "muls r5, r7, r5\n\t" \
    "add r9, r5\n\t" \
    "muls r6, r7, r6\n\t" \
    "add r10, r6\n\t" \
    "adds r3, #1\n\t"

__attribute__((naked, noinline)) static void accumulate(struct sums *sums __attribute__((unused)),
                                                            const uint32_t *at __attribute__((unused)),
                                                            int32_t k __attribute__((unused)),
                                                            const int8_t *w __attribute__((unused)))
{
    __asm volatile(".syntax unified\n\t"
                   "push {r4-r7, lr}\n\t"
                   "mov r4, r8\n\t"
                   "mov r5, r9\n\t"
                   "mov r6, r10\n\t"
                   "mov r7, r11\n\t"
                   "push {r4-r7}\n\t"
                   "mov r12, r0\n\t"
                   "ldmia r0!, {r4, r5, r6}\n\t"
                   "mov r8, r4\n\t"
                   "mov r9, r5\n\t"
                   "mov r10, r6\n\t"
                   "movs r7, #12\n\t"
                   "muls r7, r2, r7\n\t"
                   "adds r7, r7, r1\n\t"
                   "mov lr, r7\n\t"
                   "lsrs r2, r2, #2\n\t"
                   "movs r7, #48\n\t"
                   "muls r7, r2, r7\n\t"
                   "adds r7, r7, r1\n\t"
                   "mov r11, r7\n\t"
                   "movs r2, #0\n\t"
                   "b 2f\n"
                   "1:\n\t" STEP STEP STEP STEP
                   "2:\n\t"
                   "cmp r1, r11\n\t"
                   "bne 1b\n\t"
                   "b 4f\n"
                   "3:\n\t" STEP
                   "4:\n\t"
                   "cmp r1, lr\n\t"
                   "bne 3b\n\t"
                   "mov r0, r12\n\t"
                   "mov r4, r8\n\t"
                   "mov r5, r9\n\t"
                   "mov r6, r10\n\t"
                   "stmia r0!, {r4, r5, r6}\n\t"
                   "pop {r4-r7}\n\t"
                   "mov r8, r4\n\t"
                   "mov r9, r5\n\t"
                   "mov r10, r6\n\t"
                   "mov r11, r7\n\t"
                   "pop {r4-r7, pc}\n\t");
}

#else

static inline void accumulate(struct sums *sums, const uint32_t *at, int32_t k, const int8_t *w)
{
    uint32_t a = sums->a;
    uint32_t b = sums->b;
    uint32_t c = sums->c;
#define STEP(i) \
    do { \
        const uint32_t weight = (uint32_t)w[i]; \
        a += weight * at[WORDS * (i)]; \
        b += weight * at[WORDS * (i) + 1]; \
        c += weight * at[WORDS * (i) + 2]; \
    } while (0)
    for (const uint32_t *const end = at + WORDS * (k & ~3); at != end; at += 4 * WORDS, w += 4) {
        STEP(0);
        STEP(1);
        STEP(2);
        STEP(3);
    }
    for (int32_t rest = k & 3; rest > 0; --rest, at += WORDS, ++w) {
        STEP(0);
    }
    *sums = (struct sums){a, b, c};
}

#endif

static inline struct sums start(int32_t bias)
{
    const uint32_t value = (uint32_t)bias;
    return (struct sums){value + (value << 16), value + (value << 16), value + (value << 8)};
}

static inline void separate(struct sums sums, int32_t acc[PIXELS])
{
    const int32_t low0 = (int16_t)sums.a;
    const int32_t low2 = (int16_t)sums.b;
    const int32_t high1 = (int32_t)(sums.a - (uint32_t)low0) >> 16;
    const int32_t high3 = (int32_t)(sums.b - (uint32_t)low2) >> 16;
    uint32_t digits = (uint32_t)high1 + ((uint32_t)high3 << 8) - sums.c;
    const int32_t h0 = (int8_t)digits;
    digits -= (uint32_t)h0;
    const int32_t h2 = (int16_t)digits; // * 2^8
    digits -= (uint32_t)h2;
    const int32_t g1 = (int32_t)(digits << 8) >> 8;               // * -2^16
    const int32_t g3 = (int32_t)(digits - (uint32_t)g1) >> 8; // * -2^16
    acc[0] = low0 + h0 * (1 << 16);
    acc[1] = high1 - h0 - g1;
    acc[2] = low2 + h2 * (1 << 8);
    acc[3] = high3 - (h2 >> 8) - g3;
}

static void compute(const struct tile *tile)
{
    const int8_t *weights = tile->weights;
    int8_t *out = tile->out;
    struct mw_four four = {{0}, {0, tile->offsets[0], tile->offsets[1], tile->offsets[2]}};
    for (const struct mw_channel *channel = tile->channel; channel != tile->channels_end; ++channel) {
        struct sums sums = start(channel->bias);
        accumulate(&sums, tile->columns, tile->k, weights);
        separate(sums, four.acc);
        mw_channel_scale_four(channel, &four, out);
        weights += tile->k;
        ++out;
    }
}

#endif

// A run of `bytes` bytes of four pixels into columns; where it ends in them.
static uint32_t *interleave(uint32_t *to, const int8_t *p0, const int8_t *p1, const int8_t *p2, const int8_t *p3,
                            int32_t bytes)
{
    const int8_t *const end = p0 + bytes;
#if defined(__thumb2__) && defined(__GNUC__)
    __asm volatile("1:\n\t"
                   "ldrsb r4, [%[p0]], #1\n\t"
                   "ldrsb r6, [%[p1]], #1\n\t"
                   "ldrsb r5, [%[p2]], #1\n\t"
                   "ldrsb r8, [%[p3]], #1\n\t"
                   "add r4, r4, r6, lsl #16\n\t"
                   "add r5, r5, r8, lsl #16\n\t"
                   "add r6, r6, r8, lsl #8\n\t"
                   "stmia %[to]!, {r4, r5, r6}\n\t"
                   "cmp %[p0], %[end]\n\t"
                   "bne 1b"
                   : [to] "+r"(to), [p0] "+r"(p0), [p1] "+r"(p1), [p2] "+r"(p2), [p3] "+r"(p3)
                   : [end] "r"(end)
                   : "r4", "r5", "r6", "r8", "cc", "memory");
#else
    for (; p0 != end; to += WORDS) {
        const uint32_t second = (uint32_t)*p1++;
        const uint32_t fourth = (uint32_t)*p3++;
        to[0] = (uint32_t)*p0++ + (second << 16);
        to[1] = (uint32_t)*p2++ + (fourth << 16);
        to[2] = second + (fourth << 8);
    }
#endif
    return to;
}

// A single pixel, whose values are `column`: four channels at a time. At the end, the last one stands for those that are
// missing.
static void single(const struct mw_gemm_portable *gemm, const int8_t *column, int8_t *out)
{
    const int32_t k = gemm->k;
    const int32_t count = (int32_t)(gemm->end - gemm->first);
    for (int32_t c = 0; c < count; c += 4) {
        const int32_t c1 = c + 1 < count ? c + 1 : c;
        const int32_t c2 = c + 2 < count ? c + 2 : c1;
        const int32_t c3 = c + 3 < count ? c + 3 : c2;
        const int8_t *w0 = gemm->weights + c * k;
        const int8_t *w1 = gemm->weights + c1 * k;
        const int8_t *w2 = gemm->weights + c2 * k;
        const int8_t *w3 = gemm->weights + c3 * k;
        int32_t acc0 = gemm->first[c].bias;
        int32_t acc1 = gemm->first[c1].bias;
        int32_t acc2 = gemm->first[c2].bias;
        int32_t acc3 = gemm->first[c3].bias;
        for (const int8_t *x = column, *const end = column + k; x != end; ++x) {
            acc0 += *x * *w0++;
            acc1 += *x * *w1++;
            acc2 += *x * *w2++;
            acc3 += *x * *w3++;
        }
        out[c] = mw_channel_scale(gemm->first[c], acc0);
        out[c1] = mw_channel_scale(gemm->first[c1], acc1);
        out[c2] = mw_channel_scale(gemm->first[c2], acc2);
        out[c3] = mw_channel_scale(gemm->first[c3], acc3);
    }
}

void mw_gemm_portable_row(const struct mw_gemm_portable *gemm, const int8_t *const *rows, int32_t row_count,
                          int32_t row_bytes, int32_t step, int32_t pixels, int8_t *out, uint32_t *columns)
{
    int32_t at = 0;
    for (; pixels > 1; pixels -= PIXELS) {
        // Where a pixel is missing, the last one takes its place.
        const int32_t third = pixels > 2 ? 2 : 1;
        const int32_t fourth = pixels > 3 ? 3 : third;
        uint32_t *to = columns;
        for (int32_t row = 0; row < row_count; ++row) {
            const int8_t *const from = rows[row] + at;
            to = interleave(to, from, from + step, from + third * step, from + fourth * step, row_bytes);
        }
        const struct tile tile = {
            columns,       {gemm->out_step, third * gemm->out_step, fourth * gemm->out_step}, out, gemm->first, gemm->end,
            gemm->weights, gemm->k, to,
        };
        compute(&tile);
        at += PIXELS * step;
        out += PIXELS * gemm->out_step;
    }
    if (pixels == 1) {
        // Copied, because the output may overwrite the input.
        int8_t *const column = (int8_t *)columns;
        for (int32_t row = 0; row < row_count; ++row) {
            memcpy(column + row * row_bytes, rows[row] + at, (size_t)row_bytes);
        }
        single(gemm, column, out);
    }
}
