#include "mw/pad_s8.h"

#include <string.h>

static int8_t *fill(int8_t *out, int value, int32_t bytes)
{
    memset(out, value, (size_t)bytes);
    return out + bytes;
}

void mw_pad_s8(const struct mw_pad_s8 *layer, const int8_t *in, int8_t *out)
{
    const int32_t *extents = layer->extents;
    const int32_t *before = layer->before;
    const int32_t *after = layer->after;
    const int value = layer->value;
    // Bytes of one output element along axes 0, 1 and 2.
    const int32_t bytes2 = before[3] + extents[3] + after[3];
    const int32_t bytes1 = (before[2] + extents[2] + after[2]) * bytes2;
    const int32_t bytes0 = (before[1] + extents[1] + after[1]) * bytes1;

    out = fill(out, value, before[0] * bytes0);
    for (int32_t a = 0; a < extents[0]; ++a) {
        out = fill(out, value, before[1] * bytes1);
        for (int32_t b = 0; b < extents[1]; ++b) {
            out = fill(out, value, before[2] * bytes2);
            for (int32_t c = 0; c < extents[2]; ++c) {
                out = fill(out, value, before[3]);
                memmove(out, in, (size_t)extents[3]);
                in += extents[3];
                out = fill(out + extents[3], value, after[3]);
            }
            out = fill(out, value, after[2] * bytes2);
        }
        out = fill(out, value, after[1] * bytes1);
    }
    (void)fill(out, value, after[0] * bytes0);
}
