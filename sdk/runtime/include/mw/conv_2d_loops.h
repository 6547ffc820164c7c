// The loops of the plain 2D convolutions, whatever their types. Before including this, define
//   MW_LAYER   the parameters' type, with the members of struct mw_conv_2d_s8 that say shapes and steps
//   MW_VALUE, MW_WEIGHT, MW_SUM   types of image, weights and accumulator
//   mac(layer, sum, in, weights, count)  adds the products of a run, in order
//   output(layer, sum, channel)          makes an output value of the sum of all
// The sum starts from 0 and goes through the window by row, column, channel.

#ifndef MW_CONV_2D_LOOPS_H
#define MW_CONV_2D_LOOPS_H

#include "mw/window.h"

// The part of a window that lies inside the image: `rows` rows of `runs` runs of `run` contiguous values.
struct region {
    const MW_VALUE *in;      // first value, of group 0
    int32_t weights_offset;  // of the weight for that value, from the channel's first
    int32_t rows, runs, run; // all 0 for a window that is outside
};

static struct region region_at(const MW_LAYER *layer, const MW_VALUE *in, int32_t top, int32_t left, struct mw_taps ys,
                               struct mw_taps xs)
{
    const int32_t rows = ys.end - ys.first;
    const int32_t columns = xs.end - xs.first;
    if (rows == 0 || columns == 0) {
        return (struct region){in, 0, 0, 0, 0};
    }
    const int32_t y = top + ys.first * layer->dilation_h;
    const int32_t x = left + xs.first * layer->dilation_w;
    // Where a row of taps is contiguous in the image as it is in the weights, it is one run.
    const int contiguous = layer->groups == 1 && layer->dilation_w == 1;
    return (struct region){
        .in = in + (y * layer->in_w + x) * layer->in_ch,
        .weights_offset = (ys.first * layer->filter_w + xs.first) * layer->group_in_ch,
        .rows = rows,
        .runs = contiguous ? 1 : columns,
        .run = contiguous ? columns * layer->in_ch : layer->group_in_ch,
    };
}

static MW_SUM sum_of(const MW_LAYER *layer, const struct region *region, const MW_VALUE *in, const MW_WEIGHT *weights)
{
    const int32_t in_step = layer->dilation_w * layer->in_ch;
    const int32_t in_row = layer->dilation_h * layer->in_w * layer->in_ch;
    const int32_t weights_row = layer->filter_w * layer->group_in_ch;
    MW_SUM sum = 0;
    for (int32_t row = 0; row < region->rows; ++row) {
        for (int32_t r = 0; r < region->runs; ++r) {
            sum = mac(layer, sum, in + row * in_row + r * in_step, weights + row * weights_row + r * layer->group_in_ch,
                      region->run);
        }
    }
    return sum;
}

static void conv_2d(const MW_LAYER *layer, const MW_VALUE *in, MW_VALUE *out)
{
    const int32_t weights_ch = layer->filter_h * layer->filter_w * layer->group_in_ch;
    const int32_t group_out_ch = layer->out_ch / layer->groups;

    for (int32_t b = 0; b < layer->batches; ++b) {
        for (int32_t oy = 0; oy < layer->out_h; ++oy) {
            const int32_t top = oy * layer->stride_h - layer->pad_top;
            const struct mw_taps ys = mw_taps_inside(top, layer->dilation_h, layer->filter_h, layer->in_h);

            for (int32_t ox = 0; ox < layer->out_w; ++ox) {
                const int32_t left = ox * layer->stride_w - layer->pad_left;
                const struct mw_taps xs = mw_taps_inside(left, layer->dilation_w, layer->filter_w, layer->in_w);
                const struct region region = region_at(layer, in, top, left, ys, xs);
                const MW_WEIGHT *weights = layer->weights + region.weights_offset;
                int32_t o = 0;

                for (int32_t g = 0; g < layer->groups; ++g) {
                    const MW_VALUE *const group_in = region.in + g * layer->group_in_ch;
                    for (const int32_t end = o + group_out_ch; o < end; ++o) {
                        *out++ = output(layer, sum_of(layer, &region, group_in, weights), o);
                        weights += weights_ch;
                    }
                }
            }
        }
        in += layer->in_h * layer->in_w * layer->in_ch;
    }
}

#endif
