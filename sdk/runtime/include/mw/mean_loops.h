// The loops of sums and means over axes, whatever their types. Before including this, define
//   MW_LAYER   the parameters' type, with the members of struct mw_mean_s8 that say sizes and strides
//   MW_VALUE, MW_SUM   types of values and of sums, which start from 0 and go through the tensor in order
//   output(layer, sum)           makes an output value of a sum

#ifndef MW_MEAN_LOOPS_H
#define MW_MEAN_LOOPS_H

// Sum over the reduced axes, from the first value.
static MW_SUM sum_of(const MW_LAYER *layer, const MW_VALUE *in)
{
    MW_SUM sum = 0;
    for (int32_t i = 0; i < layer->reduce_size[0]; ++i) {
        for (int32_t j = 0; j < layer->reduce_size[1]; ++j) {
            const MW_VALUE *const line = in + i * layer->reduce_stride[0] + j * layer->reduce_stride[1];
            for (int32_t k = 0; k < layer->reduce_size[2]; ++k) {
                sum += line[k * layer->reduce_stride[2]];
            }
        }
    }
    return sum;
}

static void mean(const MW_LAYER *layer, const MW_VALUE *in, MW_VALUE *out)
{
    for (int32_t i = 0; i < layer->keep_size[0]; ++i) {
        for (int32_t j = 0; j < layer->keep_size[1]; ++j) {
            const MW_VALUE *const line = in + i * layer->keep_stride[0] + j * layer->keep_stride[1];
            for (int32_t k = 0; k < layer->keep_size[2]; ++k) {
                *out++ = output(layer, sum_of(layer, line + k * layer->keep_stride[2]));
            }
        }
    }
}

#endif
