// Places of the elements of operands that are broadcast: what kernels share whose operands are not all int8.

#ifndef MW_PLACES_H
#define MW_PLACES_H

#include <stdint.h>

// An index (index[0], ..., index[3]) below `extents`; `left` indices are to come, with this one, the last axis fastest.
struct mw_places {
    const int32_t *extents;
    int32_t index[4];
    int32_t left;
};

static inline struct mw_places mw_places_begin(const int32_t extents[4])
{
    const struct mw_places at = {extents, {0, 0, 0, 0}, extents[0] * extents[1] * extents[2] * extents[3]};
    return at;
}

static inline void mw_places_next(struct mw_places *at)
{
    --at->left;
    for (int axis = 3; axis >= 0 && ++at->index[axis] == at->extents[axis]; --axis) {
        at->index[axis] = 0;
    }
}

// Where an operand's element lies, in elements; a stride is 0 along a broadcast axis.
static inline int32_t mw_place(const struct mw_places *at, const int32_t strides[4])
{
    return at->index[0] * strides[0] + at->index[1] * strides[1] + at->index[2] * strides[2] + at->index[3] * strides[3];
}

#endif
