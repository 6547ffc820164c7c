// Says what the port does, then echoes. Takes the place of app/main.c.

#include "mw_board.h"
#include "mw_model.h"
#include "mw_port.h"

#define ROOM 4000

static uint8_t mw_arena[MW_ARENA_BYTES] __attribute__((aligned(MW_ARENA_ALIGN)));
static volatile uint32_t initialised = 12345;
static volatile uint32_t zeroed[3];

static void text(const char *t)
{
    while (*t != '\0') {
        mw_port_putc((uint8_t)*t++);
    }
}

static void number(const char *name, uint64_t value)
{
    char digits[20];
    int n = 0;
    do {
        digits[n++] = (char)('0' + (int)(value % 10));
        value /= 10;
    } while (value != 0);
    text(name);
    text("=");
    while (n > 0) {
        mw_port_putc((uint8_t)digits[--n]);
    }
    text("\n");
}

__attribute__((noinline)) static void use_stack(void)
{
    volatile uint8_t room[ROOM];
    for (int i = 0; i < ROOM; ++i) {
        room[i] = (uint8_t)i;
    }
    (void)room[0];
}

__attribute__((noinline)) static uint64_t spin(uint32_t turns)
{
    mw_port_timer_start();
    for (volatile uint32_t i = 0; i < turns; ++i) {
    }
    return mw_port_timer_ticks();
}

static void report(void)
{
    number("initialised", initialised);
    number("zeroed", zeroed[0] + zeroed[1] + zeroed[2]);
    volatile float f = (float)initialised;
    number("float", (uint32_t)(f * 2.0f));
    number("misaligned", (uint32_t)((uintptr_t)mw_arena % MW_ARENA_ALIGN));
    number("model", mw_model_init(mw_arena) == MW_OK);

    mw_port_stack_paint();
    number("stack_little", mw_port_stack_used_bytes());
    mw_port_stack_paint();
    use_stack();
    number("stack_much", mw_port_stack_used_bytes());
    mw_port_stack_paint();
    number("stack_little_again", mw_port_stack_used_bytes());
    number("stack_peak", mw_port_stack_peak_bytes());

    number("timer_hz", mw_port_timer_hz());
    number("cpu_hz", mw_port_cpu_hz());
    number("time_1", spin(1000));
    const uint64_t clock = mw_port_clock_ticks();
    number("time_2", spin(1000));
    number("time_long", spin(100000));
    number("time_again", spin(1000));
    number("clock_1", clock);
    number("clock_2", mw_port_clock_ticks());
    text("counter=");
    text(mw_port_timer_counter());
    text("\n");

    uint32_t length = 0;
    const uint8_t *const id = mw_port_build_id(&length);
    text("build_id=");
    for (uint32_t i = 0; i < length; ++i) {
        mw_port_putc((uint8_t)"0123456789abcdef"[id[i] >> 4]);
        mw_port_putc((uint8_t)"0123456789abcdef"[id[i] & 15]);
    }
    text("\n" MW_BOARD_ID " ready\n");
}

// Enough for the timer to wrap where it has 24 bits.
static void report_long_time(void)
{
    const uint64_t short_ticks = spin(1000000);
    number("time_wrapped", spin(200000000) / short_ticks);
}

int main(void)
{
    mw_port_init();
    for (;;) {
        const int byte = mw_port_getc();
        switch (byte) {
        case -1:
            return 0;
        case '\1':
            report();
            break;
        case '\2':
            report_long_time();
            break;
        default:
            mw_port_putc((uint8_t)byte);
        }
    }
}
