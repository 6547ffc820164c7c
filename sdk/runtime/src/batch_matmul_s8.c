#include "mw/batch_matmul_s8.h"

#include "mw/requantize.h"

static int8_t dot(const struct mw_batch_matmul_s8 *layer, const int8_t *a, const int8_t *b)
{
    int32_t acc = 0;
    for (int32_t k = 0; k < layer->depth; ++k, a += layer->depth_step1, b += layer->depth_step2) {
        acc += (*a - layer->in1_zp) * (*b - layer->in2_zp);
    }
    return mw_requantize_s8(acc, layer->mult, layer->shift, layer->out_zp, INT8_MIN, INT8_MAX);
}

static int8_t *multiply(const struct mw_batch_matmul_s8 *layer, const int8_t *in1, const int8_t *in2, int8_t *out)
{
    for (int32_t i = 0; i < layer->rows; ++i) {
        for (int32_t j = 0; j < layer->columns; ++j) {
            *out++ = dot(layer, in1 + i * layer->row_step, in2 + j * layer->column_step);
        }
    }
    return out;
}

void mw_batch_matmul_s8(const struct mw_batch_matmul_s8 *layer, const int8_t *in1, const int8_t *in2, int8_t *out)
{
    const int32_t *const s1 = layer->strides1;
    const int32_t *const s2 = layer->strides2;
    for (int32_t a = 0; a < layer->batches[0]; ++a) {
        for (int32_t b = 0; b < layer->batches[1]; ++b) {
            for (int32_t c = 0; c < layer->batches[2]; ++c) {
                out = multiply(layer, in1 + a * s1[0] + b * s1[1] + c * s1[2], in2 + a * s2[0] + b * s2[1] + c * s2[2],
                               out);
            }
        }
    }
}
