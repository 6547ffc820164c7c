// The last rows of an image with their padding, for windows that move down it. Each row is copied once, before the output
// that may lie over it is written.

#ifndef MW_ROW_RING_H
#define MW_ROW_RING_H

#include <stdint.h>
#include <string.h>

struct mw_row_ring {
    const int8_t *in;   // the image
    int32_t in_h;       // its rows
    int32_t in_bytes;   // of one
    int8_t *rows;       // [count][row_bytes]
    int32_t count;      // rows that a window is high
    int32_t row_bytes;  // a row with its padding
    int32_t pad_bytes;  // of it in front of the image's row
    int32_t zero_point; // what the padding is
    int32_t fetched;    // the next row of the image to copy; starts in the padding above it
    int32_t slot;       // where it goes; in a full ring, the oldest row
};

// How rows are copied and filled: by the C library, or faster.
typedef void mw_copy(int8_t *to, const int8_t *from, int32_t count);
typedef void mw_fill(int8_t *to, int32_t value, int32_t count);

static inline void mw_copy_c(int8_t *to, const int8_t *from, int32_t count)
{
    memcpy(to, from, (size_t)count);
}

static inline void mw_fill_c(int8_t *to, int32_t value, int32_t count)
{
    memset(to, value, (size_t)count);
}

// Copies the rows before `end`, the zero point for those outside the image.
static inline void mw_row_ring_fetch(struct mw_row_ring *ring, int32_t end, mw_copy *copy, mw_fill *fill)
{
    for (; ring->fetched < end; ++ring->fetched) {
        int8_t *const to = ring->rows + ring->slot * ring->row_bytes;
        fill(to, ring->zero_point, ring->row_bytes);
        if (ring->fetched >= 0 && ring->fetched < ring->in_h) {
            copy(to + ring->pad_bytes, ring->in + ring->fetched * ring->in_bytes, ring->in_bytes);
        }
        ring->slot = ring->slot + 1 == ring->count ? 0 : ring->slot + 1;
    }
}

// Row `y` of those in a full ring, from the oldest on.
static inline const int8_t *mw_row_ring_row(const struct mw_row_ring *ring, int32_t y)
{
    const int32_t slot = ring->slot + y;
    return ring->rows + (slot >= ring->count ? slot - ring->count : slot) * ring->row_bytes;
}

#endif
