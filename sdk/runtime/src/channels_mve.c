#include "mw/channels_mve.h"

void mw_channels_mve(int32_t *biases, int32_t *scales, const void *channels, int32_t count, int32_t channel_bytes)
{
    const int32_t padded = (count + 3) & ~3;
    for (int32_t c = 0; c < padded; c += 4) {
        const struct mw_four_channels_mve four = mw_four_channels_mve(channels, padded, channel_bytes, c);
        vstrwq_s32(biases + c, four.biases);
        vstrwq_s32(scales + 2 * c, four.mults);
        vstrwq_s32(scales + 2 * c + 4, four.shifts);
    }
}
