#include "mw/cast.h"

#include "mw/requantize.h"

enum { BOOL, INT8, UINT8, INT16, INT32, FLOAT32 };

// Towards zero, saturated.
static int32_t whole(float x)
{
    if (x >= 2147483648.0f) {
        return INT32_MAX;
    }
    if (x < -2147483648.0f) {
        return INT32_MIN;
    }
    return x == x ? (int32_t)x : 0;
}

static int32_t load(const void *in, int32_t type, int32_t i)
{
    switch (type) {
    case BOOL:
        return ((const uint8_t *)in)[i] != 0;
    case INT8:
        return ((const int8_t *)in)[i];
    case UINT8:
        return ((const uint8_t *)in)[i];
    case INT16:
        return ((const int16_t *)in)[i];
    default:
        return ((const int32_t *)in)[i];
    }
}

static void store(void *out, int32_t type, int32_t i, int32_t value)
{
    switch (type) {
    case BOOL:
        ((uint8_t *)out)[i] = value != 0;
        break;
    case INT8:
        ((int8_t *)out)[i] = (int8_t)mw_clamp(value, INT8_MIN, INT8_MAX);
        break;
    case UINT8:
        ((uint8_t *)out)[i] = (uint8_t)mw_clamp(value, 0, UINT8_MAX);
        break;
    case INT16:
        ((int16_t *)out)[i] = (int16_t)mw_clamp(value, INT16_MIN, INT16_MAX);
        break;
    default:
        ((int32_t *)out)[i] = value;
    }
}

void mw_cast(const struct mw_cast *layer, const void *in, void *out)
{
    const float *const floats = in;
    for (int32_t i = 0; i < layer->elements; ++i) {
        if (layer->from != FLOAT32) {
            const int32_t value = load(in, layer->from, i);
            if (layer->to == FLOAT32) {
                ((float *)out)[i] = (float)value;
            } else {
                store(out, layer->to, i, value);
            }
        } else if (layer->to == FLOAT32) {
            ((float *)out)[i] = floats[i];
        } else if (layer->to == BOOL) {
            ((uint8_t *)out)[i] = floats[i] != 0.0f;
        } else {
            store(out, layer->to, i, whole(floats[i]));
        }
    }
}
