// The loops of padding, whatever the type. Before including this, define MW_LAYER, with the members of struct mw_pad_s8, and
// MW_VALUE, the type of the elements.

#ifndef MW_PAD_LOOPS_H
#define MW_PAD_LOOPS_H

#include <stdint.h>
#include <string.h>

static MW_VALUE *fill(MW_VALUE *out, MW_VALUE value, int32_t count)
{
    for (MW_VALUE *const end = out + count; out != end; ++out) {
        *out = value;
    }
    return out;
}

static void pad(const MW_LAYER *layer, const MW_VALUE *in, MW_VALUE *out)
{
    const int32_t *extents = layer->extents;
    const int32_t *before = layer->before;
    const int32_t *after = layer->after;
    const MW_VALUE value = (MW_VALUE)layer->value;
    // Values of one output element along axes 0, 1 and 2.
    const int32_t size2 = before[3] + extents[3] + after[3];
    const int32_t size1 = (before[2] + extents[2] + after[2]) * size2;
    const int32_t size0 = (before[1] + extents[1] + after[1]) * size1;

    out = fill(out, value, before[0] * size0);
    for (int32_t a = 0; a < extents[0]; ++a) {
        out = fill(out, value, before[1] * size1);
        for (int32_t b = 0; b < extents[1]; ++b) {
            out = fill(out, value, before[2] * size2);
            for (int32_t c = 0; c < extents[2]; ++c) {
                out = fill(out, value, before[3]);
                memmove(out, in, (size_t)extents[3] * sizeof *in);
                in += extents[3];
                out = fill(out + extents[3], value, after[3]);
            }
            out = fill(out, value, after[2] * size2);
        }
        out = fill(out, value, after[1] * size1);
    }
    (void)fill(out, value, after[0] * size0);
}

#endif
