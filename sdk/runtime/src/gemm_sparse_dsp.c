#include "mw/gemm_sparse_dsp.h"

#include "mw/gemm_tile_dsp.h"

// A tile is one pair of channels at 3, 2 or 1 pixels, for all pairs of a layer. The loop is written in assembly because it
// needs all fourteen registers.
//
// The frame of a tile: [sp] the block of columns before the first, [sp, #8] out, [sp, #12] out_step, [sp, #16] the next
// step, [sp, #20] end of the pairs, [sp, #24] the pair at work.
// In the loop: r0 columns of a block, r1 weights, r2 a step, then r2-r4 inputs, r5-r7 sums of channel 0, r8-r10 of channel
// 0 + 256 * channel 1, r11 and lr weights of the block, r12 the next step.
// SCALE makes r2 from a step, and tells whether it is 0.
#define TILE(NAME, BEFORE, SCALE, BLOCK, STORE)                                                                        \
    __attribute__((naked)) static void NAME(const struct mw_gemm_dsp *gemm __attribute__((unused)),                    \
                                            const uint32_t *columns __attribute__((unused)),                           \
                                            int8_t *out __attribute__((unused)))                                       \
    {                                                                                                                  \
        __asm volatile("push {r4-r11, lr}\n\t"                                                                         \
                       "sub sp, sp, #28\n\t"                                                                           \
                       "ldrd lr, r3, [r0, #4]\n\t"                                                                     \
                       "ldr r4, [r0, #16]\n\t"                                                                         \
                       "sub r1, r1, #" BEFORE "\n\t"                                                                   \
                       "str r1, [sp]\n\t"                                                                              \
                       "strd r2, r4, [sp, #8]\n\t"                                                                     \
                       "str r3, [sp, #20]\n\t"                                                                         \
                       "ldr r1, [r0]\n\t"                                                                              \
                       "ldr r12, [r1], #4\n\t"                                                                         \
                       "add r12, r12, r1\n"                                                                            \
                       "2:\n\t"                                                                                        \
                       "ldmia lr!, {r5, r6, r7, r8, r9, r10}\n\t"                                                      \
                       "ldr r0, [sp]\n\t"                                                                              \
                       "str lr, [sp, #24]\n\t"                                                                         \
                       "ldrb r2, [r12], #1\n\t" SCALE                                                                  \
                       "beq.n 3f\n"                                                                                    \
                       "1:\n\t"                                                                                        \
                       "ldrd r11, lr, [r1], #8\n\t" BLOCK                                                              \
                       "ldrb r2, [r12], #1\n\t" SCALE                                                                  \
                       "bne.n 1b\n"                                                                                    \
                       "3:\n\t"                                                                                        \
                       "str r12, [sp, #16]\n\t" STORE                                                                  \
                       "ldrd r12, r0, [sp, #16]\n\t"                                                                   \
                       "cmp lr, r0\n\t"                                                                                \
                       "bne.w 2b\n\t"                                                                                  \
                       "add sp, sp, #28\n\t"                                                                           \
                       "pop {r4-r11, pc}\n\t");                                                                        \
    }

#define MAC(x, w, sum) "smlad " sum ", " x ", " w ", " sum "\n\t"
// Channel 0's weights of two k.
#define FIRST(w) "sxtb16 " w ", " w "\n\t"

// r0 points between the two words that each pixel has of a block.
#define MAC3(w) \
    MAC("r2", w, "r8") MAC("r3", w, "r9") MAC("r4", w, "r10") \
    FIRST(w) MAC("r2", w, "r5") MAC("r3", w, "r6") MAC("r4", w, "r7")
#define TILE_3(NAME, ROUND) \
    TILE(NAME, "12", "adds r2, r2, r2, lsl #1\n\t", \
         "add r0, r0, r2, lsl #3\n\t" \
         "ldmdb r0, {r2, r3, r4}\n\t" MAC3("r11") \
         "ldmia.w r0, {r2, r3, r4}\n\t" MAC3("lr"), \
         MW_TILE_STORE_3(ROUND))

#define TILE_2(NAME, ROUND) \
    TILE(NAME, "16", "lsls r2, r2, #4\n\t", \
         "add r0, r0, r2\n\t" \
         "ldmia.w r0, {r2, r3, r4, r7}\n\t" \
         MAC("r2", "r11", "r8") MAC("r3", "r11", "r9") FIRST("r11") MAC("r2", "r11", "r5") MAC("r3", "r11", "r6") \
         MAC("r4", "lr", "r8") MAC("r7", "lr", "r9") FIRST("lr") MAC("r4", "lr", "r5") MAC("r7", "lr", "r6"), \
         MW_TILE_STORE_2(ROUND))

#define TILE_1(NAME, ROUND) \
    TILE(NAME, "8", "lsls r2, r2, #3\n\t", \
         "add r0, r0, r2\n\t" \
         "ldrd r2, r3, [r0]\n\t" \
         MAC("r2", "r11", "r8") FIRST("r11") MAC("r2", "r11", "r5") \
         MAC("r3", "lr", "r8") FIRST("lr") MAC("r3", "lr", "r5"), \
         MW_TILE_STORE_1(ROUND))

TILE_3(signed_3, MW_TILE_SIGNED)
TILE_2(signed_2, MW_TILE_SIGNED)
TILE_1(signed_1, MW_TILE_SIGNED)
const struct mw_gemm_tiles_dsp mw_gemm_sparse_dsp_signed = {mw_gemm_dsp_row, {signed_1, signed_2, signed_3}};

TILE_3(clamped_3, MW_TILE_CLAMPED)
TILE_2(clamped_2, MW_TILE_CLAMPED)
TILE_1(clamped_1, MW_TILE_CLAMPED)
const struct mw_gemm_tiles_dsp mw_gemm_sparse_dsp_clamped = {mw_gemm_dsp_row, {clamped_1, clamped_2, clamped_3}};
