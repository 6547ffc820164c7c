// Runs the model on inputs that it makes itself. Says which outputs are wrong, as `SAMPLE OUTPUT`, and how many ticks each
// layer took in the last sample, as `ticks TICKS TICKS ...`. The samples (`fills`: a byte, or RANDOM) and their outputs'
// checksums (`crcs`) are in front of this text.

#include "image.h"
#include "mw_link.h"
#include "mw_model.h"
#include "mw_port.h"

#include <string.h>

static uint8_t arena[MW_ARENA_BYTES] __attribute__((aligned(MW_ARENA_ALIGN)));
static uint32_t ticks[MW_LAYERS];

// What starting and reading the timer takes by itself.
static uint32_t overhead(void)
{
    mw_port_timer_start();
    return (uint32_t)mw_port_timer_ticks();
}

static void fill(uint32_t sample)
{
    for (int i = 0; i < MW_INPUTS; ++i) {
        uint8_t *const input = mw_model_input(arena, i);
        const uint32_t first = (sample * MW_INPUTS + (uint32_t)i) * 65536u;
        for (uint32_t j = 0; j < mw_model_input_bytes(i); ++j) {
            input[j] = fills[sample] == RANDOM ? input_byte(first + j) : (uint8_t)fills[sample];
        }
    }
}

static void run(uint32_t sample)
{
    memset(arena, 0xa5, sizeof arena);
    enum mw_status status = mw_model_init(arena);
    fill(sample);
    for (int i = 0; i < MW_LAYERS && status == MW_OK; ++i) {
        mw_port_timer_start();
        status = mw_model_layer(arena, i);
        ticks[i] = (uint32_t)mw_port_timer_ticks() - overhead();
    }
    if (status != MW_OK) {
        put_text("failed\n");
    }
    for (uint32_t i = 0; i < MW_OUTPUTS; ++i) {
        if (mw_link_crc32(0, mw_model_output(arena, (int)i), mw_model_output_bytes((int)i)) != crcs[sample][i]) {
            put_number(sample);
            put_text(" ");
            put_number(i);
            put_text("\n");
        }
    }
}

int main(void)
{
    mw_port_init();
    (void)overhead();
    for (uint32_t i = 0; i < sizeof fills / sizeof fills[0]; ++i) {
        run(i);
    }
    put_text("ticks");
    for (int i = 0; i < MW_LAYERS; ++i) {
        put_text(" ");
        put_number(ticks[i]);
    }
    put_text("\n");
    for (;;) {
    }
}
