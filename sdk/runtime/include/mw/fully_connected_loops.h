// The loops of the plain fully connected layers, whatever their types. Before including this, define
//   MW_LAYER   the parameters' type, with batches, in_len, out_len and weights
//   MW_VALUE, MW_WEIGHT, MW_SUM   types of vectors, weights and accumulator
//   mac(layer, sum, in, weights, count)  adds the products of a row, in order
//   output(layer, sum, channel)          makes an output value of the sum of all, which starts from 0

#ifndef MW_FULLY_CONNECTED_LOOPS_H
#define MW_FULLY_CONNECTED_LOOPS_H

#include <stddef.h>
#include <stdint.h>

static void fully_connected(const MW_LAYER *layer, const MW_VALUE *in, MW_VALUE *out)
{
    for (int32_t b = 0; b < layer->batches; ++b) {
        const MW_WEIGHT *weights = layer->weights;
        for (int32_t o = 0; o < layer->out_len; ++o) {
            *out++ = output(layer, mac(layer, 0, in, weights, layer->in_len), o);
            weights += layer->in_len;
        }
        in += layer->in_len;
    }
}

#endif
