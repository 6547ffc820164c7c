// The measuring application: answers the host's requests (docs/protocol.md of Microwright), runs the model, times it.

#ifdef MW_AGENT
#include "mw_agent.h"
#endif
#include "mw_board.h"
#include "mw_link.h"
#ifdef MW_MLPERF_TINY
#include "mw_mlperf.h"
#endif
#include "mw_model.h"
#include "mw_port.h"
#include "mw_walk.h"

#define PROTOCOL 1

static uint8_t mw_arena[MW_ARENA_BYTES] __attribute__((aligned(MW_ARENA_ALIGN))) MW_ARENA_SECTION;
#ifdef MW_ARENA_2_BYTES
static uint8_t mw_arena_2[MW_ARENA_2_BYTES] __attribute__((aligned(MW_ARENA_ALIGN))) MW_ARENA_2_SECTION;
#define ARENA_BYTES (MW_ARENA_BYTES + MW_ARENA_2_BYTES)
#else
#define ARENA_BYTES MW_ARENA_BYTES
#endif

static struct mw_link wire;

// How much of each input was written since the last run, in bytes from its beginning.
static uint32_t filled[MW_INPUTS];

// Ticks that starting and reading the timer take by themselves.
static uint64_t overhead;

// Inferences since the last reset of the model's state, and since boot.
static uint32_t steps;
static uint32_t runs;

// Whether a host has said hello since boot. Until then nothing else is done: whoever has begun something has to learn
// that it is gone, and perhaps the firmware that it knew with it.
static bool greeted;

// Ticks of each layer in the last run that timed them, if that went well.
#if MW_LAYERS > 0
static uint64_t layer_ticks[MW_LAYERS];
#endif
static bool layers_timed;

// The last request that was taken up, and what a run came to: a repeated run is answered again, not run again.
static uint32_t last_seq;
static struct {
    uint32_t seq; // 0: none
    enum mw_status status;
    uint64_t ticks;
    uint32_t stack_bytes;
    uint32_t output_crc;
    uint32_t step;
} last_run;

static void reply_error(uint32_t seq, const char *code)
{
    mw_link_begin(&wire, seq, "error");
    mw_link_key(&wire, "code");
    mw_link_put_text(&wire, code);
    mw_link_end(&wire);
}

static void reply_ok(uint32_t seq)
{
    mw_link_begin(&wire, seq, "ok");
    mw_link_end(&wire);
}

static void put_number(const char *key, uint64_t value)
{
    mw_link_key(&wire, key);
    mw_link_put_decimal(&wire, value);
}

static void put_text(const char *key, const char *value)
{
    mw_link_key(&wire, key);
    mw_link_put_text(&wire, value);
}

// Comma-separated sizes in bytes.
static void put_sizes(const char *key, int count, size_t (*bytes)(int))
{
    mw_link_key(&wire, key);
    for (int i = 0; i < count; ++i) {
        if (i > 0) {
            mw_link_put_text(&wire, ",");
        }
        mw_link_put_decimal(&wire, bytes(i));
    }
}

static void serve_hello(uint32_t seq)
{
    uint32_t length = 0;
    const uint8_t *const build = mw_port_build_id(&length);

    mw_link_begin(&wire, seq, "ok");
    put_number("proto", PROTOCOL);
    put_text("board", MW_BOARD_ID);
    put_text("engine", MW_ENGINE);
    put_text("model", MW_MODEL_ID);
    mw_link_key(&wire, "build");
    mw_link_put_hex(&wire, build, length);
    put_number("chunk", MW_LINK_CHUNK);
    put_number("timer_hz", mw_port_timer_hz());
    put_number("cpu_hz", mw_port_cpu_hz());
    put_text("counter", mw_port_timer_counter());
    put_number("overhead", overhead);
    put_sizes("inputs", MW_INPUTS, mw_model_input_bytes);
    put_sizes("outputs", MW_OUTPUTS, mw_model_output_bytes);
    put_number("layers", MW_LAYERS);
    put_number("arena", ARENA_BYTES);
    mw_link_end(&wire);
}

static void serve_write(const struct mw_link_request *request)
{
    uint32_t input;
    uint32_t offset;
    if (!mw_link_number(request, "input", &input) || input >= MW_INPUTS ||
        !mw_link_number(request, "offset", &offset)) {
        reply_error(request->seq, "argument");
        return;
    }
    if (offset > filled[input]) {
        reply_error(request->seq, "order");
        return;
    }
    mw_walk_end();
#ifdef MW_AGENT
    mw_agent_restore(mw_arena);
#endif
    uint8_t *const data = mw_model_input(mw_arena, (int)input);
    const int32_t bytes =
        mw_link_data(request, "data", data + offset, mw_model_input_bytes((int)input) - offset);
    if (bytes < 0) {
        filled[input] = offset; // what lies behind it may be overwritten in part
        reply_error(request->seq, "argument");
        return;
    }
    filled[input] = offset + (uint32_t)bytes;
    reply_ok(request->seq);
}

// The least of a few, since the first may wait for flash or caches.
static void measure_overhead(void)
{
    overhead = UINT64_MAX;
    for (int i = 0; i < 4; ++i) {
        mw_port_timer_start();
        const uint64_t ticks = mw_port_timer_ticks();
        overhead = ticks < overhead ? ticks : overhead;
    }
}

#ifdef MW_AGENT
static bool serve_agent(const struct mw_link_request *request, bool repeated)
{
    struct mw_agent_device device = {mw_arena, overhead, true, repeated};
    for (int i = 0; i < MW_INPUTS; ++i) {
        device.whole = device.whole && filled[i] == mw_model_input_bytes(i);
    }
    const int32_t done = mw_agent_serve(&wire, request, &device);
    if (done > 0) {
        mw_walk_end();
        runs += (uint32_t)done;
        steps = 1;
    }
    return done >= 0;
}
#endif

static uint64_t elapsed(void)
{
    const uint64_t ticks = mw_port_timer_ticks();
    return ticks > overhead ? ticks - overhead : 0;
}

// Runs the model, whole or layer by layer; the timer runs around nothing else.
static enum mw_status invoke(bool layers, uint64_t *ticks)
{
    if (!layers) {
        mw_port_timer_start();
        const enum mw_status status = mw_model_invoke(mw_arena);
        *ticks = elapsed();
        return status;
    }
    *ticks = 0;
    layers_timed = false;
#if MW_LAYERS > 0
    for (int i = 0; i < MW_LAYERS; ++i) {
        mw_port_timer_start();
        const enum mw_status status = mw_model_layer(mw_arena, i);
        layer_ticks[i] = elapsed();
        *ticks += layer_ticks[i];
        if (status != MW_OK) {
            return status;
        }
    }
#endif
    layers_timed = true;
    return MW_OK;
}

static void reply_run(void)
{
    if (last_run.status != MW_OK) {
        reply_error(last_run.seq, "model");
        return;
    }
    mw_link_begin(&wire, last_run.seq, "ok");
    put_number("ticks", last_run.ticks);
    put_number("stack", last_run.stack_bytes);
    mw_link_key(&wire, "crc");
    mw_link_put_checksum(&wire, last_run.output_crc);
    put_number("step", last_run.step);
    mw_link_end(&wire);
}

static void serve_run(const struct mw_link_request *request)
{
    uint32_t expected;
    uint32_t layers = 0;
    uint32_t reset = 0;
    uint32_t until = MW_LAYERS + 1; // the whole
    last_run.seq = 0;
    if (!mw_link_option(request, "layers", 1, &layers) || !mw_link_option(request, "reset", 1, &reset) ||
        !mw_link_option(request, "until", MW_LAYERS, &until) || !mw_link_checksum(request, "crc", &expected)) {
        reply_error(request->seq, "argument");
        return;
    }
    mw_walk_end();
#ifdef MW_AGENT
    mw_agent_restore(mw_arena);
#endif
    uint32_t crc = 0;
    for (int i = 0; i < MW_INPUTS; ++i) {
        if (filled[i] != mw_model_input_bytes(i)) {
            reply_error(request->seq, "incomplete");
            return;
        }
        crc = mw_link_crc32(crc, mw_model_input(mw_arena, i), mw_model_input_bytes(i));
    }
    if (crc != expected) {
        reply_error(request->seq, "crc");
        return;
    }

    if (reset != 0) {
        mw_model_reset(mw_arena);
        steps = 0;
    }
    last_run.step = ++steps;
    ++runs;
    mw_port_stack_paint();
    if (until <= MW_LAYERS) {
        last_run.ticks = 0;
        last_run.status = mw_walk_begin(mw_arena, until);
    } else {
        last_run.status = invoke(layers != 0, &last_run.ticks);
    }
    last_run.stack_bytes = mw_port_stack_used_bytes();

    last_run.seq = request->seq;
    last_run.output_crc = 0;
    for (int i = 0; i < MW_OUTPUTS; ++i) {
        last_run.output_crc =
            mw_link_crc32(last_run.output_crc, mw_model_output(mw_arena, i), mw_model_output_bytes(i));
    }
    for (int i = 0; i < MW_INPUTS; ++i) {
        filled[i] = 0; // the model may have used their place
    }
    reply_run();
}

static void serve_layer(const struct mw_link_request *request)
{
#if MW_LAYERS > 0
    uint32_t index;
    if (mw_link_number(request, "index", &index) && index < MW_LAYERS) {
        if (layers_timed) {
            mw_link_begin(&wire, request->seq, "ok");
            put_number("ticks", layer_ticks[index]);
            mw_link_end(&wire);
        } else {
            reply_error(request->seq, "incomplete");
        }
        return;
    }
#endif
    reply_error(request->seq, "argument");
}

static void serve_read(const struct mw_link_request *request)
{
    uint32_t output;
    uint32_t offset;
    uint32_t bytes;
    if (!mw_link_number(request, "output", &output) || output >= MW_OUTPUTS ||
        !mw_link_number(request, "offset", &offset) || !mw_link_number(request, "bytes", &bytes) ||
        bytes > MW_LINK_CHUNK || offset > mw_model_output_bytes((int)output) ||
        bytes > mw_model_output_bytes((int)output) - offset) {
        reply_error(request->seq, "argument");
        return;
    }
    const uint8_t *const data = mw_model_output(mw_arena, (int)output);
    mw_link_begin(&wire, request->seq, "ok");
    mw_link_key(&wire, "data");
    mw_link_put_base64(&wire, data + offset, bytes);
    mw_link_end(&wire);
}

// What lies in a byte of the arena that was never written; no two neighbours are equal.
static uint8_t paint(uint32_t at)
{
    return (uint8_t)(at * 89u + 37u);
}

static uint8_t *arena_at(uint32_t offset)
{
#ifdef MW_ARENA_2_BYTES
    if (offset >= MW_ARENA_BYTES) {
        return mw_arena_2 + (offset - MW_ARENA_BYTES);
    }
#endif
    return mw_arena + offset;
}

#ifndef MW_NO_WALK
const uint8_t *mw_walk_arena(uint32_t offset, uint32_t bytes)
{
    const uint32_t end = offset < MW_ARENA_BYTES ? MW_ARENA_BYTES : ARENA_BYTES;
    return offset > end || bytes > end - offset ? NULL : arena_at(offset);
}
#endif

static void serve_memory(uint32_t seq)
{
    uint32_t used = ARENA_BYTES;
    while (used > 0 && *arena_at(used - 1) == paint(used - 1)) {
        --used;
    }
    mw_link_begin(&wire, seq, "ok");
    put_number("stack_peak", mw_port_stack_peak_bytes());
    put_number("arena_peak", used);
    mw_link_end(&wire);
}

static void serve_clock(uint32_t seq)
{
    mw_link_begin(&wire, seq, "ok");
    put_number("ticks", mw_port_clock_ticks());
    put_number("runs", runs);
    mw_link_end(&wire);
}

static void serve(const struct mw_link_request *request)
{
    const bool repeated = request->seq == last_seq;
    last_seq = request->seq;
    if (mw_link_equal(request->verb, "hello")) {
        greeted = true;
        serve_hello(request->seq);
    } else if (!greeted) {
        reply_error(request->seq, "hello");
    } else if (mw_link_equal(request->verb, "write")) {
        serve_write(request);
    } else if (mw_link_equal(request->verb, "run")) {
        if (repeated && last_run.seq == request->seq) {
            reply_run();
        } else {
            serve_run(request);
        }
    } else if (mw_link_equal(request->verb, "layer")) {
        serve_layer(request);
    } else if (mw_link_equal(request->verb, "read")) {
        serve_read(request);
    } else if (mw_link_equal(request->verb, "memory")) {
        serve_memory(request->seq);
    } else if (mw_link_equal(request->verb, "clock")) {
        serve_clock(request->seq);
#ifdef MW_AGENT
    } else if (serve_agent(request, repeated)) {
        // It is answered.
#endif
    } else {
        const char *const code = mw_walk_serve(&wire, request, mw_arena);
        if (code != NULL) {
            reply_error(request->seq, code);
        }
    }
}

int main(void)
{
    mw_port_init();
    measure_overhead();
    for (const char *c = "microwright: " MW_MODEL_NAME " on " MW_BOARD_ID "\n"; *c != '\0'; ++c) {
        mw_port_putc((uint8_t)*c);
    }
    for (uint32_t i = 0; i < ARENA_BYTES; ++i) {
        *arena_at(i) = paint(i);
    }
#ifdef MW_AGENT
    mw_port_timer_start();
#endif
#ifdef MW_ARENA_2_BYTES
    const enum mw_status status = mw_model_init(mw_arena, mw_arena_2);
#else
    const enum mw_status status = mw_model_init(mw_arena);
#endif
#ifdef MW_AGENT
    mw_agent_begin(mw_port_timer_ticks());
#endif
    struct mw_link_request request;
    while (mw_link_receive(&wire, &request)) {
#ifdef MW_MLPERF_TINY
        if (request.command != NULL) {
            steps = 0; // the state is lost
            mw_walk_end();
            runs += mw_mlperf_serve(&wire, request.command, status == MW_OK ? mw_arena : NULL);
            continue;
        }
#endif
        if (status == MW_OK) {
            serve(&request);
        } else {
            reply_error(request.seq, "init");
        }
    }
    return 0;
}
