// What a chip provides. Porting Microwright to a new one is filling this in; the rest of the firmware is the same.

#ifndef MW_PORT_H
#define MW_PORT_H

#include <stdint.h>

// Clocks, UART and timer; called once, first.
void mw_port_init(void);

// The serial line, blocking, byte by byte. getc returns -1 at the end of input (only where a host process closed it).
void mw_port_putc(uint8_t byte);
int mw_port_getc(void);

// The timer. Start sets it to zero; ticks are counted from there. It has to run at least 60 s without wrapping.
// Starting sets the counter's phase too, so that under an emulator the same code gives the same count each time.
void mw_port_timer_start(void);
uint64_t mw_port_timer_ticks(void);
uint32_t mw_port_timer_hz(void);
uint32_t mw_port_cpu_hz(void);

// What counts the timer's ticks: "dwt", "systick", "timer" (one of the chip's), "clock" (an operating system's).
const char *mw_port_timer_counter(void);

// Ticks of the same frequency since boot, or since the first start of the timer. They go on where the core sleeps, and
// starting the timer takes no more than a few of them away.
uint64_t mw_port_clock_ticks(void);

// High-water mark of the stack: paint fills what lies unused below the caller's frame, used_bytes returns how far down
// from the caller's frame it was overwritten since; peak_bytes is the high-water mark from the top of the stack.
void mw_port_stack_paint(void);
uint32_t mw_port_stack_used_bytes(void);
uint32_t mw_port_stack_peak_bytes(void);

// The image's build id (the linker's .note.gnu.build-id): `length` bytes.
const uint8_t *mw_port_build_id(uint32_t *length);

#endif
