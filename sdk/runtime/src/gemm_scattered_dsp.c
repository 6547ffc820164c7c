#include "mw/gemm_scattered_dsp.h"

#include <stddef.h>

#include "mw/dsp.h"

enum { PIXELS = 6, K_WORDS = PIXELS / 2 }; // of a tile; words of a k

// The outputs of a channel at six pixels; returns where its weights end. r0 inputs, r1 weights, r2-r4 inputs of a k, r5-r10
// sums, r11 two weights and their steps, r12 the weights, lr where the channel's weights end; then r2-r4 mult, round,
// exponent, r11 out_step, r12 where the output goes. [sp] scale, [sp, #40] out, [sp, #44] out_step.
#define MAC(HALF) \
    "ldmia.w r0, {r2, r3, r4}\n\t" \
    "smlab" HALF " r5, r2, r12, r5\n\t" \
    "smlat" HALF " r6, r2, r12, r6\n\t" \
    "smlab" HALF " r7, r3, r12, r7\n\t" \
    "smlat" HALF " r8, r3, r12, r8\n\t" \
    "smlab" HALF " r9, r4, r12, r9\n\t" \
    "smlat" HALF " r10, r4, r12, r10\n\t"
// The second rounding of negative sums goes away from zero.
#define STORE(sum) \
    "lsl r0, " sum ", #1\n\t" \
    "smmlar r0, r0, r2, r3\n\t" \
    "add r0, r0, " sum ", asr #31\n\t" \
    "asr r0, r0, r4\n\t" \
    "ssat r0, #8, r0\n\t" \
    "strb r0, [r12]\n\t" \
    "add r12, r12, r11\n\t"

__attribute__((naked)) static const uint32_t *channel(const uint32_t *columns __attribute__((unused)),
                                                      const uint32_t *weights __attribute__((unused)),
                                                      const struct mw_gemm_scale_dsp *scale __attribute__((unused)),
                                                      int32_t bias __attribute__((unused)),
                                                      int8_t *out __attribute__((unused)),
                                                      int32_t out_step __attribute__((unused)))
{
    __asm volatile("push {r2, r4-r11, lr}\n\t"
                   "ldr lr, [r1], #4\n\t"
                   "mov r5, r3\n\t"
                   "mov r6, r3\n\t"
                   "mov r7, r3\n\t"
                   "mov r8, r3\n\t"
                   "mov r9, r3\n\t"
                   "mov r10, r3\n\t"
                   "add lr, lr, r1\n\t"
                   "cmp r1, lr\n\t"
                   "beq.n 2f\n"
                   "1:\n\t"
                   ".rept 2\n\t"
                   "ldr r11, [r1], #4\n\t"
                   "sxtb16 r12, r11\n\t"
                   "uxtab r0, r0, r11, ror #8\n\t" MAC("b")
                   "uxtab r0, r0, r11, ror #24\n\t" MAC("t")
                   ".endr\n\t"
                   "cmp r1, lr\n\t"
                   "bne.n 1b\n"
                   "2:\n\t"
                   "ldr r0, [sp]\n\t"
                   "ldmia r0, {r2, r3, r4, r12}\n\t"
                   "ldrd r0, r11, [sp, #40]\n\t"
                   "add r12, r12, r0\n\t" STORE("r5") STORE("r6") STORE("r7") STORE("r8") STORE("r9") STORE("r10")
                   "mov r0, r1\n\t"
                   "pop {r2, r4-r11, pc}\n\t");
}

// Two pixels' bytes 0 and 1, or 2 and 3, as the 16-bit halves of two k.
static inline void gather_two(uint32_t *to, uint32_t bytes)
{
    to[0] = mw_sxtb16(bytes);
    to[K_WORDS] = mw_sxtb16_odd(bytes);
}

// The columns of six pixels: for each k a word for two. Behind the last of `pixels` it is repeated.
static void gather(uint32_t *to, const int8_t *const *rows, int32_t row_count, int32_t row_bytes, int32_t at, int32_t step,
                   int32_t pixels)
{
    for (int32_t row = 0; row < row_count; ++row) {
        const int8_t *from[PIXELS];
        for (int32_t p = 0; p < PIXELS; ++p) {
            from[p] = rows[row] + at + (p < pixels ? p : pixels - 1) * step;
        }
        int32_t k = 0;
        for (; k + 4 <= row_bytes; k += 4, to += 4 * K_WORDS) {
            for (int p = 0; p < K_WORDS; ++p) {
                const uint32_t first = mw_load32(from[2 * p] + k);
                const uint32_t second = mw_load32(from[2 * p + 1] + k);
                gather_two(to + p, (first & 0xffffu) | second << 16);
                gather_two(to + 2 * K_WORDS + p, first >> 16 | (second & 0xffff0000u));
            }
        }
        for (; k < row_bytes; ++k, to += K_WORDS) {
            for (int p = 0; p < K_WORDS; ++p) {
                to[p] = (uint16_t)from[2 * p][k] | (uint32_t)from[2 * p + 1][k] << 16;
            }
        }
    }
}

static inline int32_t bias1(const struct mw_gemm_pair_dsp *pair)
{
    return (int32_t)((uint32_t)pair->bias01[0] - (uint32_t)pair->bias0[0]) >> 8;
}

// An odd last channel is its own partner.
static inline int is_alone(const struct mw_gemm_pair_dsp *pair)
{
    return pair->scale1.offset == pair->scale0.offset;
}

// All channels at six pixels.
static void tile(const struct mw_gemm_dsp *gemm, const uint32_t *columns, int8_t *out)
{
    const uint32_t *weights = gemm->weights;
    const int32_t out_step = gemm->out_step;
    for (const struct mw_gemm_pair_dsp *pair = gemm->first; pair != gemm->end; ++pair) {
        weights = channel(columns, weights, &pair->scale0, pair->bias0[0], out, out_step);
        if (!is_alone(pair)) {
            weights = channel(columns, weights, &pair->scale1, bias1(pair), out, out_step);
        }
    }
}

// A channel at fewer pixels.
static const uint32_t *channel_at(const struct mw_gemm_dsp *gemm, const uint32_t *columns, const uint32_t *weights,
                                  struct mw_gemm_scale_dsp scale, int32_t bias, int32_t pixels, int8_t *out)
{
    int8_t all[PIXELS];
    out += scale.offset;
    scale.offset = 0;
    weights = channel(columns, weights, &scale, bias, all, 1);
    for (int32_t p = 0; p < pixels; ++p) {
        out[p * gemm->out_step] = all[p];
    }
    return weights;
}

// All channels at fewer pixels.
static void rest(const struct mw_gemm_dsp *gemm, const uint32_t *columns, int32_t pixels, int8_t *out)
{
    const uint32_t *weights = gemm->weights;
    for (const struct mw_gemm_pair_dsp *pair = gemm->first; pair != gemm->end; ++pair) {
        weights = channel_at(gemm, columns, weights, pair->scale0, pair->bias0[0], pixels, out);
        if (!is_alone(pair)) {
            weights = channel_at(gemm, columns, weights, pair->scale1, bias1(pair), pixels, out);
        }
    }
}

static void row(const struct mw_gemm_dsp *gemm, const int8_t *const *rows, int32_t row_count, int32_t row_bytes,
                int32_t step, int32_t pixels, int8_t *out, uint32_t *columns)
{
    int32_t at = 0;
    for (; pixels >= PIXELS; pixels -= PIXELS, at += PIXELS * step, out += PIXELS * gemm->out_step) {
        gather(columns, rows, row_count, row_bytes, at, step, PIXELS);
        tile(gemm, columns, out);
    }
    if (pixels > 0) {
        gather(columns, rows, row_count, row_bytes, at, step, pixels);
        rest(gemm, columns, pixels, out);
    }
}

const struct mw_gemm_tiles_dsp mw_gemm_scattered_dsp = {row, {NULL, NULL, NULL}};
