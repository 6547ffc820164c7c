// Checks of assembly that a jump computes its way into.

#ifndef MW_CODE_H
#define MW_CODE_H

// It does not assemble where there are not so many bytes between two labels: .org moves forward only. Not with .if, which
// some assemblers evaluate before they know where labels lie.
#define MW_CODE_BYTES(FROM, TO, BYTES) \
    ".org " FROM " + " BYTES "\n\t" \
    ".org " TO "\n\t"

#endif
