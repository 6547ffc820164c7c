// Four accumulators of an output channel as int8 values, each as mw_channel_scale() of channel.h gives it.

#ifndef MW_CHANNEL_FOUR_H
#define MW_CHANNEL_FOUR_H

#include "mw/channel.h"

struct mw_four {
    int32_t acc[4];
    int32_t offsets[4]; // from `out`, in bytes; where two are equal, so are their acc
};

void mw_channel_scale_four(const struct mw_channel *channel, const struct mw_four *four, int8_t *out);

#endif
