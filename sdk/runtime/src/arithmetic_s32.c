#include "mw/arithmetic_s32.h"

#include "mw/places.h"

static int32_t result(int32_t operation, int32_t a, int32_t b)
{
    switch (operation) {
    case 0:
        return (int32_t)((uint32_t)a + (uint32_t)b);
    case 1:
        return (int32_t)((uint32_t)a - (uint32_t)b);
    case 2:
        return (int32_t)((uint32_t)a * (uint32_t)b);
    case 3:
        return a > b ? a : b;
    default:
        return a < b ? a : b;
    }
}

void mw_arithmetic_s32(const struct mw_arithmetic_s32 *layer, const int32_t *in1, const int32_t *in2, int32_t *out)
{
    for (struct mw_places at = mw_places_begin(layer->extents); at.left > 0; mw_places_next(&at)) {
        *out++ = result(layer->operation, in1[mw_place(&at, layer->strides1)], in2[mw_place(&at, layer->strides2)]);
    }
}
