// One input of a concatenation, of any type: its rows go into the output's rows at an offset.
//   out[row * out_row_bytes + offset_bytes + i] = in[row * row_bytes + i], 0 <= i < row_bytes
// in    rows * row_bytes bytes
// out   rows * out_row_bytes bytes; the other inputs fill the rest. It may overlap in where no row's place in it starts
//       above the row.

#ifndef MW_CONCATENATION_H
#define MW_CONCATENATION_H

#include <stdint.h>

struct mw_concatenation {
    int32_t rows;
    int32_t row_bytes;
    int32_t out_row_bytes;
    int32_t offset_bytes;
};

void mw_concatenation(const struct mw_concatenation *layer, const void *in, void *out);

#endif
