// Padding with a constant, int16.
// in    int16  [extents[0]][extents[1]][extents[2]][extents[3]]
// out   int16  [before[0] + extents[0] + after[0]]..., `value` wherever there is no input;
//             may overlap in where no row's place in it starts above the row
// Axes without padding are merged into the one before them: rows of extents[3] values are copied whole.

#ifndef MW_PAD_S16_H
#define MW_PAD_S16_H

#include <stdint.h>

struct mw_pad_s16 {
    int32_t extents[4];
    int32_t before[4];
    int32_t after[4];
    int32_t value;
};

void mw_pad_s16(const struct mw_pad_s16 *layer, const int16_t *in, int16_t *out);

#endif
