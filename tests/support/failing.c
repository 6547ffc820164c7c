// Part of a model that fails in the way that the first byte of its input asks for, each in a function of its own.

#include <stdint.h>

// No memory of any board is there. Not known to the compiler, which would not call it otherwise.
static volatile uint32_t *volatile nowhere = (volatile uint32_t *)0xf8000000u;

__attribute__((noinline)) static void read_through_a_wild_pointer(void)
{
    (void)*nowhere;
}

__attribute__((noinline)) static void execute_no_instruction(void)
{
    __asm volatile("udf #0");
}

__attribute__((noinline)) static void call_through_a_wild_pointer(void)
{
    ((void (*)(void))(uintptr_t)nowhere)();
    (void)*nowhere;
}

__attribute__((noinline)) static int overflow_the_stack(int depth)
{
    volatile uint8_t room[256];
    room[0] = (uint8_t)depth;
    return depth == 100000 ? 0 : overflow_the_stack(depth + 1) + room[0];
}

__attribute__((noinline)) static void divide_by_zero(void)
{
    *(volatile uint32_t *)0xe000ed14u |= 1u << 4; // the core is told to trap it
    volatile int zero = 0;
    zero = 7 / zero;
}

// r0 has the stack pointer of the fault. Where there is an FPU, its registers are in use.
__attribute__((noinline)) static void execute_no_instruction_on_the_other_stack(void)
{
    static uint64_t stack[64];
    volatile float used = 1;
    used = used * 3;
    __asm volatile(".syntax unified\n"
                   "mov r0, %0\n"
                   "msr psp, r0\n"
                   "mrs r1, control\n"
                   "movs r2, #2\n"
                   "orrs r1, r2\n"
                   "msr control, r1\n"
                   "isb\n"
                   "udf #0\n" ::"r"(stack + 64)
                   : "r0", "r1", "r2", "memory");
}

__attribute__((noinline)) static void call_a_supervisor(void)
{
    __asm volatile("svc #0");
}

static void fail(uint8_t how)
{
    switch (how) {
    case 1:
        read_through_a_wild_pointer();
        break;
    case 2:
        execute_no_instruction();
        break;
    case 3:
        call_through_a_wild_pointer();
        break;
    case 4:
        (void)overflow_the_stack(0);
        break;
    case 5:
        divide_by_zero();
        break;
    case 6:
        execute_no_instruction_on_the_other_stack();
        break;
    case 7:
        call_a_supervisor();
        break;
    default:
        break;
    }
}
