// Four neighbouring int8 channels of several pixels at a time, as the bytes of a word where the core can.

#ifndef MW_LANES_H
#define MW_LANES_H

#include <stdint.h>
#include <string.h>

// Pixels whose sums fit in 16 bits.
enum { MW_LANES_CHUNK = 256 };

#if defined(__GNUC__) && defined(__ARM_FEATURE_DSP) && __ARM_FEATURE_DSP

static inline uint32_t mw_lanes_load(const int8_t *from)
{
    uint32_t word;
    memcpy(&word, from, sizeof word);
    return word;
}

// Adds bytes 0 and 2 to the halves of even, bytes 1 and 3 to those of odd.
static inline void mw_lanes_add(uint32_t *even, uint32_t *odd, const int8_t *at)
{
    const uint32_t word = mw_lanes_load(at);
    __asm("sxtab16 %0, %0, %1" : "+r"(*even) : "r"(word));
    __asm("sxtab16 %0, %0, %1, ror #8" : "+r"(*odd) : "r"(word));
}

static inline void mw_lanes_split(int32_t sums[4], uint32_t even, uint32_t odd, int32_t count)
{
    (void)count;
    sums[0] += (int16_t)even;
    sums[1] += (int16_t)odd;
    sums[2] += (int32_t)even >> 16;
    sums[3] += (int32_t)odd >> 16;
}

// The largest of each channel and of best.
static inline void mw_lanes_max(int8_t best[4], const int8_t *in, int32_t step, int32_t count)
{
    uint32_t larger = mw_lanes_load(best);
    for (; count > 0; --count, in += step) {
        const uint32_t word = mw_lanes_load(in);
        uint32_t difference;
        __asm("ssub8 %1, %0, %2\n\tsel %0, %0, %2" : "+r"(larger), "=&r"(difference) : "r"(word) : "cc");
    }
    memcpy(best, &larger, sizeof larger);
}

#else

// The same with bytes counted from -128.
static inline void mw_lanes_add(uint32_t *even, uint32_t *odd, const int8_t *at)
{
#if defined(__arm__) && !defined(__ARM_FEATURE_UNALIGNED)
    *even += ((uint32_t)at[0] + 128u) + (((uint32_t)at[2] + 128u) << 16);
    *odd += ((uint32_t)at[1] + 128u) + (((uint32_t)at[3] + 128u) << 16);
#else
    uint32_t word;
    memcpy(&word, at, sizeof word);
    word ^= 0x80808080u;
    *even += word & 0x00ff00ffu;
    *odd += word >> 8 & 0x00ff00ffu;
#endif
}

static inline void mw_lanes_split(int32_t sums[4], uint32_t even, uint32_t odd, int32_t count)
{
    sums[0] += (int32_t)(even & 0xffffu) - 128 * count;
    sums[1] += (int32_t)(odd & 0xffffu) - 128 * count;
    sums[2] += (int32_t)(even >> 16) - 128 * count;
    sums[3] += (int32_t)(odd >> 16) - 128 * count;
}

// The largest of each channel and of best.
static inline void mw_lanes_max(int8_t best[4], const int8_t *in, int32_t step, int32_t count)
{
    int32_t best0 = best[0], best1 = best[1], best2 = best[2], best3 = best[3];
    for (; count > 0; --count, in += step) {
        best0 = in[0] > best0 ? in[0] : best0;
        best1 = in[1] > best1 ? in[1] : best1;
        best2 = in[2] > best2 ? in[2] : best2;
        best3 = in[3] > best3 ? in[3] : best3;
    }
    best[0] = (int8_t)best0;
    best[1] = (int8_t)best1;
    best[2] = (int8_t)best2;
    best[3] = (int8_t)best3;
}

#endif

static inline const int8_t *mw_lanes_add_four(uint32_t *even, uint32_t *odd, const int8_t *in, int32_t step)
{
    mw_lanes_add(even, odd, in);
    in += step;
    mw_lanes_add(even, odd, in);
    in += step;
    mw_lanes_add(even, odd, in);
    in += step;
    mw_lanes_add(even, odd, in);
    return in + step;
}

// Adds the channels of `count` pixels, `step` bytes apart, to sums.
static inline void mw_lanes_sum(int32_t sums[4], const int8_t *in, int32_t step, int32_t count)
{
    while (count > 0) {
        const int32_t chunk = count < MW_LANES_CHUNK ? count : MW_LANES_CHUNK;
        uint32_t even = 0;
        uint32_t odd = 0;
        int32_t left = chunk;
        for (; left >= 8; left -= 8) {
            in = mw_lanes_add_four(&even, &odd, in, step);
            in = mw_lanes_add_four(&even, &odd, in, step);
        }
        for (; left > 0; --left, in += step) {
            mw_lanes_add(&even, &odd, in);
        }
        mw_lanes_split(sums, even, odd, chunk);
        count -= chunk;
    }
}

#endif
