// The Microwright runtime: int8 inference kernels in C99.
//
// No malloc, no globals, nothing beyond <stdint.h>, <stddef.h> and <string.h>. A compiled model (mw_model.h, mw_model.c)
// calls one kernel a step: mw_<kernel>(parameters, inputs..., outputs..., scratch). The parameters lie in flash, the
// tensors and the scratch in the caller's arena. Each kernel has a header of its own in mw/, with its formula, shapes
// and ranges. Tensors are NHWC, row-major, without gaps.

#ifndef MW_H
#define MW_H

#include <stddef.h>
#include <stdint.h>

enum mw_status {
    MW_OK = 0,
    MW_ERROR_INDEX = -1, // a layer that the model does not have
    MW_ERROR_ARENA = -2, // the arena is too small or not aligned
};

// Constants of the model: weights, biases, parameters. They get a section of their own, so that their size can be read
// from the linked image. The alignment is that of the parameters, which hold pointers.
#if defined(__GNUC__) && defined(__ELF__)
#define MW_MODEL_CONST __attribute__((section("mw_model"), aligned(sizeof(void *))))
#else
#define MW_MODEL_CONST
#endif

#endif
