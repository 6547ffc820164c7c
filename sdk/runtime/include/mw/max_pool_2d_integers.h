// What plain maximum pools of integers are. Before including this, define MW_LAYER, the parameters' type, and MW_VALUE.

#ifndef MW_MAX_POOL_2D_INTEGERS_H
#define MW_MAX_POOL_2D_INTEGERS_H

#include "mw/requantize.h"

#define MW_TOTAL int32_t
#define START INT16_MIN

static inline int32_t take(int32_t total, MW_VALUE value)
{
    return total < value ? value : total;
}

static inline MW_VALUE output(const MW_LAYER *layer, int32_t total, int32_t count)
{
    (void)count;
    return (MW_VALUE)mw_clamp(total, layer->act_min, layer->act_max);
}

#include "mw/pool_2d_loops.h"

#endif
