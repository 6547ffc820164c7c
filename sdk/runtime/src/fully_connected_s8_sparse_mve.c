#include "mw/fully_connected_s8_sparse_mve.h"

#include "mw/mve.h"
#include "mw/outputs_mve.h"

#include <stddef.h>
#include <string.h>

enum { VECTOR = 16, GROUP = 4 };

// Outputs in groups of four, as the assembly reads it.
struct groups {
    const int8_t *before; // a vector before the input
    const int8_t *weights;
    const uint32_t *steps;
    const uint32_t *outputs; // weights, steps and outputs are moved behind the groups
    int8_t *out;
    int32_t count; // of groups, at least 1
    int32_t out_zp;
    int32_t scale; // of outputs_mve.h
    int32_t mult, shift;
};

// The assembly relies on these offsets; another one divides by zero here.
enum {
    OUT_AT_16 = 1 / (offsetof(struct groups, out) == 16),
    MULT_AT_32 = 1 / (offsetof(struct groups, mult) == 32),
};

#define MAC(sum) \
    "vldrb.8 q1, [r1], #16\n\t" \
    "vmladava.s8 " sum ", q1, q0\n\t"
// 40 bytes of code.
#define BLOCK(step) \
    "uxtab r3, r3, r11" step "\n\t" \
    "vldrb.8 q0, [r3]\n\t" MAC("r0") MAC("r2") MAC("r4") MAC("r6")
#define LOAD_SCALES \
    "vldrw.32 q2, [r5], #16\n\t" \
    "vldrb.s32 q3, [r5], #4\n\t"
#define NEXT \
    "subs r8, r8, #1\n\t" \
    "bne.w 2b\n\t"

// The frame: that of outputs_mve.h, [sp, #12] before, [sp, #16] groups.
// In the loop over groups: r0, r2, r4, r6 sums; r1 weights, r3 inputs, r5 outputs, r7 out, r8 groups left, r9 code of a round's
// first block, r11 steps of a round and then what is behind them, r12 the steps to come.
__attribute__((naked, noinline)) static void run(struct groups *groups __attribute__((unused)))
{
    __asm volatile("push {r4-r11, lr}\n\t"
                   "vpush {d14-d15}\n\t"
                   "sub sp, sp, #20\n\t"
                   "ldrd r3, r1, [r0]\n\t"
                   "strd r3, r0, [sp, #12]\n\t"
                   "ldrd r12, r5, [r0, #8]\n\t"
                   "ldrd r7, r8, [r0, #16]\n\t"
                   "ldrd r2, r4, [r0, #24]\n\t"
                   "vdup.32 q7, r2\n\t"
                   "adr.w r9, 1f\n\t"
                   "orr r9, r9, #1\n\t"
                   MW_OUTPUTS_MVE_CHOOSE(32, "")
                   "ldr r11, [r12], #4\n"
                   "2:\n\t"
                   "ldrd r0, r2, [r5], #8\n\t"
                   "ldrd r4, r6, [r5], #8\n\t"
                   "lsrs r3, r11, #16\n\t"
                   "dls lr, r3\n\t"
                   "uxtah r10, r9, r11\n\t"
                   "ldr r3, [sp, #12]\n\t"
                   "ldr r11, [r12], #4\n\t"
                   "bx r10\n\t"
                   ".balign 4\n"
                   "1:\n\t"
                   BLOCK("") BLOCK(", ror #8") BLOCK(", ror #16") BLOCK(", ror #24")
                   "ldr r11, [r12], #4\n\t"
                   "le lr, 1b\n\t"
                   MW_OUTPUTS_MVE("", LOAD_SCALES, NEXT)
                   "ldr r0, [sp, #16]\n\t"
                   "subs r12, r12, #4\n\t"
                   "strd r1, r12, [r0, #4]\n\t"
                   "str r5, [r0, #12]\n\t"
                   "add sp, sp, #20\n\t"
                   "vpop {d14-d15}\n\t"
                   "pop {r4-r11, pc}" ::
                       : "memory");
}

void mw_fully_connected_s8_sparse_mve(const struct mw_fully_connected_s8_sparse_mve *layer, const int8_t *in, int8_t *out,
                                      void *scratch)
{
    const int32_t in_len = layer->in_len;
    const int32_t whole = layer->out_len / GROUP * GROUP;
    const int32_t rest = layer->out_len - whole;
    struct groups groups = {
        .out_zp = layer->out_zp,
        .scale = (layer->per_channel ? MW_SCALE_CHANNELS : MW_SCALE_ALIKE) +
                 (layer->act_min < layer->out_zp ? MW_SCALE_NEGATIVE : 0),
        .mult = layer->mult,
        .shift = layer->shift,
    };
    int8_t *const line = scratch;
    for (int32_t b = 0; b < layer->batches; ++b) {
        const int8_t *x = in;
        if (in_len % VECTOR != 0) {
            mw_fill_mve(line + in_len / VECTOR * VECTOR, 0, VECTOR);
            mw_copy_mve(line, in, in_len);
            x = line;
        }
        groups.before = x - VECTOR;
        groups.weights = layer->weights;
        groups.steps = layer->steps;
        groups.outputs = layer->outputs;
        if (whole > 0) {
            groups.out = out;
            groups.count = whole / GROUP;
            run(&groups);
        }
        if (rest > 0) {
            int8_t last[GROUP];
            groups.out = last;
            groups.count = 1;
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
