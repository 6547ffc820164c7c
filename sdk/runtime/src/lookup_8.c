#include "mw/lookup_8.h"

void mw_lookup_8(const struct mw_lookup_8 *layer, const void *in, void *out)
{
    const uint8_t *const table = layer->table;
    const uint8_t *from = in;
    uint8_t *to = out;
    for (const uint8_t *const end = from + (layer->elements & ~3); from != end; from += 4, to += 4) {
        to[0] = table[from[0]];
        to[1] = table[from[1]];
        to[2] = table[from[2]];
        to[3] = table[from[3]];
    }
    for (int32_t left = layer->elements & 3; left > 0; --left) {
        *to++ = table[*from++];
    }
}
