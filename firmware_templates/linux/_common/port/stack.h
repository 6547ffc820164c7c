// The stack of the main thread, of which so much below mw_port_init is watched; it grows there as it is touched.

#ifndef PORT_STACK_H
#define PORT_STACK_H

#include <stdint.h>

#define PORT_STACK_BYTES 262144u

// Where the stack was at mw_port_init; aligned to 4 bytes.
extern uint8_t *port_stack_base;

static inline uint8_t *port_stack_limit(void)
{
    return port_stack_base - PORT_STACK_BYTES;
}

static inline uint8_t *port_stack_top(void)
{
    return port_stack_base;
}

static inline uint8_t *port_stack_unused(void)
{
    uint8_t *pointer;
#if defined(__x86_64__)
    // 128 bytes below the stack pointer belong to the function.
    __asm volatile("lea -128(%%rsp), %0" : "=r"(pointer));
#elif defined(__aarch64__)
    __asm volatile("mov %0, sp" : "=r"(pointer));
#else
    // Room for the rest of a small function's frame.
    pointer = (uint8_t *)__builtin_frame_address(0) - 256;
#endif
    return pointer;
}

#endif
