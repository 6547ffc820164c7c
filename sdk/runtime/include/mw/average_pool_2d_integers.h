// What plain average pools of integers are. Before including this, define MW_LAYER, the parameters' type, and MW_VALUE.

#ifndef MW_AVERAGE_POOL_2D_INTEGERS_H
#define MW_AVERAGE_POOL_2D_INTEGERS_H

#include "mw/requantize.h"

#define MW_TOTAL int32_t
#define START 0

static inline int32_t take(int32_t total, MW_VALUE value)
{
    return total + value;
}

// Halves are rounded away from zero.
static inline MW_VALUE output(const MW_LAYER *layer, int32_t total, int32_t count)
{
    const int32_t half = total > 0 ? count / 2 : -(count / 2);
    return (MW_VALUE)mw_clamp((total + half) / count, layer->act_min, layer->act_max);
}

#include "mw/pool_2d_loops.h"

#endif
