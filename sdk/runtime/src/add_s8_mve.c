#include "mw/add_s8_mve.h"

#include "mw/mve.h"

// Shifts that round, because there are assemblers that take vqshrnb for vqrshrnb (GNU 2.40).
static inline void add_row(const struct mw_add_s8_mve *layer, const int8_t *in1, const int8_t *in2, int8_t *out,
                           int32_t count)
{
    __asm volatile("vdup.32 q2, %[scale1]\n\t"
                   "wlstp.32 lr, %[count], 2f\n"
                   "1:\n\t"
                   "vldrb.s32 q0, [%[in1]], #4\n\t"
                   "vmlas.s32 q0, q2, %[offset]\n\t"
                   "vldrb.s32 q1, [%[in2]], #4\n\t"
                   "vmla.s32 q0, q1, %[scale2]\n\t"
                   "vqrshrnb.s32 q0, q0, #16\n\t"
                   "vqrshrnb.s16 q0, q0, #5\n\t"
                   "vstrb.32 q0, [%[out]], #4\n\t"
                   "letp lr, 1b\n"
                   "2:"
                   : [in1] "+l"(in1), [in2] "+l"(in2), [out] "+l"(out)
                   : [scale1] "r"(layer->scale1), [scale2] "r"(layer->scale2), [offset] "r"(layer->offset),
                     [count] "r"(count)
                   : "q0", "q1", "q2", "lr", "cc", "memory");
}

void mw_add_s8_mve(const struct mw_add_s8_mve *layer, const int8_t *in1, const int8_t *in2, int8_t *out)
{
    const int32_t count = layer->extents[3];
    const int clamped = layer->act_min > INT8_MIN || layer->act_max < INT8_MAX;

    for (int32_t a = 0; a < layer->extents[0]; ++a) {
        for (int32_t b = 0; b < layer->extents[1]; ++b) {
            for (int32_t c = 0; c < layer->extents[2]; ++c) {
                add_row(layer, in1 + a * layer->strides1[0] + b * layer->strides1[1] + c * layer->strides1[2],
                        in2 + a * layer->strides2[0] + b * layer->strides2[1] + c * layer->strides2[2], out, count);
                if (clamped) {
                    mw_clamp_mve(out, count, layer->act_min, layer->act_max);
                }
                out += count;
            }
        }
    }
}
