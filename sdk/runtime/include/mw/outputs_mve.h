// Four sums to four outputs, in assembly that fully connected kernels for Helium share: a choice before their loop over
// fours of outputs, and the end of the loop.
//
// The frame: [sp] mult, [sp, #4] shift, [sp, #8] where a four is scaled. r7 is where the outputs go, q7 their zero point.
// Labels 0 and 4 to 8 are taken.

#ifndef MW_OUTPUTS_MVE_H
#define MW_OUTPUTS_MVE_H

// How outputs are scaled: alike, or each for itself; MW_SCALE_NEGATIVE is added where those below the zero point are
// not clamped away.
enum { MW_SCALE_ALIKE = 0, MW_SCALE_NEGATIVE = 1, MW_SCALE_CHANNELS = 2 };

// r0 is a struct with `mult` and `shift` at mult_at; r4 is how its outputs are scaled. `each` is done where each is scaled for
// itself. Uses r2, r6.
#define MW_OUTPUTS_MVE_CHOOSE(mult_at, each) \
    "ldrd r2, r6, [r0, #" #mult_at "]\n\t" \
    "strd r2, r6, [sp]\n\t" \
    "adr.w r6, 4f\n\t" \
    "cmp r4, #1\n\t" \
    "bmi.n 0f\n\t" \
    "adr.w r6, 5f\n\t" \
    "beq.n 0f\n\t" each \
    "adr.w r6, 6f\n\t" \
    "cmp r4, #2\n\t" \
    "beq.n 0f\n\t" \
    "adr.w r6, 7f\n" \
    "0:\n\t" \
    "orr r6, r6, #1\n\t" \
    "str r6, [sp, #8]\n\t"

#define MW_OUTPUTS_MVE_NEGATIVE \
    "vshr.s32 q1, q0, #31\n\t" \
    "vadd.i32 q0, q0, q1\n\t"
#define MW_OUTPUTS_MVE_STORE \
    "vadd.i32 q0, q0, q7\n\t" \
    "vqmovnb.s32 q0, q0\n\t" \
    "vqmovnb.s16 q0, q0\n\t" \
    "vstrb.32 q0, [r7], #4\n\t"
#define MW_OUTPUTS_MVE_MULT \
    "ldrd r0, r2, [sp]\n\t" \
    "vqrdmulh.s32 q0, q0, r0\n\t"
#define MW_OUTPUTS_MVE_SHIFT "vrshl.s32 q0, r2\n\t" MW_OUTPUTS_MVE_STORE
#define MW_OUTPUTS_MVE_MULTS "vqrdmulh.s32 q0, q0, q2\n\t"
#define MW_OUTPUTS_MVE_SHIFTS "vrshl.s32 q0, q0, q3\n\t" MW_OUTPUTS_MVE_STORE

// The sums are in r0, r2, r4, r6. `advance` comes once they are read; `load` brings four multipliers to q2 and shifts to q3;
// `next` goes on with the next four, or falls through.
#define MW_OUTPUTS_MVE(advance, load, next) \
    "vmov q0[2], q0[0], r0, r4\n\t" \
    "vmov q0[3], q0[1], r2, r6\n\t" advance \
    "ldr.w pc, [sp, #8]\n\t" \
    ".balign 4\n" \
    "4:\n\t" MW_OUTPUTS_MVE_MULT MW_OUTPUTS_MVE_SHIFT next "b.n 8f\n\t" \
    ".balign 4\n" \
    "5:\n\t" MW_OUTPUTS_MVE_MULT MW_OUTPUTS_MVE_NEGATIVE MW_OUTPUTS_MVE_SHIFT next "b.n 8f\n\t" \
    ".balign 4\n" \
    "6:\n\t" load MW_OUTPUTS_MVE_MULTS MW_OUTPUTS_MVE_SHIFTS next "b.n 8f\n\t" \
    ".balign 4\n" \
    "7:\n\t" load MW_OUTPUTS_MVE_MULTS MW_OUTPUTS_MVE_NEGATIVE MW_OUTPUTS_MVE_SHIFTS next \
    "8:\n\t"

#endif
