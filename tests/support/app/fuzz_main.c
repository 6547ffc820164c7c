// Fuzz target: the whole application with the small model.

#include "fuzz.h"

#include "mw_model.h"

#include <string.h>

extern uint8_t *model_arena;

static uint8_t before[MW_ARENA_BYTES];

void fuzz_run(void)
{
    fuzz_boot();
}

// Whether the model may run.
static bool is_run(void)
{
    for (size_t i = 0; i + 7 <= fuzz_length; ++i) {
        if (memcmp(fuzz_line + i, "run", 3) == 0 || memcmp(fuzz_line + i, "advance", 7) == 0) {
            return true;
        }
    }
    return false;
}

uint32_t fuzz_next_line(void)
{
    // But for runs, a line changes one input at most, and nothing else of the arena.
    if (fuzz_length > 0 && !is_run()) {
        const size_t first = mw_model_input_bytes(0);
        const size_t both = first + mw_model_input_bytes(1);
        REQUIRE(memcmp(before + both, model_arena + both, MW_ARENA_BYTES - both) == 0);
        REQUIRE(memcmp(before, model_arena, first) == 0 ||
                memcmp(before + first, model_arena + first, both - first) == 0);
    }
    memcpy(before, model_arena, MW_ARENA_BYTES);
    uint32_t crc = 0;
    for (int i = 0; i < MW_INPUTS; ++i) {
        crc = fuzz_crc32(crc, mw_model_input(model_arena, i), mw_model_input_bytes(i));
    }
    return crc;
}
