#include "mw/gemm_dsp.h"

#include "mw/code.h"
#include "mw/dsp.h"
#include "mw/gemm_tile_dsp.h"

// A tile is one pair of channels at 3, 2 or 1 pixels, for all pairs of a layer. The loops are written in assembly because
// they need all fourteen registers.
//
// The frame of a tile: [sp] columns, [sp, #4] their end, [sp, #8] out, [sp, #12] out_step, [sp, #16] where the first round
// of the loop is entered, [sp, #20] end of the pairs, [sp, #24] the pair at work.
// In the loop: r0 columns, r1 weights, r2-r4 inputs, r5-r7 sums of channel 0, r8-r10 of channel 0 + 256 * channel 1, r11
// and r12 weights of four k, lr channel 0's weights of two. A round takes 16 k, the first one k modulo 16.
#define TILE(NAME, PIXELS, BLOCK_BYTES, BLOCK, STORE)                                                                  \
    __attribute__((naked)) static void NAME(const struct mw_gemm_dsp *gemm __attribute__((unused)),                     \
                                            const uint32_t *columns __attribute__((unused)),                           \
                                            int8_t *out __attribute__((unused)))                                       \
    {                                                                                                                  \
        __asm volatile("push {r4-r11, lr}\n\t"                                                                         \
                       "sub sp, sp, #28\n\t"                                                                           \
                       "ldr r3, [r0, #12]\n\t"                                                                         \
                       "rsb r4, r3, #0\n\t"                                                                            \
                       "ubfx r4, r4, #1, #2\n\t"                                                                       \
                       "movs r5, #" #BLOCK_BYTES "\n\t"                                                                \
                       "adr.w r6, 1f\n\t"                                                                              \
                       "mla r4, r4, r5, r6\n\t"                                                                        \
                       "orr r4, r4, #1\n\t"                                                                            \
                       "movs r5, #4 * " #PIXELS "\n\t"                                                                 \
                       "mla r5, r3, r5, r1\n\t"                                                                        \
                       "ldr r6, [r0, #16]\n\t"                                                                         \
                       "ldr r7, [r0, #8]\n\t"                                                                          \
                       "strd r1, r5, [sp]\n\t"                                                                         \
                       "strd r2, r6, [sp, #8]\n\t"                                                                     \
                       "strd r4, r7, [sp, #16]\n\t"                                                                    \
                       "ldr r1, [r0]\n\t"                                                                              \
                       "ldr lr, [r0, #4]\n"                                                                            \
                       "2:\n\t"                                                                                        \
                       "ldmia lr!, {r5, r6, r7, r8, r9, r10}\n\t"                                                       \
                       "ldr r0, [sp]\n\t"                                                                              \
                       "str lr, [sp, #24]\n\t"                                                                         \
                       "ldr pc, [sp, #16]\n\t"                                                                         \
                       ".balign 4\n"                                                                                   \
                       "1:\n\t"                                                                                        \
                       ".rept 4\n\t"                                                                                   \
                       "ldrd r11, r12, [r1], #8\n\t" BLOCK ".endr\n"                                                   \
                       "3:\n\t"                                                                                        \
                       MW_CODE_BYTES("1b", "3b", "4 * " #BLOCK_BYTES)                                                  \
                       "ldr.w lr, [sp, #4]\n\t"                                                                        \
                       "cmp r0, lr\n\t"                                                                                \
                       "bne.w 1b\n\t"                                                                                  \
                       STORE                                                                                           \
                       "ldr r0, [sp, #20]\n\t"                                                                         \
                       "cmp lr, r0\n\t"                                                                                \
                       "bne.w 2b\n\t"                                                                                  \
                       "add sp, sp, #28\n\t"                                                                           \
                       "pop {r4-r11, pc}\n\t");                                                                        \
    }

#define MAC(x, w, sum0, sum01) \
    "smlad " sum01 ", " x ", " w ", " sum01 "\n\t" \
    "smlad " sum0 ", " x ", lr, " sum0 "\n\t"

#define MAC3(w) \
    "ldmia.w r0!, {r2, r3, r4}\n\t" \
    "sxtb16 lr, " w "\n\t" MAC("r2", w, "r5", "r8") MAC("r3", w, "r6", "r9") MAC("r4", w, "r7", "r10")
#define TILE_3(NAME, ROUND) TILE(NAME, 3, 68, MAC3("r11") MAC3("r12"), MW_TILE_STORE_3(ROUND))

#define MAC2(w) \
    "ldrd r2, r3, [r0], #8\n\t" \
    "sxtb16 lr, " w "\n\t" MAC("r2", w, "r5", "r8") MAC("r3", w, "r6", "r9")
#define TILE_2(NAME, ROUND) TILE(NAME, 2, 52, MAC2("r11") MAC2("r12"), MW_TILE_STORE_2(ROUND))

#define TILE_1(NAME, ROUND) \
    TILE(NAME, 1, 32, \
         "ldrd r2, r3, [r0], #8\n\t" \
         "sxtb16 lr, r11\n\t" MAC("r2", "r11", "r5", "r8") "sxtb16 lr, r12\n\t" MAC("r3", "r12", "r5", "r8"), \
         MW_TILE_STORE_1(ROUND))

TILE_3(signed_3, MW_TILE_SIGNED)
TILE_2(signed_2, MW_TILE_SIGNED)
TILE_1(signed_1, MW_TILE_SIGNED)
const struct mw_gemm_tiles_dsp mw_gemm_dsp_signed = {mw_gemm_dsp_row, {signed_1, signed_2, signed_3}};

TILE_3(clamped_3, MW_TILE_CLAMPED)
TILE_2(clamped_2, MW_TILE_CLAMPED)
TILE_1(clamped_1, MW_TILE_CLAMPED)
const struct mw_gemm_tiles_dsp mw_gemm_dsp_clamped = {mw_gemm_dsp_row, {clamped_1, clamped_2, clamped_3}};

// bias * 8 + (exponent & 7)
static int32_t bias_exponent(struct mw_gemm_channels_dsp channels, int32_t channel)
{
    const uint32_t word = mw_load32(channels.bytes + channel * channels.channel_bytes + 4);
    const int missing = 8 * (8 - channels.channel_bytes);
    return (int32_t)(word << missing) >> missing;
}

int32_t mw_gemm_dsp_bias(struct mw_gemm_channels_dsp channels, int32_t channel)
{
    return bias_exponent(channels, channel) >> 3;
}

struct mw_gemm_scale_dsp mw_gemm_dsp_scale(struct mw_gemm_channels_dsp channels, int32_t channel, int32_t offset,
                                           int32_t out_zp)
{
    const uint32_t mult_exponent = mw_load32(channels.bytes + channel * channels.channel_bytes);
    const int32_t exponent = (int32_t)(mult_exponent >> 30 << 3) | (bias_exponent(channels, channel) & 7);
    return (struct mw_gemm_scale_dsp){
        .mult = (int32_t)((mult_exponent & 0x3fffffffu) | 0x40000000u),
        .round = (2 * out_zp + 1) * ((int32_t)1 << (exponent - 1)),
        .exponent = exponent,
        .offset = offset,
    };
}

void mw_gemm_dsp_pairs(struct mw_gemm_pair_dsp *pairs, struct mw_gemm_channels_dsp channels, const uint16_t *order,
                       int32_t channel_count, int32_t out_zp)
{
    for (int32_t c = 0; c < channel_count; c += 2, ++pairs) {
        const int32_t c1 = c + 1 < channel_count ? c + 1 : c;
        const int32_t bias0 = mw_gemm_dsp_bias(channels, c);
        const int32_t bias01 = (int32_t)((uint32_t)bias0 + 256u * (uint32_t)mw_gemm_dsp_bias(channels, c1));
        for (int p = 0; p < 3; ++p) {
            pairs->bias0[p] = bias0;
            pairs->bias01[p] = bias01;
        }
        pairs->scale1 = mw_gemm_dsp_scale(channels, c1, order ? order[c1] : c1, out_zp);
        pairs->scale0 = mw_gemm_dsp_scale(channels, c, order ? order[c] : c, out_zp);
    }
}

// Whole words of a row at 3, 2 or 1 pixels to their place in the columns. In assembly for the multiple store.
static inline uint32_t *gather_words_3(uint32_t *to, const int8_t *from, int32_t step, int32_t words)
{
    const int8_t *second = from + step;
    const int8_t *third = second + step;
    __asm volatile("1:\n\t"
                   "ldr r4, [%1], #4\n\t"
                   "ldr r5, [%2], #4\n\t"
                   "ldr r6, [%3], #4\n\t"
                   "sxtb16 r8, r4, ror #8\n\t"
                   "sxtb16 r4, r4\n\t"
                   "sxtb16 r9, r5, ror #8\n\t"
                   "sxtb16 r5, r5\n\t"
                   "sxtb16 r10, r6, ror #8\n\t"
                   "sxtb16 r6, r6\n\t"
                   "stmia %0!, {r4, r5, r6, r8, r9, r10}\n\t"
                   "cmp %1, %4\n\t"
                   "bne 1b"
                   : "+r"(to), "+r"(from), "+r"(second), "+r"(third)
                   : "r"(from + 4 * words)
                   : "r4", "r5", "r6", "r8", "r9", "r10", "cc", "memory");
    return to;
}

static inline uint32_t *gather_words_2(uint32_t *to, const int8_t *from, int32_t step, int32_t words)
{
    const int8_t *second = from + step;
    __asm volatile("1:\n\t"
                   "ldr r4, [%1], #4\n\t"
                   "ldr r5, [%2], #4\n\t"
                   "sxtb16 r6, r4, ror #8\n\t"
                   "sxtb16 r4, r4\n\t"
                   "sxtb16 r8, r5, ror #8\n\t"
                   "sxtb16 r5, r5\n\t"
                   "stmia %0!, {r4, r5, r6, r8}\n\t"
                   "cmp %1, %3\n\t"
                   "bne 1b"
                   : "+r"(to), "+r"(from), "+r"(second)
                   : "r"(from + 4 * words)
                   : "r4", "r5", "r6", "r8", "cc", "memory");
    return to;
}

static inline uint32_t *gather_words_1(uint32_t *to, const int8_t *from, int32_t words)
{
    __asm volatile("1:\n\t"
                   "ldr r4, [%1], #4\n\t"
                   "sxtb16 r5, r4, ror #8\n\t"
                   "sxtb16 r4, r4\n\t"
                   "strd r4, r5, [%0], #8\n\t"
                   "cmp %1, %2\n\t"
                   "bne 1b"
                   : "+r"(to), "+r"(from)
                   : "r"(from + 4 * words)
                   : "r4", "r5", "cc", "memory");
    return to;
}

// The columns of `pixels` pixels, interleaved: for each pair of k one word a pixel.
static inline __attribute__((always_inline)) void gather(uint32_t *to, const int8_t *const *rows, int32_t row_count,
                                                         int32_t row_bytes, int32_t at, int32_t step, const int pixels)
{
    const int32_t words = row_bytes >> 2;
    const int32_t rest = row_bytes & 3;
    if (words > 0) {
        for (int32_t row = 0; row < row_count; ++row) {
            const int8_t *const from = rows[row] + at;
            to = pixels == 3   ? gather_words_3(to, from, step, words)
                 : pixels == 2 ? gather_words_2(to, from, step, words)
                               : gather_words_1(to, from, words);
        }
    }
    if (rest == 0) {
        return;
    }
    uint32_t low[3] = {0, 0, 0};
    int waiting = 0; // a first k for its second one
    for (int32_t row = 0; row < row_count; ++row) {
        const int8_t *from = rows[row] + at + 4 * words;
        for (const int8_t *const end = from + rest; from != end; ++from) {
            if (waiting) {
                for (int p = 0; p < pixels; ++p) {
                    *to++ = low[p] | (uint32_t)from[p * step] << 16;
                }
            } else {
                for (int p = 0; p < pixels; ++p) {
                    low[p] = (uint16_t)from[p * step];
                }
            }
            waiting = !waiting;
        }
    }
    if (waiting) {
        for (int p = 0; p < pixels; ++p) {
            *to++ = low[p];
        }
    }
}

void mw_gemm_dsp_row(const struct mw_gemm_dsp *gemm, const int8_t *const *rows, int32_t row_count, int32_t row_bytes,
                     int32_t step, int32_t pixels, int8_t *out, uint32_t *columns)
{
    int32_t at = 0;
    for (; pixels >= 3; pixels -= 3) {
        gather(columns, rows, row_count, row_bytes, at, step, 3);
        gemm->tiles->of_pixels[2](gemm, columns, out);
        at += 3 * step;
        out += 3 * gemm->out_step;
    }
    if (pixels == 2) {
        gather(columns, rows, row_count, row_bytes, at, step, 2);
        gemm->tiles->of_pixels[1](gemm, columns, out);
    } else if (pixels == 1) {
        gather(columns, rows, row_count, row_bytes, at, step, 1);
        gemm->tiles->of_pixels[0](gemm, columns, out);
    }
}

void mw_expand_dsp(uint32_t *to, const uint32_t *end, const int8_t *in, int32_t in_len)
{
    const int32_t words = in_len >> 2;
    if (words > 0) {
        to = gather_words_1(to, in, words);
        in += 4 * words;
        in_len -= 4 * words;
    }
    for (; in_len > 0; in_len -= 2, in += 2) {
        *to++ = (uint16_t)in[0] | (in_len > 1 ? (uint32_t)(uint16_t)in[1] << 16 : 0u);
    }
    while (to != end) {
        *to++ = 0;
    }
}

void mw_clamp_dsp(int8_t *values, int32_t count, int32_t low, int32_t high)
{
    const uint32_t lows = 0x01010101u * (uint8_t)low;
    const uint32_t highs = 0x01010101u * (uint8_t)high;
    if (low <= INT8_MIN && high >= INT8_MAX) {
        return;
    }
    int32_t i = 0;
    for (; i + 4 <= count; i += 4) {
        uint32_t word = mw_load32(values + i);
        uint32_t difference;
        // A byte's difference that is not negative selects the first of two words' bytes.
        __asm("ssub8 %1, %0, %2\n\t"
              "sel %0, %0, %2\n\t"
              "ssub8 %1, %3, %0\n\t"
              "sel %0, %0, %3"
              : "+r"(word), "=&r"(difference)
              : "r"(lows), "r"(highs)
              : "cc");
        memcpy(values + i, &word, sizeof word);
    }
    for (; i < count; ++i) {
        const int32_t value = values[i];
        values[i] = (int8_t)(value < low ? low : value > high ? high : value);
    }
}
