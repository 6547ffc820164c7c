// The clamp of float outputs. As the reference compares, so that NaN and -0.0 come out as there.

#ifndef MW_CLAMP_F32_H
#define MW_CLAMP_F32_H

static inline float mw_clamp_f32(float x, float low, float high)
{
    const float y = x < low ? low : x;
    return high < y ? high : y;
}

#endif
