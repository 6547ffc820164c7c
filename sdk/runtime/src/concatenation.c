#include "mw/concatenation.h"

#include <string.h>

void mw_concatenation(const struct mw_concatenation *layer, const void *in, void *out)
{
    const uint8_t *from = in;
    uint8_t *to = (uint8_t *)out + layer->offset_bytes;
    for (int32_t row = 0; row < layer->rows; ++row) {
        memmove(to + row * layer->out_row_bytes, from + row * layer->row_bytes, (size_t)layer->row_bytes);
    }
}
