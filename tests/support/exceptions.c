// A program that does on request what makes exceptions, and says on the UART what came of it. For the memory and the
// UART of mps2-an386.

#include <stdint.h>

#define REGISTER(address) (*(volatile uint32_t *)(address))
#define UART_DATA REGISTER(0x40004000u)
#define UART_STATE REGISTER(0x40004004u)
#define UART_CTRL REGISTER(0x40004008u)
#define SYST_CSR REGISTER(0xe000e010u)
#define SYST_RVR REGISTER(0xe000e014u)
#define SYST_CVR REGISTER(0xe000e018u)
#define DWT_CTRL REGISTER(0xe0001000u)
#define DWT_CYCCNT REGISTER(0xe0001004u)
#define SCB_ICSR REGISTER(0xe000ed04u)
#define SCB_AIRCR REGISTER(0xe000ed0cu)
#define SCB_SHCSR REGISTER(0xe000ed24u)
#define SCB_CFSR REGISTER(0xe000ed28u)
#define SCB_HFSR REGISTER(0xe000ed2cu)
#define SCB_BFAR REGISTER(0xe000ed38u)
#define SCB_CPACR REGISTER(0xe000ed88u)
#define SCB_DEMCR REGISTER(0xe000edfcu)
#define STACK_TOP 0x20010000u
#define PROCESS_TOP 0x20030000u
#define STACK_BOTTOM 0x20000000u

void reset_handler(void);
void fault_handler(void);
void report(const uint32_t *frame, uint32_t link);
void systick_handler(void);
void svc_handler(void);
uint32_t conditional(uint32_t value);

static volatile uint32_t ticks;

__attribute__((section(".vectors"), used)) static const void *const vectors[16] = {
    (void *)STACK_TOP, reset_handler, 0, fault_handler, fault_handler, fault_handler, fault_handler, 0, 0, 0, 0,
    svc_handler,       0,             0, 0,             systick_handler,
};

static void put(const char *text)
{
    while (*text != '\0') {
        UART_DATA = (uint8_t)*text++;
    }
}

static void put_number(const char *name, uint32_t value)
{
    put(name);
    for (int shift = 28; shift >= 0; shift -= 4) {
        UART_DATA = (uint8_t)"0123456789abcdef"[value >> shift & 15u];
    }
}

static uint8_t get(void)
{
    while ((UART_STATE & 2u) == 0) {
        __asm volatile("wfi");
    }
    return (uint8_t)UART_DATA;
}

static void begin_ticks(uint32_t period)
{
    ticks = 0;
    SYST_RVR = period - 1;
    SYST_CVR = 0;
    SYST_CSR = 7;
}

// Four conditional instructions, of which the third and the fourth lie on the next page.
__attribute__((naked, section(".text.paged"))) uint32_t conditional(__attribute__((unused)) uint32_t value)
{
    __asm volatile("b.w 1f\n"
                   ".balign 4096\n"
                   ".space 4090\n"
                   "1: cmp r0, #5\n"
                   "itete eq\n"
                   "moveq r1, #1\n"
                   "movne r1, #2\n"
                   "addeq r1, #16\n"
                   "addne r1, #32\n"
                   "mov r0, r1\n"
                   "bx lr\n");
}

void systick_handler(void)
{
    ticks = ticks + 1;
    // Registers that the core keeps.
    if (SCB_CPACR != 0) {
        __asm volatile("vmov s0, %0\n vmov s15, %0" ::"r"(ticks) : "s0", "s15");
    }
}

void svc_handler(void)
{
    put_number("svc ", SCB_ICSR);
    put("\n");
}

__attribute__((naked)) void fault_handler(void)
{
    __asm volatile("tst lr, #4\n ite eq\n moveq r0, sp\n mrsne r0, psp\n mov r1, lr\n ldr r2, =0x20020000\n mov sp, r2\n b report\n .ltorg");
}

__attribute__((noreturn)) static void serve(void)
{
    for (;;) {
        const uint8_t command = get();
        if (command == 'b') {
            (void)REGISTER(0x30000004u);
        } else if (command == 'x') {
            ((void (*)(void))0x30000001u)();
        } else if (command == 'X') {
            ((void (*)(void))0xf8000001u)();
        } else if (command == 'w') {
            REGISTER(0x100u) = 1;
        } else if (command == 'u') {
            __asm volatile("udf #0");
        } else if (command == 'f') {
            __asm volatile("vmov.f32 s0, #1.0\n b 1f\n 1:" ::: "s0");
        } else if (command == 'o') {
            __asm volatile("mov sp, %0\n udf #0" ::"r"(STACK_BOTTOM + 8));
        } else if (command == 's') {
            __asm volatile("svc #0");
        } else if (command == 'p') {
            uint32_t process;
            uint32_t main;
            __asm volatile("msr psp, %0\n movs r0, #2\n msr control, r0\n isb" ::"r"(PROCESS_TOP) : "r0");
            begin_ticks(50);
            while (ticks < 3) {
            }
            SYST_CSR = 0;
            __asm volatile("mrs %0, psp\n mrs %1, msp" : "=r"(process), "=r"(main));
            put(process == PROCESS_TOP && main < STACK_TOP && main > STACK_BOTTOM ? "kept\n" : "lost\n");
        } else if (command == 'e') {
            SCB_SHCSR = 7u << 16;
        } else if (command == 'r') {
            SCB_AIRCR = 0x05fa0004u;
        } else if (command == 'F') {
            SCB_CPACR = 0xfu << 20;
            uint32_t first;
            uint32_t last;
            __asm volatile("vmov s0, %0\n vmov s15, %1" ::"r"(123), "r"(456) : "s0", "s15");
            begin_ticks(50);
            while (ticks < 5) {
            }
            SYST_CSR = 0;
            __asm volatile("vmov %0, s0\n vmov %1, s15" : "=r"(first), "=r"(last));
            put(first == 123 && last == 456 ? "kept\n" : "lost\n");
        } else if (command == 'i') {
            uint32_t sum = 0;
            begin_ticks(61);
            for (uint32_t value = 0; value < 2000; ++value) {
                sum += conditional(value % 10);
            }
            SYST_CSR = 0;
            put_number("sum ", sum);
            put(ticks > 500 ? " interrupted\n" : "\n");
        } else if (command == 't') {
            SCB_DEMCR = 1u << 24;
            DWT_CTRL = 1;
            begin_ticks(1000);
            const uint32_t start = DWT_CYCCNT;
            while (ticks < 20) {
            }
            put_number("instructions ", DWT_CYCCNT - start);
            SYST_CSR = 0;
            put("\n");
        }
    }
}

void report(const uint32_t *frame, uint32_t link)
{
    put_number("exception ", SCB_ICSR & 0x1ffu);
    put_number(" cfsr ", SCB_CFSR);
    put_number(" hfsr ", SCB_HFSR);
    put_number(" bfar ", SCB_BFAR);
    put_number(" link ", link);
    // The halfword that was to be executed, where there is one.
    const uint32_t pc = (uint32_t)frame >= STACK_BOTTOM && (SCB_CFSR & 0x100u) == 0 ? frame[6] : 0;
    put_number(" code ", pc == 0 ? 0 : *(const volatile uint16_t *)pc);
    put("\n");
    serve();
}

void reset_handler(void)
{
    UART_CTRL = 3;
    put("begin\n");
    serve();
}
