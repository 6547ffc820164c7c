#include "mw/gather.h"

#include <string.h>

// Where a slice begins; -1 for none.
static int32_t place(const struct mw_gather *layer, const int32_t *indices)
{
    int32_t sum = 0;
    for (int32_t k = 0; k < layer->depth; ++k) {
        if (indices[k] < 0 || indices[k] >= layer->extents[k]) {
            return -1;
        }
        sum += indices[k] * layer->strides[k];
    }
    return sum;
}

void mw_gather(const struct mw_gather *layer, const void *in, const int32_t *indices, void *out)
{
    const uint8_t *from = in;
    uint8_t *to = out;
    for (int32_t b = 0; b < layer->batches; ++b, indices += layer->count * layer->depth) {
        for (int32_t o = 0; o < layer->outer; ++o, from += layer->outer_bytes) {
            for (int32_t i = 0; i < layer->count; ++i, to += layer->run_bytes) {
                const int32_t at = place(layer, indices + i * layer->depth);
                if (at < 0) {
                    memset(to, 0, (size_t)layer->run_bytes);
                } else {
                    memcpy(to, from + at, (size_t)layer->run_bytes);
                }
            }
        }
    }
}
