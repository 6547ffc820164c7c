// Padding with a constant, float32.
// in    float  [extents[0]][extents[1]][extents[2]][extents[3]]
// out   float  [before[0] + extents[0] + after[0]]..., `value` wherever there is no input;
//             may overlap in where no row's place in it starts above the row
// Axes without padding are merged into the one before them: rows of extents[3] values are copied whole.

#ifndef MW_PAD_F32_H
#define MW_PAD_F32_H

#include <stdint.h>

struct mw_pad_f32 {
    int32_t extents[4];
    int32_t before[4];
    int32_t after[4];
    float value;
};

void mw_pad_f32(const struct mw_pad_f32 *layer, const float *in, float *out);

#endif
