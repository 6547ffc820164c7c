// The end of a tile of gemm_dsp.h, in assembly: from the sums of a pair of channels at 1, 2 or 3 pixels to bytes.
//
// Takes   r5, r6, r7     sums of channel 0, a pixel each
//         r8, r9, r10    sums of channel 0 + 256 * channel 1
//         [sp, #8]       where the first pixel's output goes
//         [sp, #12]      bytes from one pixel of the output to the next
//         [sp, #24]      the pair's scales (struct mw_gemm_pair_dsp, scale1)
// Leaves  lr             behind the pair
// Changes r0, r2-r12.

#ifndef MW_GEMM_TILE_DSP_H
#define MW_GEMM_TILE_DSP_H

// ROUND: the second rounding of negative sums goes away from zero; where they are clamped anyway, either way will do.
#define MW_TILE_SIGNED(doubled) "add r0, r0, " doubled ", asr #31\n\t"
#define MW_TILE_CLAMPED(doubled) ""

#define MW_TILE_STORE_1(ROUND) \
    MW_TILE_CHANNEL1_("r5", "r8") \
    MW_TILE_SCALE1_ MW_TILE_PUT_(ROUND, "r8", "[r12]") \
    MW_TILE_SCALE0_ MW_TILE_DOUBLE_AND_PUT_(ROUND, "r5", "[r12]")

#define MW_TILE_STORE_2(ROUND) \
    MW_TILE_CHANNEL1_("r5", "r8") MW_TILE_CHANNEL1_("r6", "r9") \
    MW_TILE_SCALE1_ MW_TILE_PUT_(ROUND, "r8", "[r12]") MW_TILE_PUT_(ROUND, "r9", "[r12, r11]") \
    MW_TILE_SCALE0_ MW_TILE_DOUBLE_AND_PUT_(ROUND, "r5", "[r12]") \
    MW_TILE_DOUBLE_AND_PUT_(ROUND, "r6", "[r12, r11]")

#define MW_TILE_STORE_3(ROUND) \
    MW_TILE_CHANNEL1_("r5", "r8") MW_TILE_CHANNEL1_("r6", "r9") MW_TILE_CHANNEL1_("r7", "r10") \
    MW_TILE_SCALE1_ MW_TILE_PUT_(ROUND, "r8", "[r12]") MW_TILE_PUT_(ROUND, "r9", "[r12, r11]") \
    MW_TILE_PUT_(ROUND, "r10", "[r12, r11, lsl #1]") \
    MW_TILE_SCALE0_ MW_TILE_DOUBLE_AND_PUT_(ROUND, "r5", "[r12]") \
    MW_TILE_DOUBLE_AND_PUT_(ROUND, "r6", "[r12, r11]") \
    MW_TILE_DOUBLE_AND_PUT_(ROUND, "r7", "[r12, r11, lsl #1]")

// 2 * the sum of channel 1.
#define MW_TILE_CHANNEL1_(sum0, sum01) \
    "sub " sum01 ", " sum01 ", " sum0 "\n\t" \
    "asr " sum01 ", " sum01 ", #7\n\t"

#define MW_TILE_SCALE1_ \
    "ldr lr, [sp, #24]\n\t" \
    "ldr r11, [sp, #12]\n\t" \
    MW_TILE_SCALE0_

#define MW_TILE_SCALE0_ \
    "ldr r0, [sp, #8]\n\t" \
    "ldmia lr!, {r2, r3, r4, r12}\n\t" \
    "add r12, r12, r0\n\t"

#define MW_TILE_PUT_(ROUND, doubled, address) \
    "smmlar r0, " doubled ", r2, r3\n\t" ROUND(doubled) \
    "asr r0, r0, r4\n\t" \
    "ssat r0, #8, r0\n\t" \
    "strb r0, " address "\n\t"
#define MW_TILE_DOUBLE_AND_PUT_(ROUND, sum, address) \
    "lsl " sum ", " sum ", #1\n\t" MW_TILE_PUT_(ROUND, sum, address)

#endif
