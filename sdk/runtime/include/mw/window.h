// Sliding windows over an image whose border is not stored.

#ifndef MW_WINDOW_H
#define MW_WINDOW_H

#include <stdint.h>

// The taps of a window that lie inside the image along one axis: first <= tap < end.
struct mw_taps {
    int32_t first;
    int32_t end;
};

// Tap t of a window lies at origin + t * dilation; inside is 0 to size - 1. origin < size, dilation >= 1, and
// origin + taps * dilation fits in 32 bits. No division: few taps of a window lie outside.
static inline struct mw_taps mw_taps_inside(int32_t origin, int32_t dilation, int32_t taps, int32_t size)
{
    struct mw_taps inside = {0, taps};
    while (inside.first < taps && origin + inside.first * dilation < 0) {
        ++inside.first;
    }
    while (inside.end > inside.first && origin + (inside.end - 1) * dilation >= size) {
        --inside.end;
    }
    return inside;
}

#endif
