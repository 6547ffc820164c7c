#include "mw/gemm_portable.h"

#include <string.h>

#define PIXELS 4
#define WORDS 3

struct sums {
    uint32_t a, b, c;
};

// The sums of both channels over a column. `second` is where the second channel's weights lie from the first one's.
#if defined(__thumb2__) && defined(__GNUC__)

#define STEP \
    "ldmia %[at]!, {r2, r3, r4}\n\t" \
    "ldrsb r5, [%[w], %[second]]\n\t" \
    "mla %[a1], r2, r5, %[a1]\n\t" \
    "mla %[b1], r3, r5, %[b1]\n\t" \
    "mla %[c1], r4, r5, %[c1]\n\t" \
    "ldrsb r5, [%[w]], #1\n\t" \
    "mla %[a0], r2, r5, %[a0]\n\t" \
    "mla %[b0], r3, r5, %[b0]\n\t" \
    "mla %[c0], r4, r5, %[c0]\n\t"

static inline __attribute__((always_inline)) void accumulate(struct sums *s0, struct sums *s1, const uint32_t *at,
                                                             int32_t k, const int8_t *w, int32_t second)
{
    const uint32_t *const end_of_fours = at + WORDS * (k & ~3);
    const uint32_t *const end = at + WORDS * k;
    __asm volatile("b 2f\n"
                   "1:\n\t" STEP STEP STEP STEP
                   "2:\n\t"
                   "ldr r5, %[fours]\n\t"
                   "cmp %[at], r5\n\t"
                   "bne 1b\n\t"
                   "b 4f\n"
                   "3:\n\t" STEP
                   "4:\n\t"
                   "ldr r5, %[end]\n\t"
                   "cmp %[at], r5\n\t"
                   "bne 3b"
                   : [a0] "+r"(s0->a), [b0] "+r"(s0->b), [c0] "+r"(s0->c), [a1] "+r"(s1->a), [b1] "+r"(s1->b),
                     [c1] "+r"(s1->c), [at] "+r"(at), [w] "+r"(w)
                   : [second] "r"(second), [fours] "m"(end_of_fours), [end] "m"(end)
                   : "r2", "r3", "r4", "r5", "cc", "memory");
}

#else

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

__attribute__((naked, noinline)) static void accumulate_one(struct sums *sums __attribute__((unused)),
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

static inline void accumulate_one(struct sums *sums, const uint32_t *at, int32_t k, const int8_t *w)
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

static inline void accumulate(struct sums *s0, struct sums *s1, const uint32_t *at, int32_t k, const int8_t *w,
                              int32_t second)
{
    accumulate_one(s0, at, k, w);
    if (second != 0) {
        accumulate_one(s1, at, k, w + second);
    }
}

#endif

static inline struct sums start(int32_t bias)
{
    const uint32_t value = (uint32_t)bias;
    return (struct sums){value + (value << 16), value + (value << 16), value + (value << 8)};
}

// The accumulators S0 to S3 from
//   a = S0 + 2^16 * S1,   b = S2 + 2^16 * S3,   c = S1 + 2^8 * S3   modulo 2^32.
// With S0 = low0 + 2^16 * h0 and S2 = low2 + 2^16 * h2, the upper halves of a and b are S1 + h0 and S3 + h2 modulo 2^16,
// high1 = S1 + h0 - 2^16 * g1 and high3 = S3 + h2 - 2^16 * g3, all low and high in 16 bits. Then
//   high1 + 2^8 * high3 - c = h0 + 2^8 * h2 - 2^16 * g1 - 2^24 * g3,
// a number to the base 2^8 with signed digits.
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

static inline void store(struct mw_channel channel, struct sums sums, int32_t pixels, int32_t step, int8_t *out)
{
    int32_t acc[PIXELS];
    separate(sums, acc);
    out[0] = mw_channel_scale(channel, acc[0]);
    out[step] = mw_channel_scale(channel, acc[1]);
    if (pixels > 2) {
        out[2 * step] = mw_channel_scale(channel, acc[2]);
    }
    if (pixels > 3) {
        out[3 * step] = mw_channel_scale(channel, acc[3]);
    }
}

// Two to four pixels, all channels.
static void tile(const struct mw_gemm_portable *gemm, const uint32_t *columns, int32_t pixels, int8_t *out)
{
    const int32_t k = gemm->k;
    const int8_t *weights = gemm->weights;
    for (const struct mw_channel *channel = gemm->first; channel <= gemm->last; channel += 2) {
        // An odd last channel is its own partner.
        const int32_t two = channel != gemm->last;
        struct sums s0 = start(channel[0].bias);
        struct sums s1 = start(channel[two].bias);
        accumulate(&s0, &s1, columns, k, weights, two ? k : 0);
        weights += 2 * k;
        store(channel[0], s0, pixels, gemm->out_step, out);
        if (two) {
            store(channel[1], s1, pixels, gemm->out_step, out + 1);
        }
        out += 2;
    }
}

static void gather(uint32_t *to, const int8_t *const *rows, int32_t row_count, int32_t row_bytes, int32_t at,
                   int32_t step, int32_t pixels)
{
    for (int32_t row = 0; row < row_count; ++row) {
        // Where a pixel is missing, the one before it stands in.
        const int8_t *p0 = rows[row] + at;
        const int8_t *p1 = p0 + step;
        const int8_t *p2 = pixels > 2 ? p1 + step : p1;
        const int8_t *p3 = pixels > 3 ? p2 + step : p2;
        for (const int8_t *const end = p0 + row_bytes; p0 != end; to += WORDS) {
            const uint32_t second = (uint32_t)*p1++;
            const uint32_t fourth = (uint32_t)*p3++;
            to[0] = (uint32_t)*p0++ + (second << 16);
            to[1] = (uint32_t)*p2++ + (fourth << 16);
            to[2] = second + (fourth << 8);
        }
    }
}

// A single pixel; `column` is its values.
static void single(const struct mw_gemm_portable *gemm, const int8_t *column, int8_t *out)
{
    const int8_t *w = gemm->weights;
    for (const struct mw_channel *channel = gemm->first; channel <= gemm->last; ++channel) {
        int32_t acc = channel->bias;
        for (const int8_t *x = column, *const end = column + gemm->k; x != end;) {
            acc += *x++ * *w++;
        }
        *out++ = mw_channel_scale(*channel, acc);
    }
}

void mw_gemm_portable_row(const struct mw_gemm_portable *gemm, const int8_t *const *rows, int32_t row_count,
                          int32_t row_bytes, int32_t step, int32_t pixels, int8_t *out, uint32_t *columns)
{
    int32_t at = 0;
    for (; pixels > 1; pixels -= PIXELS) {
        gather(columns, rows, row_count, row_bytes, at, step, pixels);
        tile(gemm, columns, pixels, out);
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
