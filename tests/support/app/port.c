// Memory, timer and build id of the application under test. The timer counts what the model says, and 7 for itself.

#include "mw_port.h"

uint64_t work;

void mw_port_init(void) {}
void mw_port_timer_start(void) { work = 7; }
uint64_t mw_port_timer_ticks(void) { return work; }
uint32_t mw_port_timer_hz(void) { return 4294967295u; }
uint32_t mw_port_cpu_hz(void) { return 0; }
const char *mw_port_timer_counter(void) { return "timer"; }
uint64_t mw_port_clock_ticks(void) { return 18446744073709551615u; }
void mw_port_stack_paint(void) {}
uint32_t mw_port_stack_used_bytes(void) { return 1234; }
uint32_t mw_port_stack_peak_bytes(void) { return 5678; }
const uint8_t *mw_port_build_id(uint32_t *length)
{
    static const uint8_t id[] = {0x00, 0x9f, 0xff};
    *length = sizeof id;
    return id;
}
