// Elements in another order, of any type: transposes, slices, gathers, nearest neighbours, mirrored borders.
//   out[out_offset + n * run_bytes + k] = in[in_offset + place(0, a) + ... + place(4, e) + k], 0 <= k < run_bytes
// for the n-th index (a, b, c, d, e) below `extents`, the last one fastest. place(l, i) is i * steps[l] where tables[l] is
// negative, else places[tables[l] + i]. A sum below zero is no place: such a run is filled with `value`.
// in    bytes; every sum leaves a run inside
// out   bytes from out_offset on, product of the extents * run_bytes of them; may overlap in where no run is written over one
//       that is read later

#ifndef MW_REARRANGE_H
#define MW_REARRANGE_H

#include <stdint.h>

struct mw_rearrange {
    int32_t extents[5];
    int32_t steps[5];
    int32_t tables[5];
    const int32_t *places;
    int32_t run_bytes;
    int32_t in_offset;
    int32_t out_offset;
    int32_t value;
};

void mw_rearrange(const struct mw_rearrange *layer, const void *in, void *out);

#endif
