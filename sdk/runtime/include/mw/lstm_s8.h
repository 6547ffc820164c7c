// LSTM over a sequence, int8 with an int16 cell. For each step t, with h the hidden and c the cell state of unit u:
//   gate      = function(sat(requantize(bias[u] + sum over i of in[t][i] * weights[u][i])
//                          + requantize(recurrent_bias[u] + sum over j of h[j] * recurrent_weights[u][j])))
//   c[u]      = clip(requantize(forget * c[u]) + requantize(input * cell)), by sigmoid, sigmoid and tanh
//   h[u]      = clamp(requantize(tanh(c[u]) * output) + hidden_zp), by sigmoid
//   out[t][u] = h[u]
// where each requantised sum is clamped to int16, functions are taken of values of scale 2^-12, and biases have in them what
// the zero points of in and h add. A sequence of each batch has states of its own.
// in      int8   step t of batch b at (t * in_step + b * in_batch) * in_len
// out     int8   step t of batch b at (t * in_step + b * in_batch) * units  may not overlap in
// hidden  int8   [batches][units]
// cell    int16  [batches][units]

#ifndef MW_LSTM_S8_H
#define MW_LSTM_S8_H

#include <stdint.h>

struct mw_lstm_gate {
    const int8_t *weights; // [units][in_len]
    const int32_t *bias;   // [units]
    int32_t mult, shift;
    const int8_t *recurrent_weights; // [units][units]
    const int32_t *recurrent_bias;   // [units]
    int32_t recurrent_mult, recurrent_shift;
};

struct mw_lstm_s8 {
    int32_t batches, steps, in_len, units;
    int32_t in_batch, in_step;
    int32_t hidden_zp;
    struct mw_lstm_gate input, forget, cell, output;
    int32_t keep_mult, keep_shift;     // forget * c
    int32_t add_mult, add_shift;       // input * cell
    int32_t hidden_mult, hidden_shift; // tanh(c) * output
    int32_t clip;                      // of c, 32768 for none
    int32_t tanh_mult, tanh_shift;     // as in mw/squash.h
};

void mw_lstm_s8(const struct mw_lstm_s8 *layer, const int8_t *in, int8_t *hidden, int16_t *cell, int8_t *out);

#endif
