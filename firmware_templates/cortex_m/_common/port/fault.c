// Faults: a record with the registers, sent at once, and in answer to each request from then on, so that a host that
// connects later learns of it. Nothing else runs any more, until a reset.
//
// A fault in here has a higher priority than the one that is reported, or is a lockup, which stops the core: there are
// only so many priorities, and so many reports.

#include "fault.h"

#include "mw_link.h"
#include "mw_port.h"
#include "stack.h"

#include <stdint.h>

#define SCB_ICSR (*(volatile uint32_t *)0xe000ed04u)
#define ICSR_VECTACTIVE 0x1ffu

// What the core says of faults, from here on; Armv6-M has no such registers.
#ifdef __thumb2__
#define SCB_STATUS ((const volatile uint32_t *)0xe000ed28u)
#define STATUS_KEYS "cfsr\0hfsr\0dfsr\0mmfar\0bfar\0"
#endif

// The frame of an exception: its words, and its size with and without registers of the FPU.
#define FRAME_KEYS "r0\0r1\0r2\0r3\0r12\0lr\0pc\0xpsr\0"
#define FRAME_XPSR 7
#define FRAME_BYTES 32u
#define FRAME_BYTES_FPU 104u
#define XPSR_ALIGNED (1u << 9)       // four bytes more, so that the frame lies at a multiple of 8
#define EXC_RETURN_WITHOUT_FPU (1u << 4)

extern uint8_t mw_bss_end[];

void report_fault(const uint32_t *frame, uint32_t exc_return);

// The report takes what is left of the stack, so that a debugger finds it whole; where that is less than 1 KiB, which is
// enough, or no stack at all, it begins at the stack's top. r0 is where the core put the frame, r1 what says which.
__attribute__((naked, noreturn)) void fault_handler(void)
{
    __asm volatile(".syntax unified\n"
                   "mrs r0, msp\n"
                   "mov r1, lr\n"
                   "lsls r2, r1, #29\n"
                   "bpl 1f\n"
                   "mrs r0, psp\n"
                   "1: mov r3, sp\n"
                   "ldr r2, =mw_stack_limit + 1024\n"
                   "cmp r3, r2\n"
                   "ldr r2, =mw_stack_top\n"
                   "blo 2f\n"
                   "cmp r3, r2\n"
                   "bls 3f\n"
                   "2: mov sp, r2\n"
                   "3: ldr r2, =report_fault\n"
                   "bx r2\n"
                   ".ltorg\n");
}

// One word a key.
static void put(struct mw_link *link, const char *keys, const volatile uint32_t *words)
{
    while (*keys != '\0') {
        mw_link_key(link, keys);
        mw_link_put_checksum(link, *words++);
        while (*keys++ != '\0') {
        }
    }
}

static void send(struct mw_link *link, const uint32_t *frame, uint32_t exc_return)
{
    uint32_t sp = (uint32_t)(uintptr_t)frame;
    uint32_t length;
    const uint8_t *const build = mw_port_build_id(&length);
    mw_link_begin(link, 0, "fault");
    mw_link_key(link, "exception");
    mw_link_put_decimal(link, SCB_ICSR & ICSR_VECTACTIVE);
    mw_link_key(link, "build");
    mw_link_put_hex(link, build, length);
#ifdef __thumb2__
    put(link, STATUS_KEYS, SCB_STATUS);
#endif
    // The core had no place for a frame where the stack overflowed: it lies outside of RAM, or, as Armv8-M has a limit
    // for the stack, at that limit.
    if (sp > (uint32_t)(uintptr_t)mw_stack_limit && sp <= (uint32_t)(uintptr_t)mw_bss_end - FRAME_BYTES) {
        put(link, FRAME_KEYS, frame);
        sp += (exc_return & EXC_RETURN_WITHOUT_FPU) != 0 ? FRAME_BYTES : FRAME_BYTES_FPU;
        sp += (frame[FRAME_XPSR] & XPSR_ALIGNED) != 0 ? 4 : 0;
    }
    put(link, "sp\0", &sp);
    mw_link_end(link);
}

__attribute__((used, noreturn)) void report_fault(const uint32_t *frame, uint32_t exc_return)
{
    struct mw_link link;
    struct mw_link_request request;
    do {
        send(&link, frame, exc_return);
    } while (mw_link_receive(&link, &request));
    for (;;) {
    }
}
