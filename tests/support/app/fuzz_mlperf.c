// Fuzz target: the whole application with MLPerf Tiny's commands and a generated model.

#include "fuzz.h"

#include "mw_model.h"

// A command may ask for a million inferences: after some, the model fails.
#define MOST_INFERENCES 50

static int inferences;

enum mw_status __real_mw_model_invoke(void *arena);
enum mw_status __wrap_mw_model_invoke(void *arena);
enum mw_status __wrap_mw_model_invoke(void *arena)
{
    return ++inferences > MOST_INFERENCES ? MW_ERROR_ARENA : __real_mw_model_invoke(arena);
}

void fuzz_run(void)
{
    inferences = 0;
    fuzz_boot();
}

uint32_t fuzz_next_line(void)
{
    return 0;
}
