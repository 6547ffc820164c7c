#include "mw/lookup_8.h"

void mw_lookup_8(const struct mw_lookup_8 *layer, const void *in, void *out)
{
    const uint8_t *from = in;
    uint8_t *to = out;
    for (int32_t i = 0; i < layer->elements; ++i) {
        to[i] = layer->table[from[i]];
    }
}
