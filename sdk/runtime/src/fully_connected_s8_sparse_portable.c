#include "mw/fully_connected_s8_sparse_portable.h"

#include "mw/channel.h"

enum { OUTPUTS = 4, INPUTS = 4 }; // of a block

static int8_t scale(const uint32_t *words, int32_t acc, int32_t odd_zp)
{
    const int32_t less = (int32_t)(words[1] & 255u);
    const struct mw_channel channel = {
        .mult = (int32_t)words[0],
        .round = odd_zp * ((int32_t)1 << less),
        .exponent = less + 1,
    };
    return mw_channel_scale(channel, acc);
}

void mw_fully_connected_s8_sparse_portable(const struct mw_fully_connected_s8_sparse_portable *layer, const int8_t *in,
                                           int8_t *out)
{
    const int32_t odd_zp = 2 * layer->out_zp + 1;
    for (int32_t b = 0; b < layer->batches; ++b, in += layer->in_len, out += layer->out_len) {
        const int8_t *w = layer->weights;
        const uint8_t *step = layer->steps;
        const uint32_t *channel = layer->channels;
        for (int32_t c = 0; c < layer->out_len; c += OUTPUTS, channel += 2 * OUTPUTS) {
            int32_t acc0 = (int32_t)channel[1] >> 8;
            int32_t acc1 = (int32_t)channel[3] >> 8;
            int32_t acc2 = (int32_t)channel[5] >> 8;
            int32_t acc3 = (int32_t)channel[7] >> 8;
            for (int32_t at = -INPUTS; *step != 0; w += OUTPUTS * INPUTS) {
                at += INPUTS * *step++;
                const int8_t *const x = in + at;
                for (int i = 0; i < INPUTS; ++i) {
                    acc0 += x[i] * w[OUTPUTS * i];
                    acc1 += x[i] * w[OUTPUTS * i + 1];
                    acc2 += x[i] * w[OUTPUTS * i + 2];
                    acc3 += x[i] * w[OUTPUTS * i + 3];
                }
            }
            ++step;
            const int32_t acc[OUTPUTS] = {acc0, acc1, acc2, acc3};
            for (int32_t i = 0; i < OUTPUTS && c + i < layer->out_len; ++i) {
                out[c + i] = scale(channel + 2 * i, acc[i], odd_zp);
            }
        }
        mw_clamp_s8(out, layer->out_len, layer->act_min, layer->act_max);
    }
}
