#include "mw/gemm_sparse_mve.h"

#include "mw/channels_mve.h"

#include <stddef.h>

enum { VECTOR = 16, PIXELS = 4, GROUP = 8 };
// Words of a group of channels: multipliers and shifts of the even ones, then of the odd ones; biases; sums at each pixel.
enum { SCALES = 2 * GROUP, WORDS = SCALES + (1 + PIXELS) * GROUP };

// Tiles next to each other, as the assembly reads and advances it. A tile of three that lacks pixels has its last one again,
// to the same place: what lies between them is 0 then.
struct tiles {
    int32_t at;            // of the first pixel in its rows
    int32_t second, third; // bytes from a pixel to the next one; to a fourth one the same as to the third
    int8_t *out;
    int32_t out_second, out_third;
    int32_t count;
};

// The assembly relies on these offsets; another one divides by zero here.
enum {
    OUT_AT_12 = 1 / (offsetof(struct tiles, out) == 12),
    COUNT_AT_24 = 1 / (offsetof(struct tiles, count) == 24),
    BIASES_AT_4 = 1 / (offsetof(struct mw_gemm_mve, biases) == 4),
    ACCS_AT_12 = 1 / (offsetof(struct mw_gemm_mve, accs) == 12),
    OUT_CH_AT_32 = 1 / (offsetof(struct mw_gemm_mve, out_ch) == 32),
    COLUMNS_AT_52 = 1 / (offsetof(struct mw_gemm_mve, columns) == 52),
    ROW_COUNT_AT_60 = 1 / (offsetof(struct mw_gemm_mve, row_count) == 60),
};

#define GATHER(q, from) "vldrb.8 " q ", [" from "], #16\n\t"
#define PUT(q) "vstrb.8 " q ", [r10], #16\n\t"
#define BIASES(first, second) "ldrd " first ", " second ", [r5]\n\t"
#define LOAD(q, from) "vldrw.32 " q ", [" from "\n\t"
#define MAC(sum, x, w) "vmladava.s8 " sum ", " x ", " w "\n\t"
#define STORE(first, second, at) "strd " first ", " second ", [r5, #" at "]\n\t"
// Eight channels of a pixel, even and odd ones: scaled, rounded half up. Before a right shift of a negative number, 1 is
// subtracted, so that ties are rounded away from zero: the high half of twice the number is -1 then, and 0 else. No even one
// leaves 16 bits, so that the odd ones can go between them.
#define SCALE(NEGATIVE, even, odd, out) \
    "vld20.32 {" even ", " odd "}, [r0]\n\t" \
    "vld21.32 {" even ", " odd "}, [r0]!\n\t" \
    "vqrdmulh.s32 " even ", " even ", q4\n\t" \
    "vqrdmulh.s32 " odd ", " odd ", q6\n\t" NEGATIVE(even) NEGATIVE(odd) \
    "vrshl.s32 " even ", " even ", q5\n\t" \
    "vrshl.s32 " odd ", " odd ", q7\n\t" \
    "vqmovnt.s32 " even ", " odd "\n\t" \
    "vqadd.s16 " even ", " even ", r8\n\t" \
    "vqmovnb.s16 " even ", " even "\n\t" \
    "vstrb.16 " even ", [" out "], #8\n\t"
#define CLAMPED(q) ""
#define SIGNED(q) "vqdmlah.s32 " q ", " q ", r2\n\t"
#define SCALE_THREE(NEGATIVE) \
    LOAD("q4", "r0], #16") LOAD("q5", "r0], #16") LOAD("q6", "r0], #16") LOAD("q7", "r0], #48") \
    SCALE(NEGATIVE, "q0", "q1", "r3") SCALE(NEGATIVE, "q2", "q3", "r4") SCALE(NEGATIVE, "q0", "q1", "r6")
#define SCALE_3(NEGATIVE) SCALE_THREE(NEGATIVE) "add r0, r0, #32\n\t"
#define SCALE_4(NEGATIVE) SCALE_THREE(NEGATIVE) SCALE(NEGATIVE, "q2", "q3", "r7")

// Tiles, for all whole groups of channels; of what is left of the channels, the sums.
// The frame: [sp] gemm, [sp, #4] tiles, [sp, #8] rows.
// - Gathers columns: r11, r12, r3, r9 from each pixel, r10 to the columns.
// - Sums up all blocks: r0, r2 for pixel 0, r4, r6 for pixel 1, r8, r10 for pixel 2, r12, lr for pixel 3; r1 blocks,
//   r3 columns of a block, r5 the pair's biases and sums, r7 all columns, r9 what a block says of itself: carry, the last one
//   of its pair; negative, of all. The sums of a pair of channels without a block are its biases from the start.
// - Scales: r0 groups, r3, r4, r6, r7 to each pixel, r8 zero point, r2 1, or 0 where no output below the zero point is left.
#define TILES(NAME, GATHER_FOURTH, BIASES_FOURTH, MACS_FOURTH, STORE_FOURTH, SCALES_OF_ALL) \
    __attribute__((naked, noinline)) static void NAME(const struct mw_gemm_mve *gemm __attribute__((unused)), \
                                                      struct tiles *tiles __attribute__((unused)), \
                                                      const int8_t *const *rows __attribute__((unused))) \
    { \
        __asm volatile("push {r4-r11, lr}\n\t" \
                       "vpush {d8-d15}\n\t" \
                       "push {r0-r3}\n" \
                       "1:\n\t" \
                       "ldrd r4, r5, [r1]\n\t" \
                       "ldr r6, [r1, #8]\n\t" \
                       "ldrd r7, r8, [r0, #60]\n\t" \
                       "ldr r10, [r0, #52]\n" \
                       "2:\n\t" \
                       "ldr r11, [r2], #4\n\t" \
                       "add r11, r11, r4\n\t" \
                       "add r12, r11, r5\n\t" \
                       "add r3, r12, r6\n\t" \
                       "add r9, r3, r6\n\t" \
                       "wlstp.8 lr, r8, 4f\n" \
                       "3:\n\t" \
                       GATHER("q0", "r11") GATHER("q1", "r12") PUT("q0") GATHER("q2", "r3") PUT("q1") PUT("q2") GATHER_FOURTH \
                       "letp lr, 3b\n" \
                       "4:\n\t" \
                       "subs r7, r7, #1\n\t" \
                       "bne.n 2b\n\t" \
                       "ldrd r1, r5, [r0]\n\t" \
                       "ldr r7, [r0, #52]\n" \
                       "5:\n\t" BIASES("r0", "r2") BIASES("r4", "r6") BIASES("r8", "r10") BIASES_FOURTH \
                       "6:\n\t" \
                       "ldr r9, [r1], #4\n\t" \
                       "uxtah r3, r7, r9\n\t" LOAD("q0", "r1], #16") \
                       LOAD("q2", "r3]") MAC("r0", "q2", "q0") LOAD("q1", "r1], #16") MAC("r2", "q2", "q1") \
                       LOAD("q3", "r3, #16]") MAC("r4", "q3", "q0") LOAD("q2", "r3, #32]") MAC("r6", "q3", "q1") \
                       MAC("r8", "q2", "q0") MACS_FOURTH MAC("r10", "q2", "q1") \
                       "lsls r9, r9, #1\n\t" \
                       "bcc.n 6b\n\t" STORE("r0", "r2", "32") STORE("r4", "r6", "64") STORE("r8", "r10", "96") STORE_FOURTH \
                       "add r5, r5, r9, lsr #17\n\t" \
                       "bpl.n 5b\n\t" \
                       "ldrd r2, r1, [sp]\n\t" \
                       "ldr r0, [r2, #12]\n\t" \
                       "ldr r3, [r1, #12]\n\t" \
                       "ldrd r6, r7, [r1, #16]\n\t" \
                       "add r4, r3, r6\n\t" \
                       "add r6, r4, r7\n\t" \
                       "add r7, r6, r7\n\t" \
                       "ldrd r10, r8, [r2, #32]\n\t" \
                       "ldr r2, [r2, #40]\n\t" \
                       "lsr r10, r10, #3\n\t" \
                       "cmp r2, #0\n\t" \
                       "wls lr, r10, 9f\n\t" \
                       "beq.w 8f\n" \
                       "7:\n\t" SCALES_OF_ALL(SIGNED) "le lr, 7b\n\t" \
                       "b.n 9f\n" \
                       "8:\n\t" SCALES_OF_ALL(CLAMPED) "le lr, 8b\n" \
                       "9:\n\t" \
                       "ldr r7, [r1, #24]\n\t" \
                       "subs r7, r7, #1\n\t" \
                       "str r7, [r1, #24]\n\t" \
                       "ldrd r4, r5, [r1]\n\t" \
                       "add r4, r4, r5, lsl #2\n\t" \
                       "str r4, [r1]\n\t" \
                       "ldrd r4, r5, [r1, #12]\n\t" \
                       "add r4, r4, r5, lsl #2\n\t" \
                       "str r4, [r1, #12]\n\t" \
                       "ldr r0, [sp]\n\t" \
                       "ldr r2, [sp, #8]\n\t" \
                       "bne.w 1b\n\t" \
                       "add sp, sp, #16\n\t" \
                       "vpop {d8-d15}\n\t" \
                       "pop {r4-r11, pc}" :: \
                           : "memory"); \
    }
#define MACS_4 LOAD("q3", "r3, #48]") MAC("r12", "q3", "q0") MAC("lr", "q3", "q1")
TILES(threes, "add r10, r10, #16\n\t", , , , SCALE_3)
TILES(fours, GATHER("q3", "r9") PUT("q3"), BIASES("r12", "lr"), MACS_4, STORE("r12", "lr", "128"), SCALE_4)

// The channels that are left of whole groups, of as many pixels.
static void scale_rest(const struct mw_gemm_mve *gemm, int32_t pixels, int8_t *out)
{
    const int32_t first = gemm->out_ch / GROUP;
    const int32_t *const scales = gemm->accs + first * WORDS;
    const int32_t *sums = scales + SCALES + GROUP;
    for (; pixels > 0; --pixels) {
        int32x4x2_t x = vld2q_s32(sums);
        for (int i = 0; i < 2; ++i) {
            x.val[i] = vqrdmulhq_s32(x.val[i], vld1q_s32(scales + i * GROUP));
            x.val[i] = gemm->negative ? vqdmlahq_n_s32(x.val[i], x.val[i], 1) : x.val[i];
            x.val[i] = vrshlq_s32(x.val[i], vld1q_s32(scales + i * GROUP + GROUP / 2));
        }
        int16x8_t narrow = vqmovntq_s32(vreinterpretq_s16_s32(x.val[0]), x.val[1]);
        narrow = vqaddq_n_s16(narrow, (int16_t)gemm->out_zp);
        narrow = vreinterpretq_s16_s8(vqmovnbq_s16(vdupq_n_s8(0), narrow));
        vstrbq_p_s16(out + first * GROUP, narrow, vctp16q((uint32_t)gemm->out_ch % GROUP));
        sums += GROUP;
        out += gemm->out_ch;
    }
}

static int8_t *start(struct mw_gemm_mve *gemm, const struct mw_product_mve *product, int32_t row_count, int32_t row_bytes,
                     void *scratch)
{
    const int32_t channels = (product->out_ch + GROUP - 1) / GROUP * GROUP;
    const uint32_t *const blocks = (const uint32_t *)(const void *)product->weights;
    int32_t *const groups = scratch;
    int32_t *group = groups;
    for (int32_t c = 0; c < channels; c += GROUP) {
        const struct mw_four_channels_mve even =
            mw_four_channels_mve(product->channels, channels, product->channel_bytes, c);
        const struct mw_four_channels_mve odd =
            mw_four_channels_mve(product->channels, channels, product->channel_bytes, c + GROUP / 2);
        const int32x4x2_t biases = {{even.biases, odd.biases}};
        vst1q_s32(group, even.mults);
        vst1q_s32(group + 4, even.shifts);
        vst1q_s32(group + 8, odd.mults);
        vst1q_s32(group + 12, odd.shifts);
        group += SCALES;
        for (int i = 0; i < 1 + PIXELS; ++i, group += GROUP) {
            vst2q_s32(group, biases);
        }
    }
    *gemm = (struct mw_gemm_mve){
        .weights = product->weights + sizeof blocks[0],
        .biases = groups + blocks[0], // of the first pair
        .accs = groups,
        .columns = (int8_t *)group,
        .out_ch = product->out_ch,
        .out_zp = product->out_zp,
        .negative = product->act_min < product->out_zp ? 1 : 0,
        .row_count = row_count,
        .row_bytes = row_bytes,
    };
    return gemm->columns + row_count * ((row_bytes + VECTOR - 1) / VECTOR) * PIXELS * VECTOR;
}

static void compute_row(const struct mw_gemm_mve *gemm, const int8_t *const *rows, int32_t step, int32_t pixels, int8_t *out)
{
    const int32_t out_ch = gemm->out_ch;
    const int32_t rest = out_ch % GROUP;
    int32_t at = 0;
    while (pixels > 0) {
        // Fours at the end, one by one where scale_rest is needed.
        const int32_t size = pixels % 4 == 0 ? 4 : 3;
        const int32_t count = size == 4 && rest == 0 ? pixels / 4 : 1;
        const int32_t second = pixels > 1 ? 1 : 0;
        const int32_t third = pixels > 2 ? 1 : 0;
        struct tiles tiles = {at, second * step, third * step, out, second * out_ch, third * out_ch, count};
        if (size == 4) {
            fours(gemm, &tiles, rows);
        } else {
            threes(gemm, &tiles, rows);
        }
        if (rest > 0) {
            scale_rest(gemm, pixels < size ? pixels : size, out);
        }
        at += count * size * step;
        out += count * size * out_ch;
        pixels -= count * size;
    }
}

const struct mw_tiles_mve mw_tiles_sparse_mve = {.start = start, .row = compute_row};
