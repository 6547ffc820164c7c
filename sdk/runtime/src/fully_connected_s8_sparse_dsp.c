#include "mw/fully_connected_s8_sparse_dsp.h"

#include <string.h>

#include "mw/channel_words_dsp.h"
#include "mw/code.h"
#include "mw/gemm_dsp.h"

enum { BLOCK_WORDS = 2 }; // of inputs, two each

struct fours {
    int32_t odd_zp;
    int8_t *out;
    const uint32_t *channels;
    const uint32_t *x;
};

// r0 inputs, r1 weights, r2 and r3 inputs of a block, r4 the steps of a round, r5 where the run ends, r6 and r8 sums of channel
// 0 and 2, r7 and r9 of these + 256 * the next one's, r10-r12 and lr weights of a block. Between runs r12 channels,
// r10 odd_zp, r11 out.
// The frame: [sp] odd_zp, [sp, #4] out, [sp, #8] channels, [sp, #12] x, [sp, #16] sums of channels 1 and 3 over earlier runs.
#define MAC(x, w, sum, sums) \
    "smlad " sums ", " x ", " w ", " sums "\n\t" \
    "sxtb16 " w ", " w "\n\t" \
    "smlad " sum ", " x ", " w ", " sum "\n\t"
#define BLOCK(ROTATE) \
    "uxtab r0, r0, r4" ROTATE "\n\t" \
    "ldrd r2, r3, [r0]\n\t" \
    "ldmia.w r1!, {r10, r11, r12, lr}\n\t" \
    MAC("r2", "r10", "r6", "r7") MAC("r2", "r11", "r8", "r9") MAC("r3", "r12", "r6", "r7") MAC("r3", "lr", "r8", "r9")

#define STORE(sum, mult, word) MW_CHANNEL_WORDS_STORE(sum, mult, word, "r10", "lr", "r11")

// Channels up to the word 0; returns where it ends. What is below the bias in r5 and r9 is lost when a pair is taken apart.
__attribute__((naked)) static const uint32_t *compute_fours(const struct fours *fours __attribute__((unused)),
                                                            const uint32_t *weights __attribute__((unused)))
{
    __asm volatile("push {r4-r11, lr}\n\t"
                   "ldm r0, {r2, r3, r4, r5}\n\t"
                   "movs r6, #0\n\t"
                   "movs r7, #0\n\t"
                   "push {r2-r7}\n\t"
                   "mov r12, r4\n\t"
                   "ldr r4, [r1], #4\n"
                   "3:\n\t"
                   "ldm.w r12, {r0, r2, r3, r5, r6, r7, r8, r9}\n\t"
                   "asr r6, r2, #8\n\t"
                   "asr r8, r7, #8\n\t"
                   "add r7, r6, r5\n\t"
                   "add r9, r9, r8\n\t"
                   "ldr r0, [sp, #12]\n"
                   "4:\n\t"
                   "uxtb r2, r4\n\t"
                   "add r5, r1, r4, lsr #8\n\t"
                   "ldr r4, [r1], #4\n\t"
                   "add pc, r2\n\t"
                   "nop\n"
                   "1:\n\t"
                   BLOCK("") BLOCK(", ror #8") BLOCK(", ror #16") BLOCK(", ror #24")
                   "2:\n\t"
                   MW_CODE_BYTES("1b", "2b", "4 * 60")
                   "ldr r4, [r1], #4\n\t"
                   "cmp r1, r5\n\t"
                   "bne.w 1b\n\t"
                   "sub r7, r7, r6\n\t"
                   "sub r9, r9, r8\n\t"
                   "cmp r4, #0\n\t"
                   "bmi.n 5f\n\t"
                   "asr r7, r7, #7\n\t"
                   "asr r9, r9, #7\n"
                   "6:\n\t"
                   "ldm.w sp, {r10, r11, r12}\n\t"
                   "lsl r6, r6, #1\n\t"
                   "lsl r8, r8, #1\n\t"
                   "ldmia.w r12!, {r0, r2, r3, r5}\n\t" STORE("r6", "r0", "r2") STORE("r7", "r3", "r5")
                   "ldmia.w r12!, {r0, r2, r3, r5}\n\t" STORE("r8", "r0", "r2") STORE("r9", "r3", "r5")
                   "strd r11, r12, [sp, #4]\n\t"
                   "bne.w 3b\n\t"
                   "add sp, sp, #24\n\t"
                   "mov r0, r1\n\t"
                   "pop {r4-r11, pc}\n"
                   // A run was not the only one of its four channels.
                   "5:\n\t"
                   "ldrd r2, r3, [sp, #16]\n\t"
                   "add r7, r2, r7, asr #8\n\t"
                   "add r9, r3, r9, asr #8\n\t"
                   "lsls r2, r4, #1\n\t"
                   "bic r4, r4, #0xc0000000\n\t"
                   "bmi.n 7f\n\t"
                   "movs r2, #0\n\t"
                   "movs r3, #0\n\t"
                   "strd r2, r3, [sp, #16]\n\t"
                   "lsl r7, r7, #1\n\t"
                   "lsl r9, r9, #1\n\t"
                   "cmp r4, #0\n\t"
                   "b.n 6b\n"
                   "7:\n\t"
                   "strd r7, r9, [sp, #16]\n\t"
                   "mov r7, r6\n\t"
                   "mov r9, r8\n\t"
                   "b.n 4b\n\t");
}

void mw_fully_connected_s8_sparse_dsp(const struct mw_fully_connected_s8_sparse_dsp *layer, const int8_t *in, int8_t *out,
                                      void *scratch)
{
    uint32_t *const x = scratch;
    const int32_t rest = layer->out_len & 3;
    const int32_t whole = layer->out_len - rest;
    for (int32_t b = 0; b < layer->batches; ++b, in += layer->in_len, out += layer->out_len) {
        const uint32_t *weights = layer->weights;
        struct fours fours = {2 * layer->out_zp + 1, out, layer->channels, x};
        mw_expand_dsp(x, x + BLOCK_WORDS * layer->blocks, in, layer->in_len);
        if (whole > 0) {
            weights = compute_fours(&fours, weights);
        }
        if (rest > 0) {
            int8_t last[4];
            fours.out = last;
            fours.channels += 2 * whole;
            compute_fours(&fours, weights);
            memcpy(out + whole, last, (size_t)rest);
        }
        if (layer->act_min > INT8_MIN || layer->act_max < INT8_MAX) {
            mw_clamp_dsp(out, layer->out_len, layer->act_min, layer->act_max);
        }
    }
}
