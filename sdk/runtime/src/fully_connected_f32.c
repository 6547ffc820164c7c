#include "mw/fully_connected_f32.h"

#define MW_LAYER struct mw_fully_connected_f32

#include "mw/products_f32.h"
#include "mw/fully_connected_loops.h"

void mw_fully_connected_f32(const struct mw_fully_connected_f32 *layer, const float *in, float *out, void *scratch)
{
    (void)scratch;
    fully_connected(layer, in, out);
}
