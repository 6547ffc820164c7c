// A small model for tests of the application (see mw_model.c).

#ifndef MW_MODEL_H
#define MW_MODEL_H
#include "mw.h"
#define MW_ENGINE "aot"
#define MW_MODEL_NAME "a model"
#define MW_MODEL_ID "0011223344556677"
#define MW_ARENA_BYTES 106u
#define MW_ARENA_ALIGN 16
#ifndef MW_LAYERS
#define MW_LAYERS 2
#endif
#define MW_INPUTS 2
#define MW_OUTPUTS 2
enum mw_status mw_model_init(void *arena);
enum mw_status mw_model_reset(void *arena);
void *mw_model_input(void *arena, int index);
const void *mw_model_output(const void *arena, int index);
size_t mw_model_input_bytes(int index);
size_t mw_model_output_bytes(int index);
enum mw_status mw_model_invoke(void *arena);
enum mw_status mw_model_layer(void *arena, int layer);
#endif
