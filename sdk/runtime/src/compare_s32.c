#include "mw/compare_s32.h"

#include "mw/places.h"

void mw_compare_s32(const struct mw_compare_s32 *layer, const int32_t *in1, const int32_t *in2, void *out)
{
    struct mw_places at = mw_places_begin(layer->extents);
    for (uint8_t *to = out; at.left > 0; mw_places_next(&at)) {
        const int32_t a = in1[mw_place(&at, layer->strides1)];
        const int32_t b = in2[mw_place(&at, layer->strides2)];
        *to++ = (uint8_t)(layer->accepts >> (1 + (a > b) - (a < b)) & 1);
    }
}
