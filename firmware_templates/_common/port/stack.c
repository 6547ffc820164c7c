// High-water mark of the stack: unused stack is painted, and what is no longer paint was used.
//
// stack.h of the architecture says where the stack lies: port_stack_limit() is its lowest address, port_stack_top() the
// one past its highest, port_stack_unused() where the unused part ends in the function that calls it.

#include "mw_port.h"
#include "stack.h"

#include <stddef.h>

#define PAINT 0xa5c35a3cu

static struct {
    uint8_t *frame;  // the end of the caller's frame at the last paint
    uint8_t *unused; // up to where it painted
    uint8_t *lowest; // the lowest address that had been in use before it
} stack;

static uint8_t *lowest_used(void)
{
    uint8_t *at = port_stack_limit();
    while (at < stack.unused && *(const volatile uint32_t *)(const void *)at == PAINT) {
        at += sizeof(uint32_t);
    }
    return at;
}

__attribute__((noinline)) void mw_port_stack_paint(void)
{
    uint8_t *const unused = port_stack_unused();
    uint8_t *const used = stack.unused == NULL ? unused : lowest_used();
    if (stack.lowest == NULL || used < stack.lowest) {
        stack.lowest = used;
    }
    stack.frame = __builtin_dwarf_cfa();
    stack.unused = unused;
    for (uint8_t *at = port_stack_limit(); at < unused; at += sizeof(uint32_t)) {
        *(volatile uint32_t *)(void *)at = PAINT;
    }
}

uint32_t mw_port_stack_used_bytes(void)
{
    return (uint32_t)(stack.frame - lowest_used());
}

uint32_t mw_port_stack_peak_bytes(void)
{
    uint8_t *const used = lowest_used();
    return (uint32_t)(port_stack_top() - (used < stack.lowest ? used : stack.lowest));
}
