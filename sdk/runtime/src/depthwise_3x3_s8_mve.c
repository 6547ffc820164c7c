#include "mw/depthwise_3x3_s8_mve.h"

#include "mw/channels_mve.h"
#include "mw/mve.h"
#include "mw/plane_mve.h"

#include <stddef.h>

enum { LANES = 4, ROW_BYTES = 64, ODD_AT = 32 };

// A channel at work, as the assembly reads it.
struct channel {
    const int8_t *plane;
    int8_t *out;
    int32_t plane_step, out_step; // from the first four lanes to the next; they may overlap
    int32_t out_four;             // from any four lanes to the next four
    int32_t fours;                // of lanes, at least 1
    int32_t rounds, rest;         // steps: 3 * rounds + rest for stride 1, 2 * rounds + rest for stride 2
    const int8_t *weights;
    int32_t bias, mult, shift;
    int32_t out_zp;
    int32_t out_lane_bytes, out_step_bytes;
};

// The assembly relies on these offsets; another one divides by zero here.
enum {
    WEIGHTS_AT_32 = 1 / (offsetof(struct channel, weights) == 32),
    OUT_STEP_BYTES_AT_56 = 1 / (offsetof(struct channel, out_step_bytes) == 56),
};

// The frame: [sp] plane, out, [sp, #8] to the next four lanes, [sp, #16] out_four, [sp, #20] fours left, [sp, #24] rounds,
// rest, [sp, #32] out_step_bytes, bias.
// In the loop over steps: r0 plane, r1-r9 weights, r10 out, r11 out_step_bytes, r12 bias; q0-q2 sums of steps, q3 inputs,
// q4 mult, q5 shift, q6 out_zp, q7 where the lanes go.
#define CHANNEL(NAME, STEPS)                                                                                           \
    __attribute__((naked, noinline)) static void NAME(const struct channel *channel __attribute__((unused)))           \
    {                                                                                                                  \
        __asm volatile("push {r4-r11, lr}\n\t"                                                                         \
                       "vpush {d8-d15}\n\t"                                                                            \
                       "sub sp, sp, #40\n\t"                                                                           \
                       "mov r12, r0\n\t"                                                                               \
                       "ldmia r12!, {r0-r7}\n\t"                                                                       \
                       "stmia sp, {r0-r7}\n\t"                                                                         \
                       "ldmia r12, {r0-r6}\n\t"                                                                        \
                       "vdup.32 q4, r2\n\t"                                                                            \
                       "vdup.32 q5, r3\n\t"                                                                            \
                       "vdup.32 q6, r4\n\t"                                                                            \
                       "strd r6, r1, [sp, #32]\n\t"                                                                    \
                       "movs r2, #0\n\t"                                                                               \
                       "vidup.u32 q7, r2, #1\n\t"                                                                      \
                       "vmul.i32 q7, q7, r5\n\t"                                                                       \
                       "ldrsb r1, [r0]\n\t"                                                                            \
                       "ldrsb r2, [r0, #1]\n\t"                                                                        \
                       "ldrsb r3, [r0, #2]\n\t"                                                                        \
                       "ldrsb r4, [r0, #3]\n\t"                                                                        \
                       "ldrsb r5, [r0, #4]\n\t"                                                                        \
                       "ldrsb r6, [r0, #5]\n\t"                                                                        \
                       "ldrsb r7, [r0, #6]\n\t"                                                                        \
                       "ldrsb r8, [r0, #7]\n\t"                                                                        \
                       "ldrsb r9, [r0, #8]\n"                                                                          \
                       "1:\n\t"                                                                                        \
                       "ldrd r0, r10, [sp]\n\t"                                                                        \
                       "ldrd r11, r12, [sp, #32]\n\t"                                                                  \
                       "ldr lr, [sp, #24]\n\t" STEPS "9:\n\t"                                                          \
                       "ldrd r0, r10, [sp]\n\t"                                                                        \
                       "ldrd r11, r12, [sp, #8]\n\t"                                                                   \
                       "add r0, r0, r11\n\t"                                                                           \
                       "add r10, r10, r12\n\t"                                                                         \
                       "strd r0, r10, [sp]\n\t"                                                                        \
                       "ldrd r11, r12, [sp, #16]\n\t"                                                                  \
                       "mov r10, #4\n\t"                                                                               \
                       "strd r10, r11, [sp, #8]\n\t"                                                                   \
                       "subs r12, r12, #1\n\t"                                                                         \
                       "str r12, [sp, #20]\n\t"                                                                        \
                       "bne.w 1b\n\t"                                                                                  \
                       "add sp, sp, #40\n\t"                                                                           \
                       "vpop {d8-d15}\n\t"                                                                             \
                       "pop {r4-r11, pc}" ::                                                                           \
                       : "memory");                                                                                    \
    }

#define MLA(sum, w) "vmla.s32 " sum ", q3, " w "\n\t"
#define ROW_0(sum, x0, x1, x2) \
    "vdup.32 " sum ", r12\n\t" \
    x1 MLA(sum, "r2") x2 MLA(sum, "r3") x0 MLA(sum, "r1")
#define ROW_01(sum0, sum1, x0, x1, x2) \
    "vdup.32 " sum0 ", r12\n\t" \
    x1 MLA(sum0, "r2") MLA(sum1, "r5") x2 MLA(sum0, "r3") MLA(sum1, "r6") x0 MLA(sum0, "r1") MLA(sum1, "r4")
#define ROW_012(sum0, sum1, sum2, x0, x1, x2) \
    "vdup.32 " sum0 ", r12\n\t" \
    x1 MLA(sum0, "r2") MLA(sum1, "r5") MLA(sum2, "r8") x2 MLA(sum0, "r3") MLA(sum1, "r6") MLA(sum2, "r9") \
    x0 MLA(sum0, "r1") MLA(sum1, "r4") MLA(sum2, "r7")
#define ROW_1(sum, x0, x1, x2) x1 MLA(sum, "r5") x2 MLA(sum, "r6") x0 MLA(sum, "r4")
#define ROW_02(sum0, sum2, x0, x1, x2) \
    "vdup.32 " sum0 ", r12\n\t" \
    x1 MLA(sum0, "r2") MLA(sum2, "r8") x2 MLA(sum0, "r3") MLA(sum2, "r9") x0 MLA(sum0, "r1") MLA(sum2, "r7")

#define POSITIVE(sum)
// So that ties are rounded away from zero.
#define NEGATIVE(sum) \
    "vshr.s32 q3, " sum ", #31\n\t" \
    "vadd.i32 " sum ", " sum ", q3\n\t"
#define OUTPUT(sum, sign) \
    "vqrdmulh.s32 " sum ", " sum ", q4\n\t" sign(sum) \
    "vrshl.s32 " sum ", " sum ", q5\n\t" \
    "vadd.i32 " sum ", " sum ", q6\n\t" \
    "vqmovnb.s32 " sum ", " sum "\n\t" \
    "vqmovnb.s16 " sum ", " sum "\n\t" \
    "vstrb.32 " sum ", [r10, q7]\n\t" \
    "add.w r10, r10, r11\n\t"

// Stride 1: each row of the plane counts for three steps.
#define NEXT "vldrb.s32 q3, [r0], #64\n\t"
#define AT_1 "vldrb.s32 q3, [r0, #1]\n\t"
#define AT_2 "vldrb.s32 q3, [r0, #2]\n\t"
#define STEP_1(sum0, sum1, sum2, sign) ROW_012(sum0, sum1, sum2, NEXT, AT_1, AT_2) OUTPUT(sum2, sign)
#define STEPS_1(sign) \
    ROW_0("q0", NEXT, AT_1, AT_2) ROW_01("q1", "q0", NEXT, AT_1, AT_2) \
    "wls lr, lr, 3f\n" \
    "2:\n\t" STEP_1("q2", "q1", "q0", sign) STEP_1("q0", "q2", "q1", sign) STEP_1("q1", "q0", "q2", sign) \
    "le lr, 2b\n" \
    "3:\n\t" \
    "ldr lr, [sp, #28]\n\t" \
    "cmp.w lr, #1\n\t" \
    "blt.w 9f\n\t" STEP_1("q2", "q1", "q0", sign) \
    "beq.w 9f\n\t" STEP_1("q0", "q2", "q1", sign)

// Stride 2: even rows count for two steps, odd ones for one.
#define ODD "vldrb.s32 q3, [r0, #32]\n\t"
#define STEP_2(sum0, sum1, sign) ROW_1(sum1, NEXT, ODD, AT_1) ROW_02(sum0, sum1, NEXT, ODD, AT_1) OUTPUT(sum1, sign)
#define STEPS_2(sign) \
    ROW_0("q0", NEXT, ODD, AT_1) \
    "wls lr, lr, 3f\n" \
    "2:\n\t" STEP_2("q1", "q0", sign) STEP_2("q0", "q1", sign) \
    "le lr, 2b\n" \
    "3:\n\t" \
    "ldr lr, [sp, #28]\n\t" \
    "cmp.w lr, #0\n\t" \
    "beq.w 9f\n\t" STEP_2("q1", "q0", sign)

CHANNEL(stride_1, STEPS_1(POSITIVE))
CHANNEL(stride_1_negative, STEPS_1(NEGATIVE))
CHANNEL(stride_2, STEPS_2(POSITIVE))
CHANNEL(stride_2_negative, STEPS_2(NEGATIVE))

static void copy_plane(const struct mw_depthwise_3x3_s8_mve *layer, const int8_t *in, int8_t *plane)
{
    int8_t *const to = plane + layer->pad_steps * ROW_BYTES;
    const int32_t lanes = layer->in_lanes;
    const int32_t lane_bytes = layer->in_lane_bytes;
    if (layer->stride == 1) {
        mw_plane_mve(to + layer->pad_lanes, in, lanes, layer->in_steps, lane_bytes, layer->in_step_bytes, ROW_BYTES);
        return;
    }
    for (int32_t lane = 0; lane < 2; ++lane) {
        const int32_t padded = lane + layer->pad_lanes;
        mw_plane_mve(to + (padded & 1 ? ODD_AT : 0) + padded / 2, in + lane * lane_bytes, (lanes + 1 - lane) / 2,
                     layer->in_steps, 2 * lane_bytes, layer->in_step_bytes, ROW_BYTES);
    }
}

void mw_depthwise_3x3_s8_mve(const struct mw_depthwise_3x3_s8_mve *layer, const int8_t *in, int8_t *out, void *scratch)
{
    const int32_t padded = (layer->channels + 3) & ~3;
    const int32_t per_round = layer->stride == 1 ? 3 : 2;
    const int32_t overlap = -layer->out_lanes & (LANES - 1);
    const int negative = layer->act_min < layer->out_zp;
    void (*const run)(const struct channel *) = layer->stride == 1 ? negative ? stride_1_negative : stride_1
                                                : negative         ? stride_2_negative
                                                                   : stride_2;
    int32_t *const scales = scratch;
    int32_t *const biases = scales + 2 * padded;
    int8_t *const plane = (int8_t *)(biases + padded);
    struct channel channel = {
        .plane = plane,
        .plane_step = LANES - overlap,
        .out_step = (LANES - overlap) * layer->out_lane_bytes,
        .out_four = LANES * layer->out_lane_bytes,
        .fours = (layer->out_lanes + LANES - 1) / LANES,
        .rounds = layer->out_steps / per_round,
        .rest = layer->out_steps % per_round,
        .weights = layer->weights,
        .out_zp = layer->out_zp,
        .out_lane_bytes = layer->out_lane_bytes,
        .out_step_bytes = layer->out_step_bytes,
    };

    mw_channels_mve(biases, scales, layer->packed, layer->channels, layer->channel_bytes);
    mw_fill_mve(plane, layer->in_zp, ((layer->out_steps - 1) * layer->stride + 3) * ROW_BYTES);
    for (int32_t c = 0; c < layer->channels; ++c) {
        const int32_t *const scale = scales + (c & ~3) + c;
        copy_plane(layer, in + c, plane);
        channel.out = out + c;
        channel.bias = biases[c];
        channel.mult = scale[0];
        channel.shift = scale[4];
        run(&channel);
        channel.weights += 9;
    }
    if (layer->act_min > INT8_MIN || layer->act_max < INT8_MAX) {
        mw_clamp_mve(out, layer->out_lanes * layer->out_steps * layer->channels, layer->act_min, layer->act_max);
    }
}
