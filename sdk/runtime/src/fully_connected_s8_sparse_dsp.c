#include "mw/fully_connected_s8_sparse_dsp.h"

#include "mw/channel_words_dsp.h"
#include "mw/gemm_dsp.h"

#define LAST_RUN 0x80000000u

enum { BLOCK_WORDS = 2 }; // of inputs, two each

// Of four channels.
struct sums {
    int32_t acc[4];
    const uint32_t *x; // the block of inputs that was read last, before that the first one
};

// Adds a run of blocks, given its first word without LAST_RUN; returns where it ends. r0 inputs, r1 weights, r2 and r3 inputs of a block, r4 the bytes of a round,
// r5 where the weights end, r6 and r8 sums of channel 0 and 2, r7 and r9 of these + 256 * the next one's, r10-r12 and lr
// weights of a block.
#define MAC(x, w, sum, sums) \
    "smlad " sums ", " x ", " w ", " sums "\n\t" \
    "sxtb16 " w ", " w "\n\t" \
    "smlad " sum ", " x ", " w ", " sum "\n\t"
#define BLOCK(ROTATE) \
    "uxtab r0, r0, r4" ROTATE "\n\t" \
    "ldrd r2, r3, [r0]\n\t" \
    "ldmia.w r1!, {r10, r11, r12, lr}\n\t" \
    MAC("r2", "r10", "r6", "r7") MAC("r2", "r11", "r8", "r9") MAC("r3", "r12", "r6", "r7") MAC("r3", "lr", "r8", "r9")

__attribute__((naked)) static const uint32_t *add_run(struct sums *sums __attribute__((unused)),
                                                      const uint32_t *weights __attribute__((unused)),
                                                      uint32_t run __attribute__((unused)))
{
    __asm volatile("push {r0, r4-r11, lr}\n\t"
                   "ldr r6, [r0]\n\t"
                   "ldr r8, [r0, #8]\n\t"
                   "ldr r0, [r0, #16]\n\t"
                   "bic r5, r2, #3\n\t"
                   "and r2, r2, #3\n\t"
                   "adr.w r3, 1f\n\t"
                   "movs r4, #60\n\t"
                   "mla r2, r2, r4, r3\n\t"
                   "orr r2, r2, #1\n\t"
                   "add r5, r5, r1\n\t"
                   "adds r5, r5, #4\n\t"
                   "mov r7, r6\n\t"
                   "mov r9, r8\n\t"
                   "ldr r4, [r1], #4\n\t"
                   "bx r2\n\t"
                   ".balign 4\n"
                   "1:\n\t"
                   BLOCK("") BLOCK(", ror #8") BLOCK(", ror #16") BLOCK(", ror #24")
                   "2:\n\t"
                   ".if (2b - 1b) != 4 * 60\n\t"
                   ".error \"the block's size\"\n\t"
                   ".endif\n\t"
                   "ldr r4, [r1], #4\n\t"
                   "cmp r1, r5\n\t"
                   "bne.w 1b\n\t"
                   "sub r7, r7, r6\n\t"
                   "sub r9, r9, r8\n\t"
                   "pop {r5}\n\t"
                   "ldr r2, [r5, #4]\n\t"
                   "ldr r4, [r5, #12]\n\t"
                   "add r7, r2, r7, asr #8\n\t"
                   "add r9, r4, r9, asr #8\n\t"
                   "str r0, [r5, #16]\n\t"
                   "stmia r5, {r6, r7, r8, r9}\n\t"
                   "subs r0, r1, #4\n\t"
                   "pop {r4-r11, pc}\n\t");
}

void mw_fully_connected_s8_sparse_dsp(const struct mw_fully_connected_s8_sparse_dsp *layer, const int8_t *in, int8_t *out,
                                      void *scratch)
{
    uint32_t *const x = scratch;
    const int32_t odd_zp = 2 * layer->out_zp + 1;
    for (int32_t b = 0; b < layer->batches; ++b, in += layer->in_len) {
        const uint32_t *weights = layer->weights;
        const uint32_t *channel = layer->channels;
        int8_t *const row = out;
        mw_expand_dsp(x, x + BLOCK_WORDS * layer->blocks, in, layer->in_len);
        for (int32_t left = layer->out_len; left > 0; left -= 4, channel += 8) {
            struct sums sums = {.x = x};
            for (int c = 0; c < 4; ++c) {
                sums.acc[c] = mw_channel_words_bias(channel + 2 * c);
            }
            uint32_t run;
            do {
                run = *weights++;
                if ((run & ~LAST_RUN) != 0) {
                    weights = add_run(&sums, weights, run & ~LAST_RUN);
                }
            } while ((run & LAST_RUN) == 0);
            for (int32_t c = 0; c < 4 && c < left; ++c) {
                *out++ = mw_channel_words_scale(channel + 2 * c, sums.acc[c], odd_zp);
            }
        }
        if (layer->act_min > INT8_MIN || layer->act_max < INT8_MAX) {
            mw_clamp_dsp(row, layer->out_len, layer->act_min, layer->act_max);
        }
    }
}
