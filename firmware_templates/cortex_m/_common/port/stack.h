// The stack as the linker script places it.

#ifndef PORT_STACK_H
#define PORT_STACK_H

#include <stdint.h>

extern uint8_t mw_stack_limit[];
extern uint8_t mw_stack_top[];

static inline uint8_t *port_stack_limit(void)
{
    return mw_stack_limit;
}

static inline uint8_t *port_stack_top(void)
{
    return mw_stack_top;
}

static inline uint8_t *port_stack_unused(void)
{
    uint8_t *pointer;
    __asm volatile("mov %0, sp" : "=r"(pointer));
    return pointer;
}

#endif
