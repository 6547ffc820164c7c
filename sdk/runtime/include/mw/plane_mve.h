// A channel of an NHWC image as a plane, for Helium.

#ifndef MW_PLANE_MVE_H
#define MW_PLANE_MVE_H

#include <stdint.h>

// Copies `count` values that lie lane_bytes apart to each of `rows` rows, which start row_bytes apart in the image and
// `pitch` apart in the plane. rows >= 1, 7 * lane_bytes < 2^16.
static inline void mw_plane_mve(int8_t *to, const int8_t *in, int32_t count, int32_t rows, int32_t lane_bytes,
                                int32_t row_bytes, int32_t pitch)
{
    const int8_t *from;
    int8_t *at;
    int32_t lane = 0;
    __asm volatile("vidup.u16 q1, %[lane], #1\n\t"
                   "vmul.i16 q1, q1, %[lane_bytes]\n"
                   "1:\n\t"
                   "mov %[from], %[in]\n\t"
                   "mov %[at], %[to]\n\t"
                   "wlstp.16 lr, %[count], 3f\n"
                   "2:\n\t"
                   "vldrb.u16 q0, [%[from], q1]\n\t"
                   "add %[from], %[from], %[lane_bytes], lsl #3\n\t"
                   "vstrb.16 q0, [%[at]], #8\n\t"
                   "letp lr, 2b\n"
                   "3:\n\t"
                   "add %[in], %[in], %[row_bytes]\n\t"
                   "add %[to], %[to], %[pitch]\n\t"
                   "subs %[rows], %[rows], #1\n\t"
                   "bne 1b"
                   : [to] "+r"(to), [in] "+r"(in), [rows] "+r"(rows), [from] "=&r"(from), [at] "=&l"(at),
                     [lane] "+Te"(lane)
                   : [count] "r"(count), [lane_bytes] "r"(lane_bytes), [row_bytes] "r"(row_bytes), [pitch] "r"(pitch)
                   : "q0", "q1", "lr", "cc", "memory");
}

#endif
