// Cortex-M start-up: vectors and memory.

#include "chip.h"
#include "fault.h"
#include "nvic.h"
#include "stack.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define SCB_VTOR (*(volatile uint32_t *)0xe000ed08u)
#define SCB_SHCSR (*(volatile uint32_t *)0xe000ed24u)

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
void systick_handler(void);
void start(void);

typedef void (*vector)(void);

// Entry 0 is the initial stack pointer; 256 is the alignment that any core's VTOR takes: Cortex-M0+'s has no lower bits. The chip's own interrupts need no
// entries, since none is taken: start() disables what a boot loader left enabled, and a driver that enables one, to be
// woken, does so while it holds interrupts off. A port that does take one has its entry in .vectors.after.
__attribute__((section(".vectors"), used, aligned(256))) static const struct {
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
#if defined(__ARM_ARCH_8M_MAIN__) || defined(__ARM_ARCH_8_1M_MAIN__)
    // An overflow of the stack is a usage fault in the function that it happens in.
    __asm volatile("msr msplim, %0" ::"r"(mw_stack_limit));
#endif
    for (uint32_t word = 0; word < NVIC_WORDS; ++word) {
        NVIC_ICER(word) = NVIC_ALL;
    }
    __asm volatile("dsb\n isb\n cpsie i" ::: "memory");
    (void)main();
    for (;;) {
    }
}
