#include "mw/rearrange.h"

#include <string.h>

static int32_t place(const struct mw_rearrange *layer, int loop, int32_t index)
{
    const int32_t table = layer->tables[loop];
    return table < 0 ? index * layer->steps[loop] : layer->places[table + index];
}

// The runs of the innermost loop, from `start` in `in`; returns where the next one goes.
static uint8_t *row(const struct mw_rearrange *layer, const uint8_t *in, int32_t start, uint8_t *out)
{
    const int32_t count = layer->extents[4];
    const int32_t bytes = layer->run_bytes;
    if (bytes == 1 && layer->tables[4] < 0 && start >= 0) {
        const int32_t step = layer->steps[4];
        for (int32_t e = 0; e < count; ++e) {
            *out++ = in[start + e * step];
        }
        return out;
    }
    for (int32_t e = 0; e < count; ++e, out += bytes) {
        const int32_t from = start + place(layer, 4, e);
        if (from < 0) {
            memset(out, layer->value, (size_t)bytes);
        } else {
            memmove(out, in + from, (size_t)bytes);
        }
    }
    return out;
}

void mw_rearrange(const struct mw_rearrange *layer, const void *in, void *out)
{
    const int32_t *const extents = layer->extents;
    uint8_t *to = (uint8_t *)out + layer->out_offset;
    for (int32_t a = 0; a < extents[0]; ++a) {
        const int32_t at_a = layer->in_offset + place(layer, 0, a);
        for (int32_t b = 0; b < extents[1]; ++b) {
            const int32_t at_b = at_a + place(layer, 1, b);
            for (int32_t c = 0; c < extents[2]; ++c) {
                const int32_t at_c = at_b + place(layer, 2, c);
                for (int32_t d = 0; d < extents[3]; ++d) {
                    to = row(layer, in, at_c + place(layer, 3, d), to);
                }
            }
        }
    }
}
