// Any function of one 8-bit value, by table.
//   out[i] = table[in[i]], in[i] read as unsigned
// in, out  int8 or uint8, `elements` of them; may be the same memory
// table    uint8 [256], the output's bytes in the order of the input's bytes as unsigned

#ifndef MW_LOOKUP_8_H
#define MW_LOOKUP_8_H

#include <stdint.h>

struct mw_lookup_8 {
    int32_t elements;
    const uint8_t *table;
};

void mw_lookup_8(const struct mw_lookup_8 *layer, const void *in, void *out);

#endif
