#include "mw/gemm_scattered_dsp.h"

#include <string.h>

#include "mw/code.h"
#include "mw/dsp.h"
#include "mw/gemm_tile_dsp.h"

enum { PIXELS = 6, K_WORDS = PIXELS / 2 }; // of a tile; words of a k

// A tile is all channels at six pixels, or at two. It is written in assembly because the loop needs all fourteen registers.
//
// The frame: [sp] columns, [sp, #4] out, [sp, #8] out_step, [sp, #12] the pair of channels at work, [sp, #16] end of the pairs.
// In the loop: r0 columns of a k, r1 weights, r2-r4 inputs of a k, r5-r10 sums, r11 two weights and their steps, r12 the
// weights, lr where the channel's weights end. A round takes four weights, the first one what is left over of them.
//
// BIAS fills the sums, given the pair in lr; SCALE is where its scale is in the pair; ENTER makes r2 from the channel's word.
#define CHANNEL(BIAS, SCALE, ENTER, MAC, CODE_BYTES, STORES)                                                           \
    "ldr lr, [sp, #12]\n\t" BIAS                                                                                       \
    "ldr r0, [sp]\n\t"                                                                                                 \
    "ldr r11, [r1], #4\n\t" ENTER                                                                                      \
    "add lr, r1, r11, lsr #8\n\t"                                                                                      \
    "add pc, r2\n\t"                                                                                                   \
    "nop\n"                                                                                                            \
    "1:\n\t"                                                                                                           \
    ".rept 2\n\t"                                                                                                      \
    "ldr r11, [r1], #4\n\t"                                                                                            \
    "sxtb16 r12, r11\n\t"                                                                                              \
    "uxtab r0, r0, r11, ror #8\n\t" MAC("b")                                                                           \
    "uxtab r0, r0, r11, ror #24\n\t" MAC("t")                                                                          \
    ".endr\n"                                                                                                          \
    "2:\n\t"                                                                                                           \
    MW_CODE_BYTES("1b", "2b", "2 * " #CODE_BYTES)                                                                      \
    "cmp r1, lr\n\t"                                                                                                   \
    "bne.n 1b\n\t"                                                                                                     \
    "ldrd r11, lr, [sp, #8]\n\t"                                                                                       \
    "add r0, lr, #" SCALE "\n\t"                                                                                       \
    "ldmia r0, {r2, r3, r4, r12}\n\t"                                                                                  \
    "ldr r0, [sp, #4]\n\t"                                                                                             \
    "add r12, r12, r0\n\t" STORES

#define TILE(NAME, BIAS0, BIAS1, ENTER, MAC, CODE_BYTES, STORES)                                                       \
    __attribute__((naked)) static void NAME(const struct mw_gemm_dsp *gemm __attribute__((unused)),                    \
                                            const uint32_t *columns __attribute__((unused)),                           \
                                            int8_t *out __attribute__((unused)))                                       \
    {                                                                                                                  \
        __asm volatile("push {r4-r11, lr}\n\t"                                                                         \
                       "sub sp, sp, #20\n\t"                                                                           \
                       "ldrd r4, r5, [r0, #4]\n\t"                                                                     \
                       "ldr r3, [r0, #16]\n\t"                                                                         \
                       "strd r1, r2, [sp]\n\t"                                                                         \
                       "strd r3, r4, [sp, #8]\n\t"                                                                     \
                       "str r5, [sp, #16]\n\t"                                                                         \
                       "ldr r1, [r0]\n"                                                                                \
                       "3:\n\t"                                                                                        \
                       CHANNEL(BIAS0, "40", ENTER, MAC, CODE_BYTES, STORES)                                            \
                       CHANNEL(BIAS1, "24", ENTER, MAC, CODE_BYTES, STORES)                                            \
                       "ldr r0, [sp, #16]\n\t"                                                                         \
                       "add lr, lr, #56\n\t"                                                                           \
                       "str lr, [sp, #12]\n\t"                                                                         \
                       "cmp lr, r0\n\t"                                                                                \
                       "bne.w 3b\n\t"                                                                                  \
                       "add sp, sp, #20\n\t"                                                                           \
                       "pop {r4-r11, pc}\n\t");                                                                        \
    }

// The bias of channel 1, from that of channel 0 and that + 256 * it.
#define BIAS1 \
    "ldr r0, [lr]\n\t" \
    "ldr r5, [lr, #12]\n\t" \
    "sub r5, r5, r0\n\t" \
    "asr r5, r5, #8\n\t" \
    "mov r6, r5\n\t"

// r2-r4 mult, round, exponent, r11 out_step, r12 where the output of a pixel goes.
#define STORE(ROUND, sum, address) \
    "lsl r0, " sum ", #1\n\t" \
    "smmlar r0, r0, r2, r3\n\t" ROUND(sum) \
    "asr r0, r0, r4\n\t" \
    "ssat r0, #8, r0\n\t" \
    "strb r0, " address "\n\t"

#define MAC6(HALF) \
    "ldmia.w r0, {r2, r3, r4}\n\t" \
    "smlab" HALF " r5, r2, r12, r5\n\t" \
    "smlat" HALF " r6, r2, r12, r6\n\t" \
    "smlab" HALF " r7, r3, r12, r7\n\t" \
    "smlat" HALF " r8, r3, r12, r8\n\t" \
    "smlab" HALF " r9, r4, r12, r9\n\t" \
    "smlat" HALF " r10, r4, r12, r10\n\t"
#define TILE_6(NAME, ROUND) \
    TILE(NAME, \
         "ldmia.w lr, {r5, r6, r7}\n\t" \
         "ldmia.w lr, {r8, r9, r10}\n\t", \
         BIAS1 \
         "mov r7, r5\n\t" \
         "mov r8, r5\n\t" \
         "mov r9, r5\n\t" \
         "mov r10, r5\n\t", \
         "uxtb r2, r11\n\t", MAC6, 72, \
         STORE(ROUND, "r5", "[r12]") STORE(ROUND, "r6", "[r12, r11]") STORE(ROUND, "r7", "[r12, r11, lsl #1]") \
         "add r12, r12, r11\n\t" \
         "add r12, r12, r11, lsl #1\n\t" \
         STORE(ROUND, "r8", "[r12]") STORE(ROUND, "r9", "[r12, r11]") STORE(ROUND, "r10", "[r12, r11, lsl #1]"))

#define MAC2(HALF) \
    "ldr.n r2, [r0]\n\t" \
    "smlab" HALF " r5, r2, r12, r5\n\t" \
    "smlat" HALF " r6, r2, r12, r6\n\t"
// Of the code that TILE_6 skips, half.
#define TILE_2(NAME, ROUND) \
    TILE(NAME, "ldrd r5, r6, [lr]\n\t", BIAS1, "ubfx r2, r11, #1, #7\n\t", MAC2, 36, \
         STORE(ROUND, "r5", "[r12]") STORE(ROUND, "r6", "[r12, r11]"))

TILE_6(signed_6, MW_TILE_SIGNED)
TILE_2(signed_2, MW_TILE_SIGNED)
TILE_6(clamped_6, MW_TILE_CLAMPED)
TILE_2(clamped_2, MW_TILE_CLAMPED)

// Whole words of a row at six pixels to their place in the columns: for each k a word for two pixels.
static inline uint32_t *gather_words(uint32_t *to, const int8_t *from, int32_t step, int32_t words)
{
    const int8_t *fourth = from + 3 * step;
    __asm volatile("1:\n\t"
                   "ldr r5, [%1, %3]\n\t"
                   "ldr r6, [%1, %3, lsl #1]\n\t"
                   "ldr r9, [%2, %3]\n\t"
                   "ldr r10, [%2, %3, lsl #1]\n\t"
                   "ldr r4, [%1], #4\n\t"
                   "ldr r8, [%2], #4\n\t"
                   "pkhtb lr, r10, r9, asr #16\n\t"
                   "pkhbt r9, r9, r10, lsl #16\n\t"
                   "pkhtb r12, r8, r6, asr #16\n\t"
                   "pkhbt r6, r6, r8, lsl #16\n\t"
                   "pkhtb r10, r5, r4, asr #16\n\t"
                   "pkhbt r4, r4, r5, lsl #16\n\t"
                   "sxtb16 r5, r4\n\t"
                   "sxtb16 r8, r6\n\t"
                   "strd r5, r8, [%0], #12\n\t"
                   "sxtb16 r5, r9\n\t"
                   "str r5, [%0, #-4]\n\t"
                   "sxtb16 r4, r4, ror #8\n\t"
                   "sxtb16 r6, r6, ror #8\n\t"
                   "sxtb16 r9, r9, ror #8\n\t"
                   "stmia %0!, {r4, r6, r9}\n\t"
                   "sxtb16 r5, r10\n\t"
                   "sxtb16 r8, r12\n\t"
                   "strd r5, r8, [%0], #12\n\t"
                   "sxtb16 r5, lr\n\t"
                   "str r5, [%0, #-4]\n\t"
                   "sxtb16 r10, r10, ror #8\n\t"
                   "sxtb16 r12, r12, ror #8\n\t"
                   "sxtb16 lr, lr, ror #8\n\t"
                   "stmia %0!, {r10, r12, lr}\n\t"
                   "cmp %1, %4\n\t"
                   "bne 1b"
                   : "+r"(to), "+r"(from), "+r"(fourth)
                   : "r"(step), "r"(from + 4 * words)
                   : "r4", "r5", "r6", "r8", "r9", "r10", "r12", "lr", "cc", "memory");
    return to;
}

// Of two pixels the bytes 0 and 1, or 2 and 3, as the 16-bit halves of two k.
static inline void put_two(uint32_t *to, uint32_t bytes)
{
    to[0] = mw_sxtb16(bytes);
    to[K_WORDS] = mw_sxtb16_odd(bytes);
}

// The columns of up to six pixels. Behind the last of `pixels` it is repeated; of two there is one word a k.
static void gather(uint32_t *to, const int8_t *const *rows, int32_t row_count, int32_t row_bytes, int32_t at, int32_t step,
                   int32_t pixels)
{
    const int32_t words = row_bytes >> 2;
    const int32_t pairs = pixels > 2 ? K_WORDS : 1;
    for (int32_t row = 0; row < row_count; ++row) {
        const int8_t *from[PIXELS];
        for (int32_t p = 0; p < PIXELS; ++p) {
            from[p] = rows[row] + at + (p < pixels ? p : pixels - 1) * step;
        }
        int32_t k = 0;
        if (pixels == PIXELS && words > 0) {
            to = gather_words(to, from[0], step, words);
            k = 4 * words;
        }
        for (; k + 4 <= row_bytes; k += 4, to += 4 * K_WORDS) {
            for (int p = 0; p < pairs; ++p) {
                const uint32_t first = mw_load32(from[2 * p] + k);
                const uint32_t second = mw_load32(from[2 * p + 1] + k);
                put_two(to + p, (first & 0xffffu) | second << 16);
                put_two(to + 2 * K_WORDS + p, first >> 16 | (second & 0xffff0000u));
            }
        }
        for (; k < row_bytes; ++k, to += K_WORDS) {
            for (int p = 0; p < pairs; ++p) {
                to[p] = (uint16_t)from[2 * p][k] | (uint32_t)from[2 * p + 1][k] << 16;
            }
        }
    }
}

typedef void compute_tile(const struct mw_gemm_dsp *gemm, const uint32_t *columns, int8_t *out);

static void row(const struct mw_gemm_dsp *gemm, const int8_t *const *rows, int32_t row_count, int32_t row_bytes,
                int32_t step, int32_t pixels, int8_t *out, uint32_t *columns, compute_tile *six, compute_tile *two)
{
    int32_t at = 0;
    for (; pixels >= PIXELS; pixels -= PIXELS, at += PIXELS * step, out += PIXELS * gemm->out_step) {
        gather(columns, rows, row_count, row_bytes, at, step, PIXELS);
        six(gemm, columns, out);
    }
    if (pixels > 0) {
        int8_t *const all = pixels == 2 ? out : (int8_t *)(columns + K_WORDS * row_count * row_bytes);
        gather(columns, rows, row_count, row_bytes, at, step, pixels);
        (pixels > 2 ? six : two)(gemm, columns, all);
        if (all != out) {
            memcpy(out, all, (size_t)(pixels * gemm->out_step));
        }
    }
}

static void row_signed(const struct mw_gemm_dsp *gemm, const int8_t *const *rows, int32_t row_count, int32_t row_bytes,
                       int32_t step, int32_t pixels, int8_t *out, uint32_t *columns)
{
    row(gemm, rows, row_count, row_bytes, step, pixels, out, columns, signed_6, signed_2);
}

static void row_clamped(const struct mw_gemm_dsp *gemm, const int8_t *const *rows, int32_t row_count, int32_t row_bytes,
                        int32_t step, int32_t pixels, int8_t *out, uint32_t *columns)
{
    row(gemm, rows, row_count, row_bytes, step, pixels, out, columns, clamped_6, clamped_2);
}

const struct mw_gemm_tiles_dsp mw_gemm_scattered_dsp_signed = {row_signed, {NULL, NULL, NULL}};
const struct mw_gemm_tiles_dsp mw_gemm_scattered_dsp_clamped = {row_clamped, {NULL, NULL, NULL}};
