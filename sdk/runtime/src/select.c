#include "mw/select.h"

#include <string.h>

#include "mw/places.h"

void mw_select(const struct mw_select *layer, const void *condition, const void *in1, const void *in2, void *out)
{
    const uint8_t *const truths = condition;
    const int32_t bytes = layer->item_bytes;
    struct mw_places at = mw_places_begin(layer->extents);
    for (uint8_t *to = out; at.left > 0; mw_places_next(&at), to += bytes) {
        const uint8_t *const from = truths[mw_place(&at, layer->strides)] != 0
                                        ? (const uint8_t *)in1 + mw_place(&at, layer->strides1) * bytes
                                        : (const uint8_t *)in2 + mw_place(&at, layer->strides2) * bytes;
        if (bytes == 1) {
            *to = *from;
        } else {
            memmove(to, from, (size_t)bytes);
        }
    }
}
