#include "mw/depthwise_conv_2d_s8_mve.h"

#include "mw/channels_mve.h"
#include "mw/mve.h"
#include "mw/plane_mve.h"

#include <stddef.h>

enum { LANES = 12 };

// A channel at work, as the assembly reads it.
struct channel {
    const int8_t *row;
    int8_t *out;
    int32_t steps, lanes;
    int32_t row_step, out_step;   // from a step to the next
    int32_t row_group, out_group; // from twelve lanes to the next
    const int8_t *weights;
    int32_t bias, mult, shift;
    int32_t out_zp, negative;
    int32_t taps_lanes, taps_steps;
    int32_t tap_step, tap_row; // from a tap to the next, from the end of a row of taps to the next
    int32_t stride_lanes, out_lane_bytes;
};

// The assembly relies on these offsets; another one divides by zero here.
enum {
    WEIGHTS_AT_32 = 1 / (offsetof(struct channel, weights) == 32),
    OUT_LANE_BYTES_AT_76 = 1 / (offsetof(struct channel, out_lane_bytes) == 76),
};

#define SCALE(sum) "vqrdmulh.s32 " sum ", " sum ", r0\n\t"
// So that ties are rounded away from zero.
#define NEGATIVE(sum) \
    "vshr.s32 q3, " sum ", #31\n\t" \
    "vadd.i32 " sum ", " sum ", q3\n\t"
#define NARROW(sum) \
    "vrshl.s32 " sum ", r1\n\t" \
    "vadd.i32 " sum ", " sum ", r2\n\t" \
    "vqmovnb.s32 " sum ", " sum "\n\t" \
    "vqmovnb.s16 " sum ", " sum "\n\t"
#define STORE(sum) \
    "vctp.32 r8\n\t" \
    "vpst\n\t" \
    "vstrbt.32 " sum ", [r3, q7]\n\t"
#define NEXT_FOUR \
    "add r3, r3, r4, lsl #2\n\t" \
    "subs r8, r8, #4\n\t" \
    "ble.n 8f\n\t"

// Inputs of lanes lie next to each other for stride 1; else they are loaded by offsets.
#define NEAR_0 "vldrb.s32 q3, [r0]\n\t"
#define NEAR_4 "vldrb.s32 q3, [r0, #4]\n\t"
#define NEAR_8 "vldrb.s32 q3, [r0, #8]\n\t"
#define FAR_0 "vldrb.s32 q3, [r0, q4]\n\t"
#define FAR_4 "vldrb.s32 q3, [r0, q5]\n\t"
#define FAR_8 "vldrb.s32 q3, [r0, q6]\n\t"

// r12 channel, r11 row, r10 out of the step, r9 steps left; r8 lanes left, r7 row and r6 out of the twelve lanes.
#define CHANNEL(NAME, LOAD_0, LOAD_4, LOAD_8)                                                                          \
    __attribute__((naked, noinline)) static void NAME(const struct channel *channel __attribute__((unused)))           \
    {                                                                                                                  \
        __asm volatile("push {r4-r11, lr}\n\t"                                                                         \
                       "vpush {d8-d15}\n\t"                                                                            \
                       "mov r12, r0\n\t"                                                                               \
                       "ldrd r11, r10, [r12]\n\t"                                                                      \
                       "ldr r9, [r12, #8]\n\t"                                                                         \
                       "ldrd r4, r5, [r12, #72]\n\t"                                                                   \
                       "movs r2, #0\n\t"                                                                               \
                       "vidup.u32 q7, r2, #1\n\t"                                                                      \
                       "vmul.i32 q4, q7, r4\n\t"                                                                       \
                       "vmul.i32 q7, q7, r5\n\t"                                                                       \
                       "lsls r4, r4, #2\n\t"                                                                           \
                       "vadd.i32 q5, q4, r4\n\t"                                                                       \
                       "vadd.i32 q6, q5, r4\n"                                                                         \
                       "1:\n\t"                                                                                        \
                       "ldr r8, [r12, #12]\n\t"                                                                        \
                       "mov r7, r11\n\t"                                                                               \
                       "mov r6, r10\n"                                                                                 \
                       "2:\n\t"                                                                                        \
                       "ldrd r1, r2, [r12, #32]\n\t"                                                                   \
                       "vdup.32 q0, r2\n\t"                                                                            \
                       "vdup.32 q1, r2\n\t"                                                                            \
                       "vdup.32 q2, r2\n\t"                                                                            \
                       "mov r0, r7\n\t"                                                                                \
                       "ldr r5, [r12, #60]\n\t"                                                                        \
                       "ldrd r3, r4, [r12, #64]\n"                                                                     \
                       "3:\n\t"                                                                                        \
                       "ldr r2, [r12, #56]\n\t"                                                                        \
                       "dls lr, r2\n"                                                                                  \
                       "4:\n\t"                                                                                        \
                       "ldrsb r2, [r1], #1\n\t" LOAD_0 "vmla.s32 q0, q3, r2\n\t" LOAD_4 "vmla.s32 q1, q3, r2\n\t"      \
                       LOAD_8 "vmla.s32 q2, q3, r2\n\t"                                                                \
                       "add r0, r0, r3\n\t"                                                                            \
                       "le lr, 4b\n\t"                                                                                 \
                       "add r0, r0, r4\n\t"                                                                            \
                       "subs r5, r5, #1\n\t"                                                                           \
                       "bne.n 3b\n\t"                                                                                  \
                       "ldrd r0, r1, [r12, #40]\n\t"                                                                   \
                       "ldrd r2, r3, [r12, #48]\n\t" SCALE("q0") SCALE("q1") SCALE("q2")                               \
                       "cbz r3, 5f\n\t" NEGATIVE("q0") NEGATIVE("q1") NEGATIVE("q2")                                   \
                       "5:\n\t" NARROW("q0") NARROW("q1") NARROW("q2")                                                 \
                       "ldr r4, [r12, #76]\n\t"                                                                        \
                       "mov r3, r6\n\t" STORE("q0") NEXT_FOUR STORE("q1") NEXT_FOUR STORE("q2")                        \
                       "ldrd r0, r1, [r12, #24]\n\t"                                                                   \
                       "add r7, r7, r0\n\t"                                                                            \
                       "add r6, r6, r1\n\t"                                                                            \
                       "subs r8, r8, #4\n\t"                                                                           \
                       "bgt.w 2b\n"                                                                                    \
                       "8:\n\t"                                                                                        \
                       "ldrd r0, r1, [r12, #16]\n\t"                                                                   \
                       "add r11, r11, r0\n\t"                                                                          \
                       "add r10, r10, r1\n\t"                                                                          \
                       "subs r9, r9, #1\n\t"                                                                           \
                       "bne.w 1b\n\t"                                                                                  \
                       "vpop {d8-d15}\n\t"                                                                             \
                       "pop {r4-r11, pc}" ::                                                                           \
                       : "memory");                                                                                    \
    }

CHANNEL(run_near, NEAR_0, NEAR_4, NEAR_8)
CHANNEL(run_far, FAR_0, FAR_4, FAR_8)

void mw_depthwise_conv_2d_s8_mve(const struct mw_depthwise_conv_2d_s8_mve *layer, const int8_t *in, int8_t *out,
                                 void *scratch)
{
    const int32_t out_ch = layer->in_ch * layer->multiplier;
    const int32_t padded = (out_ch + 3) & ~3;
    int32_t *const scales = scratch;
    int32_t *const biases = scales + 2 * padded;
    int8_t *const plane = (int8_t *)(biases + padded);
    int8_t *const inside = plane + layer->pad_steps * layer->pitch + layer->pad_lanes;
    struct channel channel = {
        .row = plane,
        .steps = layer->out_steps,
        .lanes = layer->out_lanes,
        .row_step = layer->stride_steps * layer->pitch,
        .out_step = layer->out_step_bytes,
        .row_group = LANES * layer->stride_lanes,
        .out_group = LANES * layer->out_lane_bytes,
        .out_zp = layer->out_zp,
        .negative = layer->act_min < layer->out_zp,
        .taps_lanes = layer->taps_lanes,
        .taps_steps = layer->taps_steps,
        .tap_step = layer->dilation_lanes,
        .tap_row = layer->dilation_steps * layer->pitch - layer->taps_lanes * layer->dilation_lanes,
        .stride_lanes = layer->stride_lanes,
        .out_lane_bytes = layer->out_lane_bytes,
    };

    mw_channels_mve(biases, scales, layer->packed, out_ch, layer->channel_bytes);
    mw_fill_mve(plane, layer->in_zp, layer->plane_bytes);
    for (int32_t b = 0; b < layer->batches; ++b) {
        int32_t o = 0;
        channel.weights = layer->weights;
        for (int32_t c = 0; c < layer->in_ch; ++c) {
            mw_plane_mve(inside, in + c, layer->in_lanes, layer->in_steps, layer->in_lane_bytes, layer->in_step_bytes,
                         layer->pitch);
            for (int32_t m = 0; m < layer->multiplier; ++m, ++o) {
                const int32_t *const scale = scales + (o & ~3) + o;
                channel.out = out + o;
                channel.bias = biases[o];
                channel.mult = scale[0];
                channel.shift = scale[4];
                (layer->stride_lanes == 1 ? run_near : run_far)(&channel);
                channel.weights += layer->taps_lanes * layer->taps_steps;
            }
        }
        if (layer->act_min > INT8_MIN || layer->act_max < INT8_MAX) {
            mw_clamp_mve(out, layer->out_bytes, layer->act_min, layer->act_max);
        }
        in += layer->in_bytes;
        out += layer->out_bytes;
    }
}
