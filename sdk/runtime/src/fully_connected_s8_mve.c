#include "mw/fully_connected_s8_mve.h"

#include "mw/channels_mve.h"
#include "mw/mve.h"
#include "mw/outputs_mve.h"

#include <stddef.h>
#include <string.h>

enum { VECTOR = 16, ROUND = 8, GROUP = 4 };

// Outputs in groups of four, as the assembly reads it.
struct groups {
    const int8_t *in;
    const int8_t *in_end;   // where the last round starts
    const int8_t *rows[4];  // weights of the first group
    const int32_t *bias;
    int8_t *out;
    int32_t count;          // of groups, at least 1
    int32_t row_step;       // from where a row's last round starts to the first round four rows below
    int32_t skip;           // vectors that the first round has not
    int32_t scale;          // of outputs_mve.h
    int32_t mult, shift;
    const int32_t *scales;  // of four outputs: multipliers, then shifts
    int32_t out_zp;
};

// The assembly relies on these offsets; another one divides by zero here.
enum {
    BIAS_AT_24 = 1 / (offsetof(struct groups, bias) == 24),
    MULT_AT_48 = 1 / (offsetof(struct groups, mult) == 48),
    OUT_ZP_AT_60 = 1 / (offsetof(struct groups, out_zp) == 60),
};

#define MAC(row, sum, at) \
    "vldrb.8 q1, [" row ", #" at "]\n\t" \
    "vmladava.s8 " sum ", q1, q0\n\t"
#define LOAD_SCALES \
    "ldr r0, [sp]\n\t" \
    "vldrw.32 q2, [r0], #16\n\t" \
    "vldrw.32 q3, [r0], #16\n\t" \
    "str r0, [sp]\n\t"
#define ADVANCE \
    "ldrd r4, r3, [sp, #12]\n\t" \
    "add r1, r1, r4\n\t" \
    "add r8, r8, r4\n\t" \
    "add r9, r9, r4\n\t" \
    "add r12, r12, r4\n\t"

// The frame: that of outputs_mve.h, mult or where the scales are, [sp, #12] row_step, [sp, #16] in.
// In the loop over groups: r0, r2, r4, r6 sums; r1, r8, r9, r12 rows of weights; r3 input, r5 where the first round is
// entered, r7 out, r10 bias, r11 where the last round starts.
__attribute__((naked, noinline)) static void run(const struct groups *groups __attribute__((unused)))
{
    __asm volatile("push {r4-r11, lr}\n\t"
                   "vpush {d14-d15}\n\t"
                   "sub sp, sp, #20\n\t"
                   "ldrd r3, r11, [r0]\n\t"
                   "ldrd r1, r8, [r0, #8]\n\t"
                   "ldrd r9, r12, [r0, #16]\n\t"
                   "ldrd r10, r7, [r0, #24]\n\t"
                   "ldrd r2, r4, [r0, #32]\n\t"
                   "dls lr, r2\n\t"
                   "ldr r2, [r0, #60]\n\t"
                   "vdup.32 q7, r2\n\t"
                   "strd r4, r3, [sp, #12]\n\t"
                   "ldrd r2, r4, [r0, #40]\n\t"
                   "movs r5, #36\n\t"
                   "adr.w r6, 1f\n\t"
                   "mla r5, r2, r5, r6\n\t"
                   "orr r5, r5, #1\n\t"
                   MW_OUTPUTS_MVE_CHOOSE(48, "ldr r2, [r0, #56]\n\tstr r2, [sp]\n\t")
                   "2:\n\t"
                   "ldrd r0, r2, [r10], #8\n\t"
                   "ldrd r4, r6, [r10], #8\n\t"
                   "bx r5\n\t"
                   ".balign 4\n"
                   "1:\n\t"
                   ".set mw_at, 0\n\t"
                   ".rept 8\n\t"
                   "vldrb.8 q0, [r3, #mw_at]\n\t" MAC("r1", "r0", "mw_at") MAC("r8", "r2", "mw_at")
                       MAC("r9", "r4", "mw_at") MAC("r12", "r6", "mw_at") ".set mw_at, mw_at + 16\n\t"
                   ".endr\n\t"
                   "cmp r3, r11\n\t"
                   "beq.n 3f\n\t"
                   "adds r3, r3, #128\n\t"
                   "adds r1, r1, #128\n\t"
                   "add r8, r8, #128\n\t"
                   "add r9, r9, #128\n\t"
                   "add r12, r12, #128\n\t"
                   "b.w 1b\n"
                   "3:\n\t"
                   MW_OUTPUTS_MVE(ADVANCE, LOAD_SCALES, "le lr, 2b\n\t")
                   "add sp, sp, #20\n\t"
                   "vpop {d14-d15}\n\t"
                   "pop {r4-r11, pc}" ::
                       : "memory");
}

// The first round is entered behind the vectors that it has not: its addresses are that much lower.
static void start(struct groups *groups, const int8_t *in, const int8_t *weights, int32_t in_len, int32_t rows)
{
    const int32_t vectors = (in_len + VECTOR - 1) / VECTOR;
    const int32_t before = groups->skip * VECTOR;
    const int32_t last_round = (vectors - 1) / ROUND * ROUND * VECTOR;
    groups->in = in - before;
    groups->in_end = groups->in + last_round;
    for (int32_t row = 0; row < GROUP; ++row) {
        groups->rows[row] = weights + (row < rows ? row : rows - 1) * in_len - before;
    }
    groups->row_step = GROUP * in_len - last_round;
}

void mw_fully_connected_s8_mve(const struct mw_fully_connected_s8_mve *layer, const int8_t *in, int8_t *out,
                               void *scratch)
{
    const int32_t in_len = layer->in_len;
    const int32_t padded = (layer->out_len + GROUP - 1) / GROUP * GROUP;
    const int32_t whole = layer->out_len / GROUP * GROUP;
    const int32_t rest = layer->out_len - whole;
    const int32_t vectors = (in_len + VECTOR - 1) / VECTOR;
    struct groups groups = {
        .skip = (ROUND - vectors % ROUND) % ROUND,
        .scale = (layer->channels ? MW_SCALE_CHANNELS : MW_SCALE_ALIKE) +
                 (layer->act_min < layer->out_zp ? MW_SCALE_NEGATIVE : 0),
        .mult = layer->mult,
        .shift = layer->shift,
        .out_zp = layer->out_zp,
    };
    const int32_t *bias = layer->bias;
    int32_t *const scales = scratch;
    int8_t *line = scratch;
    if (layer->channels) {
        int32_t *const biases = scales + 2 * padded;
        mw_channels_mve(biases, scales, layer->channels, layer->out_len, layer->channel_bytes);
        bias = biases;
        line = (int8_t *)(biases + padded);
    }
    for (int32_t b = 0; b < layer->batches; ++b) {
        const int8_t *x = in;
        if (in_len % VECTOR != 0) {
            mw_fill_mve(line + in_len / VECTOR * VECTOR, 0, VECTOR);
            mw_copy_mve(line, in, in_len);
            x = line;
        }
        groups.bias = bias;
        groups.scales = scales;
        if (whole > 0) {
            groups.out = out;
            groups.count = whole / GROUP;
            start(&groups, x, layer->weights, in_len, GROUP);
            run(&groups);
        }
        if (rest > 0) {
            int8_t last[GROUP];
            groups.out = last;
            groups.count = 1;
            groups.bias = bias + whole;
            groups.scales = scales + 2 * whole;
            start(&groups, x, layer->weights + whole * in_len, in_len, rest);
            run(&groups);
            memcpy(out + whole, last, (size_t)rest);
        }
        if (layer->act_min > INT8_MIN || layer->act_max < INT8_MAX) {
            mw_clamp_mve(out, layer->out_len, layer->act_min, layer->act_max);
        }
        in += in_len;
        out += layer->out_len;
    }
}
