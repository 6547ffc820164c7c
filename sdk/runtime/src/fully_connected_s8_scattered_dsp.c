#include "mw/fully_connected_s8_scattered_dsp.h"

#include "mw/channel_words_dsp.h"
#include "mw/code.h"
#include "mw/gemm_dsp.h"

struct row {
    const int8_t *in;
    int32_t odd_zp;
    int8_t *out;
    const uint32_t *channels;
    const int8_t *out_end;
};

// r0 input, r1 weights, r2 two weights and their steps, r3 an input's value, r4 where the channel's weights end, r5 sum, r6 and
// r7 the channel's words, r8 inputs, r9 two weights, r10 odd_zp, r11 out, r12 channels, lr where the outputs end. A round
// takes eight weights, the first one what is left over of them.
__attribute__((naked)) static void compute(const struct row *row __attribute__((unused)),
                                           const uint32_t *weights __attribute__((unused)))
{
    __asm volatile("push {r4-r11, lr}\n\t"
                   "ldm.w r0, {r8, r10, r11, r12, lr}\n"
                   "3:\n\t"
                   "ldr r4, [r1], #4\n\t"
                   "ldrd r6, r7, [r12], #8\n\t"
                   "mov r0, r8\n\t"
                   "uxtb r2, r4\n\t"
                   "asr r5, r7, #8\n\t"
                   "add r4, r1, r4, lsr #8\n\t"
                   "add pc, r2\n\t"
                   "nop\n"
                   "1:\n\t"
                   ".rept 4\n\t"
                   "ldr r2, [r1], #4\n\t"
                   "uxtab r0, r0, r2, ror #8\n\t"
                   "ldrsb r3, [r0]\n\t"
                   "sxtb16 r9, r2\n\t"
                   "smlabb r5, r3, r9, r5\n\t"
                   "uxtab r0, r0, r2, ror #24\n\t"
                   "ldrsb r3, [r0]\n\t"
                   "smlabt r5, r3, r9, r5\n\t"
                   ".endr\n"
                   "2:\n\t"
                   MW_CODE_BYTES("1b", "2b", "4 * 32")
                   "cmp r1, r4\n\t"
                   "bne.n 1b\n\t"
                   "lsl r5, r5, #1\n\t" MW_CHANNEL_WORDS_STORE("r5", "r6", "r7", "r10", "r2", "r11")
                   "cmp r11, lr\n\t"
                   "bne.n 3b\n\t"
                   "pop {r4-r11, pc}\n\t");
}

void mw_fully_connected_s8_scattered_dsp(const struct mw_fully_connected_s8_scattered_dsp *layer, const int8_t *in,
                                         int8_t *out)
{
    for (int32_t b = 0; b < layer->batches; ++b, in += layer->in_len, out += layer->out_len) {
        const struct row row = {in, 2 * layer->out_zp + 1, out, layer->channels, out + layer->out_len};
        compute(&row, layer->weights);
        if (layer->act_min > INT8_MIN || layer->act_max < INT8_MAX) {
            mw_clamp_dsp(out, layer->out_len, layer->act_min, layer->act_max);
        }
    }
}
