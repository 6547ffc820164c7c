// A model whose inputs and outputs share their place. Output 0 has the inputs' sum and the number of runs since the reset,
// output 1 repeats input 1. Its first layer does it all.

#include "mw_model.h"
#include <string.h>
extern uint64_t work;

#ifndef LAST_LAYER_TICKS
#define LAST_LAYER_TICKS 18446744073709551000u
#endif

static uint8_t runs;

uint8_t *model_arena; // for the test

enum mw_status mw_model_init(void *arena)
{
    model_arena = arena;
    return mw_model_reset(arena);
}

enum mw_status mw_model_reset(void *arena)
{
    (void)arena;
    runs = 0;
    return MW_OK;
}
void *mw_model_input(void *arena, int index) { return (uint8_t *)arena + (index == 0 ? 0 : 5); }
const void *mw_model_output(const void *arena, int index)
{
    return (const uint8_t *)arena + (index == 0 ? 0 : 6);
}
size_t mw_model_input_bytes(int index) { return index == 0 ? 5 : 40; }
size_t mw_model_output_bytes(int index) { return index == 0 ? 6 : 100; }
enum mw_status mw_model_layer(void *arena, int layer)
{
    uint8_t *const a = arena;
    work += layer == 0 ? 123u : LAST_LAYER_TICKS;
    if (layer != 0) {
        return layer < MW_LAYERS ? MW_OK : MW_ERROR_INDEX;
    }
    uint8_t in[45];
    memcpy(in, a, 45);
    uint8_t sum = 0;
    for (int i = 0; i < 45; ++i) {
        sum = (uint8_t)(sum + in[i]);
    }
    memset(a, 0, 106);
    a[0] = sum;
    a[1] = ++runs;
    for (int i = 0; i < 100; ++i) {
        a[6 + i] = in[5 + i % 40];
    }
    return in[0] == 255 ? MW_ERROR_ARENA : MW_OK;
}
enum mw_status mw_model_invoke(void *arena)
{
    const enum mw_status status = mw_model_layer(arena, 0);
    work += 1000;
    return status;
}
