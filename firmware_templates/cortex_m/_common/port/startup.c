// Cortex-M start-up: vectors, memory, fault report.

#include "chip.h"
#include "mw_port.h"
#include "stack.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define SCB_ICSR (*(volatile uint32_t *)0xe000ed04u)
#define SCB_VTOR (*(volatile uint32_t *)0xe000ed08u)
#define SCB_SHCSR (*(volatile uint32_t *)0xe000ed24u)
#define SCB_CFSR (*(volatile uint32_t *)0xe000ed28u)

// Memory management, bus and usage faults as such, not as hard faults: a hard fault without a stack is a lockup.
#define SHCSR_FAULTS_ENABLE (7u << 16)

extern uint8_t mw_data_start[];
extern uint8_t mw_data_end[];
extern const uint8_t mw_data_load[];
extern uint8_t mw_code_start[];
extern uint8_t mw_code_end[];
extern const uint8_t mw_code_load[];
extern uint8_t mw_bss_start[];
extern uint8_t mw_bss_end[];

int main(void);
void reset_handler(void);
void fault_handler(void);
void systick_handler(void);
void start(void);
void report_fault(const uint8_t *frame);

typedef void (*vector)(void);

// Entry 0 is the initial stack pointer. No interrupt but SysTick is used; 128 is the least alignment of a vector table.
__attribute__((section(".vectors"), used, aligned(128))) static const struct {
    uint8_t *stack_top;
    vector handlers[15];
} vectors = {
    mw_stack_top,
    {
        reset_handler,   // 1 reset
        fault_handler,   // 2 NMI
        fault_handler,   // 3 hard fault
        fault_handler,   // 4 memory management
        fault_handler,   // 5 bus fault
        fault_handler,   // 6 usage fault
        fault_handler,   // 7 secure fault
        NULL,            // 8
        NULL,            // 9
        NULL,            // 10
        fault_handler,   // 11 supervisor call
        fault_handler,   // 12 debug monitor
        NULL,            // 13
        fault_handler,   // 14 PendSV
        systick_handler, // 15 SysTick
    },
};

// The coprocessors CP10 and CP11 (FPU, MVE) come first: the compiler may use their registers in any C function.
__attribute__((naked, noreturn)) void reset_handler(void)
{
    __asm volatile(
#ifdef __thumb2__
        "ldr r0, =0xe000ed88\n"
        "ldr r1, [r0]\n"
        "orr r1, r1, #(0xf << 20)\n"
        "str r1, [r0]\n"
        "dsb\n"
        "isb\n"
#endif
        "ldr r0, =start\n"
        "bx r0\n"
        ".ltorg\n");
}

__attribute__((used, noreturn)) void start(void)
{
    chip_early();
    memcpy(mw_code_start, mw_code_load, (size_t)(mw_code_end - mw_code_start));
    memcpy(mw_data_start, mw_data_load, (size_t)(mw_data_end - mw_data_start));
    memset(mw_bss_start, 0, (size_t)(mw_bss_end - mw_bss_start));
    SCB_VTOR = (uint32_t)(uintptr_t)&vectors;
    SCB_SHCSR |= SHCSR_FAULTS_ENABLE;
    __asm volatile("dsb\n isb" ::: "memory");
    (void)main();
    for (;;) {
    }
}

// The stack may be what failed, so the report starts on a fresh one.
__attribute__((naked, noreturn)) void fault_handler(void)
{
    __asm volatile("mov r0, sp\n"
                   "ldr r1, =mw_stack_top\n"
                   "mov sp, r1\n"
                   "ldr r1, =report_fault\n"
                   "bx r1\n"
                   ".ltorg\n");
}

static void put_text(const char *text)
{
    while (*text != '\0') {
        mw_port_putc((uint8_t)*text++);
    }
}

static void put_hex(uint32_t value)
{
    for (int shift = 28; shift >= 0; shift -= 4) {
        mw_port_putc((uint8_t)"0123456789abcdef"[(value >> shift) & 0xfu]);
    }
}

__attribute__((used, noreturn)) void report_fault(const uint8_t *frame)
{
    put_text("\nfault: exception ");
    put_hex(SCB_ICSR & 0x1ffu);
    put_text(" status ");
    put_hex(SCB_CFSR);
    // The core pushes r0-r3, r12, lr, pc, xpsr, where the stack is sound.
    if (frame >= mw_stack_limit && mw_stack_top - frame >= 32) {
        uint32_t pc;
        memcpy(&pc, frame + 24, sizeof pc);
        put_text(" pc ");
        put_hex(pc);
    } else {
        put_text(" stack overflow");
    }
    put_text("\n");
    for (;;) {
    }
}
