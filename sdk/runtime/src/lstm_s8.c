#include "mw/lstm_s8.h"

#include <stddef.h>
#include <string.h>

#include "mw/requantize.h"
#include "mw/squash.h"

static int32_t requantized(int32_t x, int32_t mult, int32_t shift)
{
    return mw_clamp(mw_requantize(x, mult, shift), INT16_MIN, INT16_MAX);
}

static int32_t dot(const int8_t *in, int32_t zp, const int8_t *weights, int32_t length)
{
    int32_t acc = 0;
    for (int32_t i = 0; i < length; ++i) {
        acc += (in[i] - zp) * weights[i];
    }
    return acc;
}

// What a gate's function is taken of.
static int16_t gate_sum(const struct mw_lstm_s8 *layer, const struct mw_lstm_gate *gate, int32_t u, const int8_t *in,
                        const int8_t *hidden)
{
    const int32_t bias = gate->bias == NULL ? 0 : gate->bias[u];
    const int32_t from_in = bias + dot(in, layer->in_zp, gate->weights + u * layer->in_len, layer->in_len);
    const int32_t from_hidden = dot(hidden, layer->hidden_zp, gate->recurrent + u * layer->units, layer->units);
    return (int16_t)mw_clamp(requantized(from_in, gate->mult, gate->shift) +
                                 requantized(from_hidden, gate->recurrent_mult, gate->recurrent_shift),
                             INT16_MIN, INT16_MAX);
}

static void step(const struct mw_lstm_s8 *layer, const int8_t *in, const int8_t *hidden, int16_t *cell, int8_t *out)
{
    for (int32_t u = 0; u < layer->units; ++u) {
        const int32_t forget = mw_logistic_of(gate_sum(layer, &layer->forget, u, in, hidden), 3, 0);
        const int32_t input = mw_logistic_of(gate_sum(layer, &layer->input, u, in, hidden), 3, 0);
        const int32_t candidate = mw_tanh_of(gate_sum(layer, &layer->cell, u, in, hidden), 3, 0);
        const int32_t kept = requantized(forget * cell[u], layer->keep_mult, layer->keep_shift);
        const int32_t added = requantized(input * candidate, layer->add_mult, layer->add_shift);
        const int32_t clipped = mw_clamp(mw_clamp(kept + added, INT16_MIN, INT16_MAX), -layer->clip, layer->clip);
        cell[u] = (int16_t)clipped;
        const int32_t output = mw_logistic_of(gate_sum(layer, &layer->output, u, in, hidden), 3, 0);
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
