#include "mw/gemm_mve.h"

#include "mw/channels_mve.h"

#include "mw/mve.h"

#include <arm_mve.h>
#include <stddef.h>

// C99's limit for strings is not one for assembly.
#pragma GCC diagnostic ignored "-Woverlength-strings"

enum { VECTOR = 16, PIXELS = 3, TAPS = 3 };

// The assembly relies on these offsets; another one divides by zero here.
enum {
    ACCS_AT_12 = 1 / (offsetof(struct mw_gemm_mve, accs) == 12),
    NEGATIVE_AT_40 = 1 / (offsetof(struct mw_gemm_mve, negative) == 40),
};

#define LOAD_X(q, at) "vldrw.32 " q ", [r3, #" at "]\n\t"
#define MAC(sum, x) "vmladava.s8 " sum ", " x ", q0\n\t"
#define LOAD_W "vldrb.8 q0, [r1], #16\n\t"
// Only a part of these are the channel's: the columns are zero beyond it.
#define LOAD_TAIL_W "vldrb.8 q0, [r1]\n\tadd r1, r1, r12\n\t"

// Four channels of a pixel from accs: scaled, rounded half up. Before a right shift of a negative number, 1 is
// subtracted, so that ties are rounded away from zero.
#define SCALE(q, at) \
    "vldrw.32 " q ", [r0, #" at "]\n\t" \
    "vqrdmulh.s32 " q ", " q ", q6\n\t" \
    "vrshl.s32 " q ", " q ", q7\n\t"
#define SCALE_NEGATIVE(q, at) \
    "vldrw.32 " q ", [r0, #" at "]\n\t" \
    "vqrdmulh.s32 " q ", " q ", q6\n\t" \
    "vpt.s32 lt, " q ", zr\n\t" \
    "vsubt.i32 " q ", " q ", r10\n\t" \
    "vrshl.s32 " q ", " q ", q7\n\t"
#define LOAD_SCALE "vldrw.32 q6, [r2], #16\n\tvldrw.32 q7, [r2], #16\n\t"
// Even channels and odd ones to eight outputs.
#define NARROW(even, odd) \
    "vqmovnb.s32 " even ", " even "\n\t" \
    "vqmovnt.s32 " even ", " odd "\n\t" \
    "vqadd.s16 " even ", " even ", r4\n\t" \
    "vqmovnb.s16 " even ", " even "\n\t"
// The last four channels or fewer of a pixel.
#define SCALE_REST(at) \
    "vldrw.32 q0, [r0, #" at "]\n\t" \
    "vqrdmulh.s32 q0, q0, q6\n\t" \
    "vshr.s32 q1, q0, #31\n\t" \
    "vand q1, q1, q5\n\t" \
    "vadd.i32 q0, q0, q1\n\t" \
    "vrshl.s32 q0, q0, q4\n\t" \
    "vadd.i32 q0, q0, r10\n\t" \
    "vqmovnb.s32 q0, q0\n\t" \
    "vqmovnb.s16 q0, q0\n\t" \
    "vpst\n\t" \
    "vstrbt.32 q0, [r4]\n\t" \
    "add r4, r4, r8\n\t"

#define SCALE_8_OF_3(scale) \
    LOAD_SCALE scale("q0", "0") scale("q1", "64") scale("q2", "128") \
    LOAD_SCALE scale("q3", "16") scale("q4", "80") scale("q5", "144") \
    NARROW("q0", "q3") NARROW("q1", "q4") NARROW("q2", "q5") \
    "vstrb.16 q0, [r6]\n\t" \
    "add r6, r6, r8\n\t" \
    "vstrb.16 q1, [r6]\n\t" \
    "add r6, r6, r8\n\t" \
    "vstrb.16 q2, [r6], #8\n\t" \
    "sub r6, r6, r8, lsl #1\n\t"
#define SCALE_8_OF_2(scale) \
    LOAD_SCALE scale("q0", "0") scale("q1", "64") \
    LOAD_SCALE scale("q3", "16") scale("q4", "80") \
    NARROW("q0", "q3") NARROW("q1", "q4") \
    "vstrb.16 q0, [r6]\n\t" \
    "add r6, r6, r8\n\t" \
    "vstrb.16 q1, [r6], #8\n\t" \
    "sub r6, r6, r8\n\t"

// A tile is three or two pixels, for all channels. The loops are written in assembly because they need all registers.
//
// The frame: [sp] end of the first round's columns, [sp, #4] end_or_tail, [sp, #8] out, [sp, #12] out_step,
// [sp, #16] scales, [sp, #20] channels left, [sp, #24] accs, [sp, #28] their end, [sp, #32] out_zp, [sp, #36] negative,
// [sp, #40] tiles left, [sp, #44] out of the tile, [sp, #48] gemm.
// In the loop over pairs: r0, r2 sums of pixel 0, r4, r6 of pixel 1, r8, r10 of pixel 2; r1 weights, r3 end of the round's
// columns, r5 where the first round is entered, r7 biases, r9 accs, r11 what follows a round, r12 end_or_tail.
// A round takes UNITS units of k, of UNIT_BYTES in the columns; the first one takes what is left over.
#define EXPAND(macro, ...) macro(__VA_ARGS__)
#define TILES(NAME, UNITS, UNIT_CODE_BYTES, UNIT_BYTES, BIASES, UNIT, TAIL, STORE, SCALE_8, SCALE_8_NEGATIVE, SCALE_4, \
              NEXT_OUT)                                                                                                \
    __attribute__((naked, noinline)) static void NAME(const struct mw_gemm_mve *gemm __attribute__((unused)),          \
                                                      int8_t *out __attribute__((unused)),                             \
                                                      int32_t out_step __attribute__((unused)),                        \
                                                      int32_t tiles __attribute__((unused)))                           \
    {                                                                                                                  \
        __asm volatile("push {r4-r11, lr}\n\t"                                                                         \
                       "vpush {d8-d15}\n\t"                                                                            \
                       "sub sp, sp, #56\n\t"                                                                           \
                       "strd r3, r1, [sp, #40]\n\t"                                                                    \
                       "str r0, [sp, #48]\n\t"                                                                         \
                       "ldrd r3, r12, [r0, #16]\n\t"                                                                   \
                       "strd r3, r12, [sp]\n\t"                                                                        \
                       "ldr r3, [r0, #12]\n\t"                                                                         \
                       "add r4, r3, #64\n\t"                                                                           \
                       "strd r3, r4, [sp, #24]\n\t"                                                                    \
                       "str r2, [sp, #12]\n\t"                                                                         \
                       "ldrd r4, r10, [r0, #36]\n\t"                                                                   \
                       "strd r4, r10, [sp, #32]\n\t"                                                                   \
                       "ldrd r2, r4, [r0, #24]\n\t"                                                                    \
                       "movs r6, #" #UNIT_CODE_BYTES "\n\t"                                                            \
                       "adr.w r5, 1f\n\t"                                                                              \
                       "mla r5, r2, r6, r5\n\t"                                                                        \
                       "orr r5, r5, #1\n\t"                                                                            \
                       "adr.w r11, 4f\n\t"                                                                             \
                       "cmp r4, #1\n\t"                                                                                \
                       "bmi.n 0f\n\t"                                                                                  \
                       "adr.w r11, 5f\n\t"                                                                             \
                       "beq.n 0f\n\t"                                                                                  \
                       "adr.w r11, 3f\n"                                                                               \
                       "0:\n\t"                                                                                        \
                       "orr r11, r11, #1\n"                                                                            \
                       "13:\n\t"                                                                                       \
                       "ldr r0, [sp, #48]\n\t"                                                                         \
                       "ldr r4, [sp, #44]\n\t"                                                                         \
                       "str r4, [sp, #8]\n\t"                                                                          \
                       "ldrd r1, r7, [r0]\n\t"                                                                         \
                       "ldr r2, [r0, #8]\n\t"                                                                          \
                       "ldr r4, [r0, #32]\n\t"                                                                         \
                       "strd r2, r4, [sp, #16]\n"                                                                      \
                       "10:\n\t"                                                                                       \
                       "ldrd r0, r9, [sp, #20]\n\t"                                                                    \
                       "ldrd r3, r12, [sp]\n\t"                                                                        \
                       "cmp r0, #16\n\t"                                                                               \
                       "it gt\n\t"                                                                                     \
                       "movgt r0, #16\n\t"                                                                             \
                       "adds r0, r0, #1\n\t"                                                                           \
                       "lsrs r0, r0, #1\n\t"                                                                           \
                       "dls lr, r0\n"                                                                                  \
                       "2:\n\t" BIASES                                                                                 \
                       "bx r5\n\t"                                                                                     \
                       ".balign 4\n"                                                                                   \
                       "1:\n\t"                                                                                        \
                       ".set mw_at, -" #UNITS " * " #UNIT_BYTES "\n\t"                                                 \
                       ".rept " #UNITS "\n\t" UNIT                                                                     \
                       ".set mw_at, mw_at + " #UNIT_BYTES "\n\t"                                                       \
                       ".endr\n\t"                                                                                     \
                       "bx r11\n\t"                                                                                    \
                       ".balign 4\n"                                                                                   \
                       "5:\n\t" TAIL                                                                                   \
                       "b.n 4f\n\t"                                                                                    \
                       ".balign 4\n"                                                                                   \
                       "3:\n\t"                                                                                        \
                       "cmp r3, r12\n\t"                                                                               \
                       "add.w r3, r3, #" #UNITS " * " #UNIT_BYTES "\n\t"                                               \
                       "bne.w 1b\n\t"                                                                                  \
                       "ldr r3, [sp]\n\t"                                                                              \
                       ".balign 4\n"                                                                                   \
                       "4:\n\t" STORE                                                                                  \
                       "le lr, 2b\n\t"                                                                                 \
                       "ldrd r6, r8, [sp, #8]\n\t"                                                                     \
                       "ldrd r2, r9, [sp, #16]\n\t"                                                                    \
                       "ldrd r0, lr, [sp, #24]\n\t"                                                                    \
                       "ldrd r4, r10, [sp, #32]\n"                                                                     \
                       "6:\n\t"                                                                                        \
                       "subs r9, r9, #8\n\t"                                                                           \
                       "blt.w 8f\n\t"                                                                                  \
                       "cmp r10, #0\n\t"                                                                               \
                       "bne.w 7f\n\t" SCALE_8                                                                          \
                       "b.n 9f\n"                                                                                      \
                       "7:\n\t" SCALE_8_NEGATIVE                                                                       \
                       "9:\n\t"                                                                                        \
                       "adds r0, r0, #32\n\t"                                                                          \
                       "cmp r0, lr\n\t"                                                                                \
                       "bne.w 6b\n\t"                                                                                  \
                       "str r6, [sp, #8]\n\t"                                                                          \
                       "strd r2, r9, [sp, #16]\n\t"                                                                    \
                       "cmp r9, #0\n\t"                                                                                \
                       "bne.w 10b\n\t"                                                                                 \
                       "b.n 12f\n"                                                                                     \
                       "8:\n\t"                                                                                        \
                       "adds r9, r9, #8\n\t"                                                                           \
                       "beq.n 12f\n\t"                                                                                 \
                       "rsb r10, r10, #0\n\t"                                                                          \
                       "vdup.32 q5, r10\n\t"                                                                           \
                       "mov r10, r4\n"                                                                                 \
                       "11:\n\t"                                                                                       \
                       "vctp.32 r9\n\t"                                                                                \
                       "mov r4, r6\n\t"                                                                                \
                       "vldrw.32 q6, [r2], #16\n\t"                                                                    \
                       "vldrw.32 q4, [r2], #16\n\t" SCALE_4                                                            \
                       "adds r0, r0, #16\n\t"                                                                          \
                       "adds r6, r6, #4\n\t"                                                                           \
                       "subs r9, r9, #4\n\t"                                                                           \
                       "bgt.n 11b\n"                                                                                   \
                       "12:\n\t"                                                                                       \
                       "ldr r0, [sp, #48]\n\t"                                                                         \
                       "ldrd r3, r12, [sp]\n\t"                                                                        \
                       "ldrd r4, r6, [r0, #44]\n\t"                                                                    \
                       "add r3, r3, r4\n\t"                                                                            \
                       "add r12, r12, r6\n\t"                                                                          \
                       "strd r3, r12, [sp]\n\t"                                                                        \
                       "ldrd r2, r4, [sp, #40]\n\t"                                                                    \
                       "ldr r6, [sp, #12]\n\t" NEXT_OUT                                                                \
                       "subs r2, r2, #1\n\t"                                                                           \
                       "strd r2, r4, [sp, #40]\n\t"                                                                    \
                       "bne.w 13b\n\t"                                                                                 \
                       "add sp, sp, #56\n\t"                                                                           \
                       "vpop {d8-d15}\n\t"                                                                             \
                       "pop {r4-r11, pc}" ::                                                                           \
                       : "memory");                                                                                    \
    }

#define BIASES_2 "ldrd r0, r2, [r7], #8\n\tldrd r4, r6, [r7, #-8]\n\t"
#define BIASES_3 BIASES_2 "ldrd r8, r10, [r7, #-8]\n\t"
#define STORE_2 "strd r0, r2, [r9], #8\n\tstrd r4, r6, [r9, #56]\n\t"
#define STORE_3 STORE_2 "strd r8, r10, [r9, #120]\n\t"
#define SCALE_ALL_2 SCALE_8_OF_2(SCALE), SCALE_8_OF_2(SCALE_NEGATIVE), SCALE_REST("0") SCALE_REST("64")
#define SCALE_ALL_3 \
    SCALE_8_OF_3(SCALE), SCALE_8_OF_3(SCALE_NEGATIVE), SCALE_REST("0") SCALE_REST("64") SCALE_REST("128")
#define NEXT_OUT_2 "add r4, r4, r6, lsl #1\n\t"
#define NEXT_OUT_3 NEXT_OUT_2 "add r4, r4, r6\n\t"

// A unit is a vector of k.
#define VECTOR_2(w, at) \
    w LOAD_X("q1", at) MAC("r0", "q1") LOAD_X("q2", at " + 16") MAC("r4", "q2") w MAC("r2", "q1") MAC("r6", "q2")
#define VECTOR_3(w, at) \
    w LOAD_X("q1", at) MAC("r0", "q1") LOAD_X("q2", at " + 16") MAC("r4", "q2") LOAD_X("q3", at " + 32") MAC("r8", "q3") \
    w MAC("r2", "q1") MAC("r6", "q2") MAC("r10", "q3")
EXPAND(TILES, tiles_2, 9, 32, 48, BIASES_2, VECTOR_2(LOAD_W, "mw_at"), VECTOR_2(LOAD_TAIL_W, "0"), STORE_2, SCALE_ALL_2,
       NEXT_OUT_2)
EXPAND(TILES, tiles_3, 9, 44, 48, BIASES_3, VECTOR_3(LOAD_W, "mw_at"), VECTOR_3(LOAD_TAIL_W, "0"), STORE_3, SCALE_ALL_3,
       NEXT_OUT_3)

// A unit is a vector of k at each of three taps next to each other. A pixel's second tap is the next pixel's first one, so
// that five inputs do for nine.
#define TAP_2(x0, x1) LOAD_W MAC("r0", x0) MAC("r4", x1) LOAD_W MAC("r2", x0) MAC("r6", x1)
#define TAP_3(x0, x1, x2) \
    LOAD_W MAC("r0", x0) MAC("r4", x1) MAC("r8", x2) LOAD_W MAC("r2", x0) MAC("r6", x1) MAC("r10", x2)
#define SLIDING_2 \
    LOAD_X("q1", "mw_at") LOAD_X("q2", "mw_at + 16") TAP_2("q1", "q2") LOAD_X("q3", "mw_at + 32") TAP_2("q2", "q3") \
    LOAD_X("q4", "mw_at + 48") TAP_2("q3", "q4")
#define SLIDING_3 \
    LOAD_X("q1", "mw_at") LOAD_X("q2", "mw_at + 16") LOAD_X("q3", "mw_at + 32") TAP_3("q1", "q2", "q3") \
    LOAD_X("q4", "mw_at + 48") TAP_3("q2", "q3", "q4") LOAD_X("q5", "mw_at + 64") TAP_3("q3", "q4", "q5")
EXPAND(TILES, sliding_2, 3, 88, 80, BIASES_2, SLIDING_2, , STORE_2, SCALE_ALL_2, NEXT_OUT_2)
EXPAND(TILES, sliding_3, 3, 116, 80, BIASES_3, SLIDING_3, , STORE_3, SCALE_ALL_3, NEXT_OUT_3)

static int8_t *start(struct mw_gemm_mve *gemm, const struct mw_product_mve *product, int32_t row_count, int32_t row_bytes,
                     void *scratch)
{
    const int32_t channels = (product->out_ch + 3) & ~3;
    const int32_t k = row_count * row_bytes;
    const int32_t vectors = (k + VECTOR - 1) / VECTOR;
    const struct mw_tiles_mve *const tiles = product->tiles;
    const int32_t tile_bytes = vectors / tiles->unit * tiles->unit_bytes;
    const int32_t units = product->tail_bytes ? k / VECTOR : vectors / tiles->unit;
    const int32_t first = units == 0 ? 0 : (units - 1) % tiles->round + 1;
    const int32_t columns_bytes = product->at_once * tile_bytes;
    int32_t *const accs = scratch;
    int32_t *const scales = accs + VECTOR * PIXELS;
    int32_t *const biases = scales + 2 * channels;
    int8_t *const columns = (int8_t *)(biases + channels);
    int8_t *const line = columns + columns_bytes;
    const int32_t line_bytes =
        row_count == 1 || row_bytes % VECTOR == 0 ? 0 : (row_bytes < VECTOR ? 2 : 1) * VECTOR * (vectors + 1);
    *gemm = (struct mw_gemm_mve){
        .weights = product->weights,
        .biases = biases,
        .scales = scales,
        .accs = accs,
        .first = columns + first * tiles->unit_bytes,
        .end_or_tail = product->tail_bytes ? product->tail_bytes : (int32_t)(intptr_t)(columns + tile_bytes),
        .skip = tiles->round - first,
        .mode = product->tail_bytes ? 1 : units > tiles->round ? 2 : 0,
        .out_ch = product->out_ch,
        .out_zp = product->out_zp,
        .negative = product->act_min < product->out_zp,
        .tile_bytes = tile_bytes,
        .end_step = product->tail_bytes ? 0 : tile_bytes,
        .columns = columns,
        .line = line,
        .row_count = row_count,
        .row_bytes = row_bytes,
        .at_once = product->at_once,
        .tiles = tiles,
    };
    mw_channels_mve(biases, scales, product->channels, product->out_ch, product->channel_bytes);
    // What k lacks to whole vectors stays zero, and every offset is one that may be read.
    mw_fill_mve(columns, 0, columns_bytes + line_bytes);
    return line + line_bytes;
}

// Three pixels whose rows are whole vectors; the third lies `third` behind the second.
static inline void gather_vectors(int8_t *column, const int8_t *const *rows, int32_t row_count, uint32_t vectors,
                                  int32_t at, int32_t step, int32_t third)
{
    const int8_t *from;
    const int8_t *from1;
    const int8_t *from2;
    __asm volatile("1:\n\t"
                   "ldr %[from], [%[rows]], #4\n\t"
                   "dls lr, %[vectors]\n\t"
                   "add %[from], %[from], %[at]\n\t"
                   "add %[from1], %[from], %[step]\n\t"
                   "add %[from2], %[from1], %[third]\n"
                   "2:\n\t"
                   "vldrb.8 q0, [%[from]], #16\n\t"
                   "vldrb.8 q1, [%[from1]], #16\n\t"
                   "vstrb.8 q0, [%[column]], #16\n\t"
                   "vldrb.8 q2, [%[from2]], #16\n\t"
                   "vstrb.8 q1, [%[column]], #16\n\t"
                   "vstrb.8 q2, [%[column]], #16\n\t"
                   "le lr, 2b\n\t"
                   "subs %[row_count], %[row_count], #1\n\t"
                   "bne 1b"
                   : [column] "+r"(column), [rows] "+r"(rows), [row_count] "+r"(row_count), [from] "=&r"(from),
                     [from1] "=&r"(from1), [from2] "=&r"(from2)
                   : [vectors] "r"(vectors), [at] "r"(at), [step] "r"(step), [third] "r"(third)
                   : "q0", "q1", "q2", "lr", "cc", "memory");
}

// The taps of three pixels, or of two, `step` apart: of each row, vectors of 16 channels in turn.
#define GATHER_TAP \
    "vldrb.8 q0, [%[at_tap]]\n\t" \
    "add %[at_tap], %[at_tap], %[step]\n\t" \
    "vstrb.8 q0, [%[column]], #16\n\t"
static inline void gather_taps(int8_t *column, const int8_t *const *rows, int32_t row_count, int32_t at, int32_t step,
                               int32_t pixels)
{
    for (int32_t row = 0; row < row_count; ++row) {
        const int8_t *from = rows[row] + at;
        const int8_t *at_tap;
        if (pixels == PIXELS) {
            __asm volatile("dls lr, %[vectors]\n"
                           "1:\n\t"
                           "mov %[at_tap], %[from]\n\t"
                           "add %[from], %[from], #16\n\t" GATHER_TAP GATHER_TAP GATHER_TAP GATHER_TAP GATHER_TAP
                           "le lr, 1b"
                           : [column] "+r"(column), [from] "+r"(from), [at_tap] "=&r"(at_tap)
                           : [vectors] "r"(step / VECTOR), [step] "r"(step)
                           : "q0", "lr", "memory");
        } else {
            __asm volatile("dls lr, %[vectors]\n"
                           "1:\n\t"
                           "mov %[at_tap], %[from]\n\t"
                           "add %[from], %[from], #16\n\t" GATHER_TAP GATHER_TAP GATHER_TAP GATHER_TAP
                           "add %[column], %[column], #16\n\t"
                           "le lr, 1b"
                           : [column] "+r"(column), [from] "+r"(from), [at_tap] "=&r"(at_tap)
                           : [vectors] "r"(step / VECTOR), [step] "r"(step)
                           : "q0", "lr", "memory");
        }
    }
}

// Pixels of fewer bytes than a vector.
static inline void gather_short(int8_t *column, const int8_t *from, uint32_t k, int32_t step, int32_t pixels)
{
    __asm volatile("vctp.8 %[k]\n\t"
                   "dls lr, %[pixels]\n"
                   "1:\n\t"
                   "vpst\n\t"
                   "vldrbt.8 q0, [%[from]]\n\t"
                   "add %[from], %[from], %[step]\n\t"
                   "vstrb.8 q0, [%[column]], #16\n\t"
                   "le lr, 1b"
                   : [column] "+r"(column), [from] "+r"(from)
                   : [k] "r"(k), [step] "r"(step), [pixels] "r"(pixels)
                   : "q0", "lr", "memory");
}

// A pixel's k contiguous bytes to its column.
static inline void gather_line(int8_t *column, const int8_t *line, uint32_t k)
{
    __asm volatile("dls lr, %[vectors]\n"
                   "1:\n\t"
                   "vldrb.8 q0, [%[line]], #16\n\t"
                   "vstrb.8 q0, [%[column]], #48\n\t"
                   "le lr, 1b\n\t"
                   "vctp.8 %[rest]\n\t"
                   "vpst\n\t"
                   "vldrbt.8 q0, [%[line]]\n\t"
                   "vpst\n\t"
                   "vstrbt.8 q0, [%[column]]"
                   : [column] "+r"(column), [line] "+r"(line)
                   : [vectors] "r"(k / VECTOR), [rest] "r"(k % VECTOR)
                   : "q0", "lr", "memory");
}

// Rows of row_bytes one after the other. Whole vectors are copied: what is too much is overwritten by the next row.
static void join_rows(const struct mw_gemm_mve *gemm, const int8_t *const *rows, int32_t at)
{
    int8_t *line = gemm->line;
    for (int32_t row = 0; row < gemm->row_count; ++row, line += gemm->row_bytes) {
        const int8_t *from = rows[row] + at;
        int8_t *to = line;
        __asm volatile("dls lr, %[vectors]\n"
                       "1:\n\t"
                       "vldrb.8 q0, [%[from]], #16\n\t"
                       "vstrb.8 q0, [%[to]], #16\n\t"
                       "le lr, 1b"
                       : [from] "+r"(from), [to] "+r"(to)
                       : [vectors] "r"((gemm->row_bytes + VECTOR - 1) / VECTOR)
                       : "q0", "lr", "memory");
    }
}

// Where each of k lies from `base` on, for rows that are shorter than a vector. 16 offsets a row are written: what is too
// much is overwritten by the next row, or stays behind the last k.
static void offsets_of(const struct mw_gemm_mve *gemm, const int8_t *const *rows, const int8_t *base)
{
    uint16_t *to = (uint16_t *)gemm->line;
    for (int32_t row = 0; row < gemm->row_count; ++row, to += gemm->row_bytes) {
        uint32_t offset = (uint32_t)(rows[row] - base);
        vst1q_u16(to, vidupq_wb_u16(&offset, 1));
        vst1q_u16(to + 8, vidupq_wb_u16(&offset, 1));
    }
}

// Three pixels by the offsets of their k.
static inline void gather_offsets(int8_t *column, const int8_t *from, const uint16_t *offsets, uint32_t k, int32_t step,
                                  int32_t third)
{
    const int8_t *from1 = from + step;
    const int8_t *from2 = from1 + third;
    // Even k in q0, odd ones in q1.
    __asm volatile("wls lr, %[vectors], 2f\n"
                   "1:\n\t"
                   "vld20.16 {q0, q1}, [%[offsets]]\n\t"
                   "vld21.16 {q0, q1}, [%[offsets]]!\n\t"
                   "vldrb.u16 q2, [%[from], q0]\n\t"
                   "vldrb.u16 q3, [%[from], q1]\n\t"
                   "vmovnt.i16 q2, q3\n\t"
                   "vstrb.8 q2, [%[column]], #16\n\t"
                   "vldrb.u16 q2, [%[from1], q0]\n\t"
                   "vldrb.u16 q3, [%[from1], q1]\n\t"
                   "vmovnt.i16 q2, q3\n\t"
                   "vstrb.8 q2, [%[column]], #16\n\t"
                   "vldrb.u16 q2, [%[from2], q0]\n\t"
                   "vldrb.u16 q3, [%[from2], q1]\n\t"
                   "vmovnt.i16 q2, q3\n\t"
                   "vstrb.8 q2, [%[column]], #16\n\t"
                   "le lr, 1b\n"
                   "2:\n\t"
                   "vctp.8 %[rest]\n\t"
                   "vld20.16 {q0, q1}, [%[offsets]]\n\t"
                   "vld21.16 {q0, q1}, [%[offsets]]\n\t"
                   "vldrb.u16 q2, [%[from], q0]\n\t"
                   "vldrb.u16 q3, [%[from], q1]\n\t"
                   "vmovnt.i16 q2, q3\n\t"
                   "vpst\n\t"
                   "vstrbt.8 q2, [%[column]], #16\n\t"
                   "vldrb.u16 q2, [%[from1], q0]\n\t"
                   "vldrb.u16 q3, [%[from1], q1]\n\t"
                   "vmovnt.i16 q2, q3\n\t"
                   "vpst\n\t"
                   "vstrbt.8 q2, [%[column]], #16\n\t"
                   "vldrb.u16 q2, [%[from2], q0]\n\t"
                   "vldrb.u16 q3, [%[from2], q1]\n\t"
                   "vmovnt.i16 q2, q3\n\t"
                   "vpst\n\t"
                   "vstrbt.8 q2, [%[column]]"
                   : [column] "+r"(column), [offsets] "+r"(offsets)
                   : [from] "r"(from), [from1] "r"(from1), [from2] "r"(from2), [vectors] "r"(k / VECTOR),
                     [rest] "r"(k % VECTOR)
                   : "q0", "q1", "q2", "q3", "lr", "cc", "memory");
}

// The columns of `tiles` tiles, whose first pixel lies at `at`. Each has three pixels, `step` apart; with `third` 0, the
// third one is the second again.
static inline void gather(const struct mw_gemm_mve *gemm, const int8_t *const *rows, const int8_t *base, int32_t tiles,
                          int32_t at, int32_t step, int32_t third)
{
    const uint32_t row_bytes = (uint32_t)gemm->row_bytes;
    const uint32_t k = (uint32_t)gemm->row_count * row_bytes;
    const int32_t tile_step = 2 * step + third;
    int8_t *column = gemm->columns;
    if (gemm->tiles->unit == TAPS) {
        for (; tiles > 0; --tiles, column += gemm->tile_bytes, at += tile_step) {
            gather_taps(column, rows, gemm->row_count, at, step, third ? 3 : 2);
        }
    } else if (row_bytes % VECTOR == 0) {
        for (; tiles > 0; --tiles, column += gemm->tile_bytes, at += tile_step) {
            gather_vectors(column, rows, gemm->row_count, row_bytes / VECTOR, at, step, third);
        }
    } else if (base) {
        for (; tiles > 0; --tiles, column += gemm->tile_bytes, at += tile_step) {
            gather_offsets(column, base + at, (const uint16_t *)gemm->line, k, step, third);
        }
    } else if (row_bytes < VECTOR) {
        gather_short(column, rows[0] + at, row_bytes, step, third ? PIXELS * tiles : 2);
    } else {
        for (; tiles > 0; --tiles, column += gemm->tile_bytes, at += tile_step) {
            int32_t from = at;
            for (int p = 0; p < PIXELS; ++p) {
                const int8_t *line = rows[0] + from;
                if (gemm->row_count > 1) {
                    join_rows(gemm, rows, from);
                    line = gemm->line;
                }
                gather_line(column + VECTOR * p, line, k);
                from += p == 0 ? step : third;
            }
        }
    }
}

static void compute_row(const struct mw_gemm_mve *gemm, const int8_t *const *rows, int32_t step, int32_t pixels, int8_t *out)
{
    const int32_t out_step = gemm->out_ch;
    const int8_t *base = NULL;
    int32_t at = 0;
    if (gemm->row_count > 1 && gemm->row_bytes < VECTOR) {
        base = rows[0];
        for (int32_t row = 1; row < gemm->row_count; ++row) {
            base = rows[row] < base ? rows[row] : base;
        }
        offsets_of(gemm, rows, base);
    }
    // Four pixels are two and two.
    while (pixels > 4 || pixels == 3) {
        const int32_t most = (pixels % 3 == 1 ? pixels - 4 : pixels) / 3;
        const int32_t tiles = most < gemm->at_once ? most : gemm->at_once;
        gather(gemm, rows, base, tiles, at, step, step);
        gemm->tiles->three(gemm, out, out_step, tiles);
        at += 3 * tiles * step;
        out += 3 * tiles * out_step;
        pixels -= 3 * tiles;
    }
    // A single pixel is computed twice, to the same place.
    for (; pixels > 0; pixels -= 2) {
        const int32_t second = pixels == 1 ? 0 : 1;
        gather(gemm, rows, base, 1, at, second * step, 0);
        gemm->tiles->two(gemm, out, second * out_step, 1);
        at += 2 * step;
        out += 2 * out_step;
    }
}

const struct mw_tiles_mve mw_tiles_mve = {start, compute_row, tiles_3, tiles_2, 9, 1, 48};
const struct mw_tiles_mve mw_tiles_sliding_mve = {start, compute_row, sliding_3, sliding_2, 3, TAPS, 80};
