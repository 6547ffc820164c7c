// Numbers of one type as those of another.
//   out[i] = (type)in[i], the nearest that the type has where it has not that one; to bool: 1 where it is not 0
// in, out   `elements` of the types `from` and `to`: 0 bool, 1 int8, 2 uint8, 3 int16, 4 int32, 5 float32; out may begin
//           at in or, where its elements are the larger ones, so far below that it does not pass it
// float32 to integers is towards zero; what is no number becomes 0

#ifndef MW_CAST_H
#define MW_CAST_H

#include <stdint.h>

struct mw_cast {
    int32_t elements;
    int32_t from, to;
};

void mw_cast(const struct mw_cast *layer, const void *in, void *out);

#endif
