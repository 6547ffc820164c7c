#include "mw/fully_connected_s8_portable.h"

#include "mw/requantize.h"

#define CHANNELS 8

// Adds to the sums of eight channels; their weights are interleaved. Sums may wrap.
#if defined(__thumb2__) && defined(__GNUC__)

// r0 input, r1 inputs, r2 where groups of four begin, r3 weights, r4-r11 sums, r12 end, lr weight.
#define ONE(sum) \
    "ldrb lr, [r3], #1\n\t" \
    "mla " sum ", r0, lr, " sum "\n\t"
#define STEP \
    "ldrsb r0, [r1], #1\n\t" ONE("r4") ONE("r5") ONE("r6") ONE("r7") ONE("r8") ONE("r9") ONE("r10") ONE("r11")

__attribute__((naked)) static void accumulate(uint32_t sums[CHANNELS] __attribute__((unused)),
                                              const int8_t *in __attribute__((unused)),
                                              int32_t count __attribute__((unused)),
                                              const uint8_t *w __attribute__((unused)))
{
    __asm volatile("push {r0, r4-r11, lr}\n\t"
                   "add r12, r1, r2\n\t"
                   "and r2, r2, #3\n\t"
                   "add r2, r1, r2\n\t"
                   "ldmia r0, {r4-r11}\n\t"
                   "b 2f\n"
                   "1:\n\t" STEP
                   "2:\n\t"
                   "cmp r1, r2\n\t"
                   "bne 1b\n\t"
                   "b 4f\n"
                   "3:\n\t" STEP STEP STEP STEP
                   "4:\n\t"
                   "cmp r1, r12\n\t"
                   "bne.w 3b\n\t"
                   "ldr r0, [sp]\n\t"
                   "stmia r0, {r4-r11}\n\t"
                   "pop {r0, r4-r11, pc}\n\t");
}

#elif defined(__thumb__) && defined(__GNUC__)

// Four channels at a time, for want of registers: r0 inputs, r1 weights, r2 input, r3 weight, r4-r7 sums, r12 end, lr where
// groups of four begin.
#define ONE(at, sum) \
    "ldrb r3, [r1, #" #at "]\n\t" \
    "muls r3, r2\n\t" \
    "adds " sum ", " sum ", r3\n\t"
#define STEP(at, w0, w1, w2, w3) \
    "ldrb r2, [r0, #" #at "]\n\t" \
    "sxtb r2, r2\n\t" ONE(w0, "r4") ONE(w1, "r5") ONE(w2, "r6") ONE(w3, "r7")

__attribute__((naked)) static void accumulate_four(uint32_t sums[4] __attribute__((unused)),
                                                   const int8_t *in __attribute__((unused)),
                                                   int32_t count __attribute__((unused)),
                                                   const uint8_t *w __attribute__((unused)))
{
    __asm volatile(".syntax unified\n\t"
                   "push {r0, r4-r7, lr}\n\t"
                   "adds r4, r1, r2\n\t"
                   "mov r12, r4\n\t"
                   "movs r5, #3\n\t"
                   "ands r2, r5\n\t"
                   "adds r2, r1, r2\n\t"
                   "mov lr, r2\n\t"
                   "ldmia r0!, {r4-r7}\n\t"
                   "mov r0, r1\n\t"
                   "mov r1, r3\n\t"
                   "b 2f\n"
                   "1:\n\t" STEP(0, 0, 1, 2, 3)
                   "adds r0, #1\n\t"
                   "adds r1, #8\n"
                   "2:\n\t"
                   "cmp r0, lr\n\t"
                   "bne 1b\n\t"
                   "b 4f\n"
                   "3:\n\t" STEP(0, 0, 1, 2, 3) STEP(1, 8, 9, 10, 11) STEP(2, 16, 17, 18, 19) STEP(3, 24, 25, 26, 27)
                   "adds r0, #4\n\t"
                   "adds r1, #32\n"
                   "4:\n\t"
                   "cmp r0, r12\n\t"
                   "bne 3b\n\t"
                   "ldr r0, [sp]\n\t"
                   "stmia r0!, {r4-r7}\n\t"
                   "pop {r0, r4-r7, pc}\n\t");
}

static void accumulate(uint32_t sums[CHANNELS], const int8_t *in, int32_t count, const uint8_t *w)
{
    accumulate_four(sums, in, count, w);
    accumulate_four(sums + 4, in, count, w + 4);
}

#else

static void accumulate(uint32_t sums[CHANNELS], const int8_t *in, int32_t count, const uint8_t *w)
{
    for (int32_t i = 0; i < count; ++i, w += CHANNELS) {
        for (int c = 0; c < CHANNELS; ++c) {
            sums[c] += (uint32_t)(in[i] * w[c]);
        }
    }
}

#endif

static uint32_t accumulate_one(uint32_t sum, const int8_t *in, int32_t count, const uint8_t *w)
{
    for (const int8_t *const end = in + (count & 3); in != end;) {
        sum += (uint32_t)(*in++ * *w++);
    }
    for (const int8_t *const end = in + (count & ~3); in != end; in += 4, w += 4) {
        sum += (uint32_t)(in[0] * w[0]);
        sum += (uint32_t)(in[1] * w[1]);
        sum += (uint32_t)(in[2] * w[2]);
        sum += (uint32_t)(in[3] * w[3]);
    }
    return sum;
}

// What the offset of the weights adds to each sum.
static uint32_t excess(const int8_t *in, int32_t count)
{
    int32_t sum = 0;
    for (const int8_t *const end = in + (count & 3); in != end;) {
        sum += *in++;
    }
    for (const int8_t *const end = in + (count & ~3); in != end; in += 4) {
        sum += in[0] + in[1] + in[2] + in[3];
    }
    return (uint32_t)sum * 128u;
}

// Outputs of `count` channels.
static void store(const struct mw_fully_connected_s8_portable *layer, const uint32_t *sums, const uint32_t *channel,
                  int32_t count, int8_t *out)
{
    const int own = layer->mult == 0;
    const int32_t zp = 2 * layer->out_zp + 1;
    int32_t mult = layer->mult;
    int32_t exponent = layer->exponent;
    for (int8_t *const end = out + count; out != end; channel += 2) {
        const int32_t acc = (int32_t)*sums++;
        if (own) {
            mult = (int32_t)((channel[1] & 0x3fffffffu) | 0x40000000u);
            exponent = (int32_t)((channel[0] & 7u) | (channel[1] >> 30 << 3));
        }
        const int32_t round = zp * ((int32_t)1 << (exponent - 1));
        const int64_t start = ((int64_t)round * 2 + 1) * ((int64_t)1 << 31);
        const int32_t high = (int32_t)((start + (int64_t)(2 * acc) * mult) >> 32);
        // Ties go away from zero: below it, a little less is added.
        *out++ = mw_saturate_s8((high + (acc >> 31)) >> exponent);
    }
}

static void clamp(int8_t *values, int32_t count, int32_t low, int32_t high)
{
    if (low > INT8_MIN || high < INT8_MAX) {
        for (int32_t i = 0; i < count; ++i) {
            values[i] = (int8_t)mw_clamp(values[i], low, high);
        }
    }
}

void mw_fully_connected_s8_portable(const struct mw_fully_connected_s8_portable *layer, const int8_t *in, int8_t *out)
{
    const int32_t in_len = layer->in_len;
    const int own = layer->mult == 0;
    for (int32_t b = 0; b < layer->batches; ++b, in += in_len, out += layer->out_len) {
        const uint8_t *weights = layer->weights;
        const uint32_t start = 0u - excess(in, in_len);
        const uint32_t *channels = layer->channels;
        for (int32_t left = layer->out_len; left > 0; left -= CHANNELS, channels += own ? 2 * CHANNELS : CHANNELS) {
            const int32_t count = left < CHANNELS ? left : CHANNELS;
            uint32_t sums[CHANNELS];
            for (int32_t c = 0; c < count; ++c) {
                sums[c] = start + (own ? (uint32_t)((int32_t)channels[2 * c] >> 3) : channels[c]);
            }
            if (count == CHANNELS) {
                accumulate(sums, in, in_len, weights);
                weights += CHANNELS * in_len;
            } else {
                for (int32_t c = 0; c < count; ++c, weights += in_len) {
                    sums[c] = accumulate_one(sums[c], in, in_len, weights);
                }
            }
            store(layer, sums, channels, count, out + (layer->out_len - left));
        }
        clamp(out, layer->out_len, layer->act_min, layer->act_max);
    }
}
