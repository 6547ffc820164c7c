#include "mw/channel_four.h"

#if defined(__thumb__) && !defined(__thumb2__) && defined(__GNUC__)

// Such a core multiplies to 32 bits only: the products by halves are those of mw_channel_scale(). In assembly, for the
// carry that rounds, and because the multiplier's halves, its round and its exponent stay in registers.
// r1 four, r2 out, r4 and r5 the multiplier's low and high half, r12 round, lr exponent.
#define SCALE_AND_STORE(acc, offset) \
    "ldr r0, [r1, #" acc "]\n\t" \
    "sxth r3, r0\n\t" \
    "subs r6, r0, r3\n\t" \
    "asrs r6, r6, #16\n\t" \
    "movs r7, r3\n\t" \
    "muls r7, r4, r7\n\t" \
    "asrs r7, r7, #16\n\t" \
    "muls r3, r5, r3\n\t" \
    "adds r7, r7, r3\n\t" \
    "movs r3, r6\n\t" \
    "muls r3, r4, r3\n\t" \
    "adds r7, r7, r3\n\t" \
    "muls r6, r5, r6\n\t" \
    "asrs r7, r7, #15\n\t" \
    "adcs r7, r6\n\t" \
    "adds r7, r7, r6\n\t" \
    "add r7, r12\n\t" \
    "asrs r0, r0, #31\n\t" \
    "adds r7, r7, r0\n\t" \
    "mov r3, lr\n\t" \
    "asrs r7, r3\n\t" \
    "sxtb r3, r7\n\t" \
    "cmp r3, r7\n\t" \
    "beq 1f\n\t" \
    "asrs r3, r7, #31\n\t" \
    "movs r7, #127\n\t" \
    "eors r3, r7\n" \
    "1:\n\t" \
    "ldr r7, [r1, #" offset "]\n\t" \
    "strb r3, [r2, r7]\n\t"

__attribute__((naked)) void mw_channel_scale_four(const struct mw_channel *channel __attribute__((unused)),
                                                  const struct mw_four *four __attribute__((unused)),
                                                  int8_t *out __attribute__((unused)))
{
    __asm volatile(".syntax unified\n\t"
                   "push {r4-r7, lr}\n\t"
                   "ldr r4, [r0, #4]\n\t"
                   "lsrs r5, r4, #16\n\t"
                   "uxth r4, r4\n\t"
                   "ldr r3, [r0, #8]\n\t"
                   "mov r12, r3\n\t"
                   "ldr r3, [r0, #12]\n\t"
                   "mov lr, r3\n\t" SCALE_AND_STORE("0", "16") SCALE_AND_STORE("4", "20") SCALE_AND_STORE("8", "24")
                       SCALE_AND_STORE("12", "28")
                   "pop {r4-r7, pc}\n\t");
}

#else

void mw_channel_scale_four(const struct mw_channel *channel, const struct mw_four *four, int8_t *out)
{
    for (int i = 0; i < 4; ++i) {
        out[four->offsets[i]] = mw_channel_scale(*channel, four->acc[i]);
    }
}

#endif
