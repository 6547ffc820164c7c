#include "mw_mlperf.h"

#include "mw_board.h"
#include "mw_mlperf_settings.h"
#include "mw_model.h"
#include "mw_port.h"

#include <string.h>

#define MICROSECONDS 1000000u
#define MAX_INFERENCES 1000000u
#define DEFAULT_WARMUPS 10u
#define PRINTED_BYTES 16u
#define BYTES_A_LINE 8u

#define OUTPUTS (MW_OUTPUT_0_BYTES / sizeof(MW_OUTPUT_0_TYPE))

// A fraction in binary: a decimal digit takes the four bits above it.
#define FRACTION_BITS 60
#define MAX_DECIMALS 18
#define SIGNIFICANT 9

// The input as it was sent, but for MW_MLPERF_FLIP. The arena's own is lost with each inference.
static struct {
    uint32_t expected; // by `db load`
    uint32_t bytes;
    union {
        uint8_t bytes[MW_MLPERF_INPUT_BYTES];
        float reals[MW_MLPERF_INPUT_BYTES / sizeof(float) + 1];
    } data;
} input;

#ifdef MW_MLPERF_LOWEST
static MW_INPUT_0_TYPE quantized[MW_INPUT_0_BYTES / sizeof(MW_INPUT_0_TYPE)];
#endif

static void put_line(struct mw_link *link, const char *text)
{
    mw_link_put_text(link, text);
    mw_link_put_text(link, "\r\n");
}

// A number in a line: its beginning, the number, its end.
static void put_number(struct mw_link *link, const char *before, uint64_t number, const char *after)
{
    mw_link_put_text(link, before);
    mw_link_put_decimal(link, number);
    put_line(link, after);
}

static void put_error(struct mw_link *link, const char *text)
{
    mw_link_put_text(link, "e-[");
    mw_link_put_text(link, text);
    put_line(link, "]");
}

// Takes the next word off a command; "" at its end.
static char *next_word(char **command)
{
    char *word = *command;
    while (*word == ' ') {
        ++word;
    }
    char *end = word;
    while (*end != '\0' && *end != ' ') {
        ++end;
    }
    *command = end;
    if (*end != '\0') {
        *end = '\0';
        ++*command;
    }
    return word;
}

// Reads a number of at most `limit` from the next word, `value` where there is none; false for anything else.
static bool take_number(char **command, uint32_t limit, uint32_t *value)
{
    const char *const word = next_word(command);
    if (*word == '\0') {
        return true;
    }
    const char *const end = mw_link_decimal(word, value);
    return end != NULL && *end == '\0' && *value <= limit;
}

// The quotient, by long division: the library's is larger. `number` becomes the remainder.
static uint64_t divide(uint64_t *number, uint64_t divisor)
{
    uint64_t quotient = *number;
    uint64_t remainder = 0;
    for (int bit = 0; bit < 64; ++bit) {
        remainder = remainder << 1 | quotient >> 63;
        quotient <<= 1;
        if (remainder >= divisor) {
            remainder -= divisor;
            quotient |= 1;
        }
    }
    *number = remainder;
    return quotient;
}

// Microseconds, of 64 bits: what wraps would be taken for no time at all.
static void put_time(struct mw_link *link, uint64_t ticks)
{
    const uint64_t hz = mw_port_timer_hz();
    const uint64_t seconds = divide(&ticks, hz);
    ticks *= MICROSECONDS;
    put_number(link, "m-lap-us-", seconds * MICROSECONDS + divide(&ticks, hz), "");
}

// Decimals of a float32, cut behind nine digits that count: no two floats from 1e-9 on look alike, nor change their
// order. Smaller ones are cut behind 18 decimals; what is 2^64 or more is infinite.
static void put_real(struct mw_link *link, float real)
{
    uint32_t bits;
    memcpy(&bits, &real, sizeof bits);
    const int exponent = (int)(bits >> 23 & 0xff) - 150;
    uint64_t whole = bits & 0x7fffffu;
    whole |= exponent > -150 ? 0x800000u : 0;
    uint64_t fraction = 0;
    if (bits >> 31 != 0) {
        mw_link_put_text(link, "-");
    }
    if (exponent > 40) {
        mw_link_put_text(link, exponent == 105 && whole != 0x800000u ? "nan" : "inf");
        return;
    }
    if (exponent >= 0) {
        whole <<= exponent;
    } else {
        const int point = exponent == -150 ? 149 : -exponent; // subnormal numbers have the exponent of the least others
        fraction = point < 64 ? whole & ((UINT64_C(1) << point) - 1) : whole;
        whole = point < 64 ? whole >> point : 0;
        fraction = point <= FRACTION_BITS ? fraction << (FRACTION_BITS - point)
                   : point < FRACTION_BITS + 24 ? fraction >> (point - FRACTION_BITS) : 0;
    }
    mw_link_put_decimal(link, whole);
    char text[MAX_DECIMALS + 2] = ".";
    int count = 1;
    int significant = whole != 0;
    do {
        fraction *= 10;
        const unsigned digit = (unsigned)(fraction >> FRACTION_BITS);
        fraction &= (UINT64_C(1) << FRACTION_BITS) - 1;
        text[count++] = (char)('0' + digit);
        significant += significant != 0 || digit != 0;
    } while (fraction != 0 && significant < SIGNIFICANT && count <= MAX_DECIMALS);
    text[count] = '\0';
    mw_link_put_text(link, text);
}

// An element of the output as a real number.
static float output_real(const MW_OUTPUT_0_TYPE *output, size_t index)
{
#ifdef MW_OUTPUT_0_SCALE
    return (float)(output[index] - MW_OUTPUT_0_ZERO_POINT) * MW_OUTPUT_0_SCALE;
#else
    return (float)output[index];
#endif
}

static void put_results(struct mw_link *link, const uint8_t *arena)
{
    const MW_OUTPUT_0_TYPE *const output = mw_model_output(arena, 0);
    mw_link_put_text(link, "m-results-[");
#ifdef MW_MLPERF_ERROR
    float sum = 0;
    for (size_t i = 0; i < OUTPUTS; ++i) {
        const float difference = output_real(output, i) - input.data.reals[i];
        sum += difference * difference;
    }
    put_real(link, sum / (float)OUTPUTS);
#else
    for (size_t i = 0; i < OUTPUTS; ++i) {
        if (i > 0) {
            mw_link_put_text(link, ",");
        }
        put_real(link, output_real(output, i));
    }
#endif
    put_line(link, "]");
}

// What the model's input takes of the input as it was sent: the bytes themselves, or
//   q = clamp(round(real / scale) + zero_point), halves rounded away from zero
static const void *model_input(void)
{
#ifdef MW_MLPERF_LOWEST
    for (size_t i = 0; i < sizeof quantized / sizeof *quantized; ++i) {
        const float scaled = input.data.reals[i] / MW_INPUT_0_SCALE;
        int32_t value = MW_MLPERF_LOWEST; // of NaN, too
        if (scaled > 100000.0f) {
            value = MW_MLPERF_HIGHEST;
        } else if (scaled > -100000.0f) {
            value = (int32_t)scaled;
            const float rest = scaled - (float)value; // exact, unlike a sum with 0.5
            value += (rest >= 0.5f) - (rest <= -0.5f) + MW_INPUT_0_ZERO_POINT;
            value = value < MW_MLPERF_LOWEST ? MW_MLPERF_LOWEST : value;
            value = value > MW_MLPERF_HIGHEST ? MW_MLPERF_HIGHEST : value;
        }
        quantized[i] = (MW_INPUT_0_TYPE)value;
    }
    return quantized;
#else
    return input.data.bytes;
#endif
}

// How often the model ran, as `mw_mlperf_serve` returns it.
static uint32_t runs;

// Some inferences, each on the input anew: the one before may have overwritten it.
static bool infer(uint8_t *arena, const void *data, uint32_t count)
{
    for (; count > 0; --count) {
        (void)mw_model_reset(arena);
        memcpy(mw_model_input(arena, 0), data, MW_INPUT_0_BYTES);
        ++runs;
        if (mw_model_invoke(arena) != MW_OK) {
            return false;
        }
    }
    return true;
}

static void serve_infer(struct mw_link *link, char *command, uint8_t *arena)
{
    uint32_t count = 1;
    uint32_t warmups = DEFAULT_WARMUPS;
    if (!take_number(&command, MAX_INFERENCES, &count) || count == 0 ||
        !take_number(&command, MAX_INFERENCES, &warmups)) {
        put_error(link, "infer takes a number of inferences, and one of warm-ups");
        return;
    }
    if (input.bytes != MW_MLPERF_INPUT_BYTES) {
        put_error(link, "the input is not whole");
        return;
    }
    const void *const data = model_input();
    put_number(link, "m-warmup-start-", warmups, "");
    bool done = infer(arena, data, warmups);
    put_line(link, "m-warmup-done");
    put_number(link, "m-infer-start-", count, "");
    // Only the difference of the times counts. Said before the timer starts, the first costs none.
    put_line(link, "m-lap-us-0");
    mw_port_timer_start();
    done = done && infer(arena, data, count);
    put_time(link, mw_port_timer_ticks());
    put_line(link, "m-infer-done");
    if (done) {
        put_results(link, arena);
    } else {
        put_error(link, "the model failed");
    }
}

static int nibble(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c |= 0x20; // lower case
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void load(struct mw_link *link, const char *hex)
{
    size_t digits = 0;
    while (nibble(hex[digits]) >= 0) {
        ++digits;
    }
    if (hex[digits] != '\0' || digits % 2 != 0 || digits == 0) {
        put_error(link, "no bytes in hexadecimal");
        return;
    }
    if (digits / 2 > input.expected - input.bytes) {
        put_error(link, "more bytes than expected");
        return;
    }
    for (; digits > 0; digits -= 2, hex += 2) {
        const int byte = nibble(hex[0]) << 4 | nibble(hex[1]);
        input.data.bytes[input.bytes++] = (uint8_t)byte ^ MW_MLPERF_FLIP;
    }
    if (input.bytes == input.expected) {
        put_line(link, "m-load-done");
    }
}

static void print_input(struct mw_link *link, char *command)
{
    uint32_t bytes = PRINTED_BYTES;
    uint32_t offset = 0;
    if (!take_number(&command, MW_MLPERF_INPUT_BYTES, &bytes) ||
        !take_number(&command, MW_MLPERF_INPUT_BYTES, &offset)) {
        put_error(link, "db print takes a number of bytes, and an offset");
        return;
    }
    for (uint32_t i = 0; i < bytes && offset + i < input.bytes; ++i) {
        const uint8_t byte = input.data.bytes[offset + i] ^ MW_MLPERF_FLIP;
        mw_link_put_text(link, i % BYTES_A_LINE != 0 ? "-" : i > 0 ? "\r\nm-buffer-" : "m-buffer-");
        mw_link_put_hex(link, &byte, 1);
    }
    put_line(link, "");
}

static void serve_db(struct mw_link *link, char *command)
{
    const char *const word = next_word(&command);
    if (mw_link_equal(word, "load")) {
        uint32_t expected = 0;
        input.bytes = 0;
        input.expected = 0;
        if (!take_number(&command, MW_MLPERF_INPUT_BYTES, &expected) || expected == 0) {
            put_number(link, "e-[db load takes 1 to ", MW_MLPERF_INPUT_BYTES, " bytes]");
            return;
        }
        input.expected = expected;
        put_number(link, "m-[Expecting ", expected, " bytes]");
    } else if (mw_link_equal(word, "print")) {
        print_input(link, command);
    } else {
        load(link, word);
    }
}

static void serve(struct mw_link *link, char *command, uint8_t *arena)
{
    const char *const word = next_word(&command);
    if (mw_link_equal(word, "name")) {
        put_line(link, "m-name-dut-[" MW_BOARD_ID "]");
    } else if (mw_link_equal(word, "profile")) {
        put_line(link, "m-profile-[ULPMark for tinyML Firmware V0.0.1]");
        put_line(link, "m-model-[" MW_MLPERF_MODEL "]");
    } else if (mw_link_equal(word, "timestamp")) {
        put_time(link, mw_port_clock_ticks());
    } else if (mw_link_equal(word, "help")) {
        put_line(link, "name profile timestamp help results check; db load N, db HEX, db print [N [OFFSET]]; "
                       "infer N [WARMUPS]");
    } else if (mw_link_equal(word, "db")) {
        serve_db(link, command);
    } else if (arena == NULL) {
        put_error(link, "the model could not be set up");
    } else if (mw_link_equal(word, "infer")) {
        serve_infer(link, command, arena);
    } else if (mw_link_equal(word, "results")) {
        put_results(link, arena);
    } else {
        // Not its text: that may hold what ends an answer.
        put_error(link, "unknown command");
    }
}

uint32_t mw_mlperf_serve(struct mw_link *link, char *command, uint8_t *arena)
{
    // Of all that was said on both sides since the last `check`, the host does the same: nothing else in this protocol
    // tells that a byte was damaged.
    runs = 0;
    const bool check = mw_link_equal(command, "check");
    if (check) {
        const uint32_t crc = ~link->crc;
        mw_link_put_text(link, "m-check-[");
        mw_link_put_checksum(link, crc);
        put_line(link, "]");
    } else {
        for (const char *c = command; *c != '\0'; ++c) {
            link->crc = ~mw_link_crc32(~link->crc, (const uint8_t *)c, 1);
        }
        serve(link, command, arena);
    }
    put_line(link, "m-ready");
    if (check) {
        link->crc = UINT32_MAX;
    }
    return runs;
}
