#include "mw/depthwise_conv_2d_s8_dsp.h"

#include "mw/dsp.h"
#include "mw/gemm_dsp.h"
#include "mw/window.h"

struct channel {
    int32_t bias, mult, round, exponent;
};

// The taps of a window that lie inside the image.
struct taps {
    const int8_t *in, *weights;
    int32_t rows, columns;
    int32_t in_row, in_step, weights_row, channels;
    uint32_t minus_zp; // twice
};

static int8_t requantize(int32_t sum, const struct channel *channel, const struct mw_depthwise_conv_2d_s8_dsp *layer)
{
    const int8_t value = mw_requantize_dsp(sum, channel->mult, channel->round, channel->exponent);
    return (value < layer->act_min ? layer->act_min : value > layer->act_max ? layer->act_max : value);
}

static void sum_four(const struct taps *taps, int32_t first, int32_t sums[4])
{
    int32_t sum0 = sums[0], sum1 = sums[1], sum2 = sums[2], sum3 = sums[3];
    const uint32_t minus_zp = taps->minus_zp;
    for (int32_t row = 0; row < taps->rows; ++row) {
        const int8_t *in = taps->in + first + row * taps->in_row;
        const int8_t *weights = taps->weights + first + row * taps->weights_row;
        for (int32_t column = taps->columns; column > 0; --column) {
            const uint32_t word = mw_load32(in);
            const uint32_t w = mw_load32(weights);
            const uint32_t even = mw_sxtab16(minus_zp, word);
            const uint32_t odd = mw_sxtab16_odd(minus_zp, word);
            const uint32_t w_even = mw_sxtb16(w);
            const uint32_t w_odd = mw_sxtb16_odd(w);
            sum0 = mw_smlabb(even, w_even, sum0);
            sum1 = mw_smlabb(odd, w_odd, sum1);
            sum2 = mw_smlatt(even, w_even, sum2);
            sum3 = mw_smlatt(odd, w_odd, sum3);
            in += taps->in_step;
            weights += taps->channels;
        }
    }
    sums[0] = sum0;
    sums[1] = sum1;
    sums[2] = sum2;
    sums[3] = sum3;
}

static int32_t sum_one(const struct taps *taps, int32_t channel, int32_t in_zp, int32_t sum)
{
    for (int32_t row = 0; row < taps->rows; ++row) {
        for (int32_t column = 0; column < taps->columns; ++column) {
            sum += (taps->in[channel + row * taps->in_row + column * taps->in_step] - in_zp) *
                   taps->weights[channel + row * taps->weights_row + column * taps->channels];
        }
    }
    return sum;
}

static void pixel(const struct mw_depthwise_conv_2d_s8_dsp *layer, const struct channel *channels,
                  const struct taps *taps, int8_t *out)
{
    const int32_t count = layer->channels;
    for (int32_t c = 0; c + 4 <= count; c += 4) {
        int32_t sums[4];
        for (int i = 0; i < 4; ++i) {
            sums[i] = channels[c + i].bias;
        }
        sum_four(taps, c, sums);
        for (int i = 0; i < 4; ++i) {
            out[c + i] = requantize(sums[i], channels + c + i, layer);
        }
    }
    for (int32_t c = count & ~3; c < count; ++c) {
        out[c] = requantize(sum_one(taps, c, layer->in_zp, channels[c].bias), channels + c, layer);
    }
}

void mw_depthwise_conv_2d_s8_dsp(const struct mw_depthwise_conv_2d_s8_dsp *layer, const int8_t *in, int8_t *out,
                                 void *scratch)
{
    struct channel *const channels = scratch;
    const struct mw_gemm_channels_dsp scales = {layer->scales, layer->channel_bytes};
    for (int32_t c = 0; c < layer->channels; ++c) {
        const struct mw_gemm_scale_dsp scale = mw_gemm_dsp_scale(scales, c, 0, layer->out_zp);
        channels[c] = (struct channel){mw_gemm_dsp_bias(scales, c), scale.mult, scale.round, scale.exponent};
    }
    const int32_t in_row = layer->in_w * layer->channels;
    const uint16_t minus_zp = (uint16_t)-layer->in_zp;
    struct taps taps = {.in_row = layer->dilation_h * in_row,
                        .in_step = layer->dilation_w * layer->channels,
                        .weights_row = layer->filter_w * layer->channels,
                        .channels = layer->channels,
                        .minus_zp = minus_zp | (uint32_t)minus_zp << 16};
    for (int32_t oy = 0; oy < layer->out_h; ++oy) {
        const int32_t top = oy * layer->stride_h - layer->pad_top;
        const struct mw_taps ys = mw_taps_inside(top, layer->dilation_h, layer->filter_h, layer->in_h);
        taps.rows = ys.end - ys.first;
        for (int32_t ox = 0; ox < layer->out_w; ++ox) {
            const int32_t left = ox * layer->stride_w - layer->pad_left;
            const struct mw_taps xs = mw_taps_inside(left, layer->dilation_w, layer->filter_w, layer->in_w);
            taps.columns = xs.end - xs.first;
            taps.in = in;
            taps.weights = layer->weights;
            if (taps.rows > 0 && taps.columns > 0) {
                taps.in += (top + ys.first * layer->dilation_h) * in_row +
                           (left + xs.first * layer->dilation_w) * layer->channels;
                taps.weights += ys.first * taps.weights_row + xs.first * layer->channels;
            }
            pixel(layer, channels, &taps, out);
            out += layer->channels;
        }
    }
}
