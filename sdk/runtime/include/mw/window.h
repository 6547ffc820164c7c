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

// Pixels of an image that a pool reads: `runs` of `count`, `step` bytes apart.
struct mw_pixels {
    const int8_t *first;
    int32_t runs, run_step;
    int32_t count, step;
};

// The taps of a window inside an image of in_w pixels a row; top and left are the window's origin.
static inline struct mw_pixels mw_pixels_inside(const int8_t *in, int32_t in_w, int32_t channels, int32_t top,
                                                struct mw_taps ys, int32_t left, struct mw_taps xs)
{
    const int32_t row = in_w * channels;
    struct mw_pixels pixels = {in + (top + ys.first) * row + (left + xs.first) * channels, ys.end - ys.first, row,
                               xs.end - xs.first, channels};
    if (pixels.count == in_w) {
        // Rows follow each other without a gap.
        pixels.count *= pixels.runs;
        pixels.runs = 1;
    }
    return pixels;
}

#endif
