#include "mw/lstm_s8.h"

#include <string.h>

#include "mw/requantize.h"
#include "mw/squash.h"

static int32_t requantized(int32_t x, int32_t mult, int32_t shift)
{
    return mw_clamp(mw_requantize(x, mult, shift), INT16_MIN, INT16_MAX);
}

// What the gates are before their functions, of one input or hidden vector.
struct sums {
    int32_t input, forget, cell, output;
};

// The gates together, so that each value of the vector is loaded once; weights of a unit.
static struct sums products(struct sums acc, const int8_t *in, int32_t length, const int8_t *input, const int8_t *forget,
                            const int8_t *cell, const int8_t *output)
{
    for (int32_t i = 0; i < length; ++i) {
        const int32_t x = in[i];
        acc.input += x * input[i];
        acc.forget += x * forget[i];
        acc.cell += x * cell[i];
        acc.output += x * output[i];
    }
    return acc;
}

static struct sums of_input(const struct mw_lstm_s8 *layer, int32_t u, const int8_t *in)
{
    const struct sums biases = {layer->input.bias[u], layer->forget.bias[u], layer->cell.bias[u], layer->output.bias[u]};
    const int32_t row = u * layer->in_len;
    return products(biases, in, layer->in_len, layer->input.weights + row, layer->forget.weights + row,
                    layer->cell.weights + row, layer->output.weights + row);
}

static struct sums of_hidden(const struct mw_lstm_s8 *layer, int32_t u, const int8_t *hidden)
{
    const struct sums biases = {layer->input.recurrent_bias[u], layer->forget.recurrent_bias[u],
                                layer->cell.recurrent_bias[u], layer->output.recurrent_bias[u]};
    const int32_t row = u * layer->units;
    return products(biases, hidden, layer->units, layer->input.recurrent_weights + row,
                    layer->forget.recurrent_weights + row, layer->cell.recurrent_weights + row,
                    layer->output.recurrent_weights + row);
}

static int16_t gate_sum(const struct mw_lstm_gate *gate, int32_t from_input, int32_t from_hidden)
{
    return (int16_t)mw_clamp(requantized(from_input, gate->mult, gate->shift) +
                                 requantized(from_hidden, gate->recurrent_mult, gate->recurrent_shift),
                             INT16_MIN, INT16_MAX);
}

static void step(const struct mw_lstm_s8 *layer, const int8_t *in, const int8_t *hidden, int16_t *cell, int8_t *out)
{
    for (int32_t u = 0; u < layer->units; ++u) {
        const struct sums a = of_input(layer, u, in);
        const struct sums b = of_hidden(layer, u, hidden);
        const int32_t forget = mw_logistic_of(gate_sum(&layer->forget, a.forget, b.forget), 3, 0);
        const int32_t input = mw_logistic_of(gate_sum(&layer->input, a.input, b.input), 3, 0);
        const int32_t candidate = mw_tanh_of(gate_sum(&layer->cell, a.cell, b.cell), 3, 0);
        const int32_t output = mw_logistic_of(gate_sum(&layer->output, a.output, b.output), 3, 0);
        const int32_t kept = requantized(forget * cell[u], layer->keep_mult, layer->keep_shift);
        const int32_t added = requantized(input * candidate, layer->add_mult, layer->add_shift);
        cell[u] = (int16_t)mw_clamp(mw_clamp(kept + added, INT16_MIN, INT16_MAX), -layer->clip, layer->clip);
        const int32_t squashed = mw_tanh_of(cell[u], layer->tanh_mult, layer->tanh_shift);
        out[u] = mw_requantize_s8(squashed * output, layer->hidden_mult, layer->hidden_shift, layer->hidden_zp, INT8_MIN,
                                  INT8_MAX);
    }
}

void mw_lstm_s8(const struct mw_lstm_s8 *layer, const int8_t *in, int8_t *hidden, int16_t *cell, int8_t *out)
{
    const int32_t units = layer->units;
    for (int32_t b = 0; b < layer->batches; ++b, hidden += units, cell += units) {
        for (int32_t t = 0; t < layer->steps; ++t) {
            const int32_t place = t * layer->in_step + b * layer->in_batch;
            step(layer, in + place * layer->in_len, hidden, cell, out + place * units);
            memcpy(hidden, out + place * units, (size_t)units);
        }
    }
}
