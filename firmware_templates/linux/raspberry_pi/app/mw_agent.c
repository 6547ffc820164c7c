#include "mw_agent.h"

#include "facts.h"
#include "mw_model.h"
#include "mw_port.h"

#include <string.h>

#define MAX_RUNS 65536u
#define MAX_SECONDS 10u

static uint64_t init_ticks;

// The inputs of the last burst. They lie in the arena side by side, so that they are no more than it.
static uint8_t kept[MW_ARENA_BYTES];
static bool stale;

static uint64_t samples[MAX_RUNS];

static struct {
    uint32_t seq; // 0: none
    enum mw_status status;
    uint32_t runs;
    uint32_t crc;
} last_burst;

static struct {
    uint32_t seq; // 0: none
    const uint8_t *data;
    uint32_t bytes;
} snapshot;

void mw_agent_begin(uint64_t ticks)
{
    init_ticks = ticks;
}

static void keep(uint8_t *arena)
{
    size_t at = 0;
    for (int i = 0; i < MW_INPUTS; ++i) {
        memcpy(kept + at, mw_model_input(arena, i), mw_model_input_bytes(i));
        at += mw_model_input_bytes(i);
    }
}

void mw_agent_restore(uint8_t *arena)
{
    size_t at = 0;
    for (int i = 0; stale && i < MW_INPUTS; ++i) {
        memcpy(mw_model_input(arena, i), kept + at, mw_model_input_bytes(i));
        at += mw_model_input_bytes(i);
    }
    stale = false;
}

static void reply_error(struct mw_link *link, uint32_t seq, const char *code)
{
    mw_link_begin(link, seq, "error");
    mw_link_key(link, "code");
    mw_link_put_text(link, code);
    mw_link_end(link);
}

// `first` = number, crc = checksum.
static void reply_counted(struct mw_link *link, uint32_t seq, const char *first, uint32_t number, uint32_t crc)
{
    mw_link_begin(link, seq, "ok");
    mw_link_key(link, first);
    mw_link_put_decimal(link, number);
    mw_link_key(link, "crc");
    mw_link_put_checksum(link, crc);
    mw_link_end(link);
}

// A piece of some data.
static void reply_piece(struct mw_link *link, const struct mw_link_request *request, const uint8_t *data,
                        uint32_t size)
{
    uint32_t offset;
    uint32_t bytes;
    if (size == 0) {
        reply_error(link, request->seq, "incomplete");
    } else if (!mw_link_number(request, "offset", &offset) || !mw_link_number(request, "bytes", &bytes) ||
               bytes > MW_LINK_CHUNK || offset > size || bytes > size - offset) {
        reply_error(link, request->seq, "argument");
    } else {
        mw_link_begin(link, request->seq, "ok");
        mw_link_key(link, "data");
        mw_link_put_base64(link, data + offset, bytes);
        mw_link_end(link);
    }
}

static uint64_t inference(const struct mw_agent_device *device)
{
    mw_agent_restore(device->arena);
    mw_model_reset(device->arena);
    stale = true;
    mw_port_timer_start();
    last_burst.status = mw_model_invoke(device->arena);
    const uint64_t ticks = mw_port_timer_ticks();
    return ticks > device->overhead ? ticks - device->overhead : 0;
}

static void burst(const struct mw_agent_device *device, uint32_t runs, uint32_t seconds)
{
    const uint64_t end = mw_port_clock_ticks() + (uint64_t)seconds * mw_port_timer_hz();
    mw_agent_restore(device->arena);
    keep(device->arena);
    last_burst.runs = 0;
    last_burst.crc = 0;
    do {
        samples[last_burst.runs++] = inference(device);
    } while (last_burst.status == MW_OK && last_burst.runs < runs && mw_port_clock_ticks() < end);
    for (int i = 0; i < MW_OUTPUTS; ++i) {
        last_burst.crc =
            mw_link_crc32(last_burst.crc, mw_model_output(device->arena, i), mw_model_output_bytes(i));
    }
}

static int32_t serve_burst(struct mw_link *link, const struct mw_link_request *request,
                           const struct mw_agent_device *device)
{
    uint32_t runs;
    uint32_t seconds;
    const bool again = device->repeated && last_burst.seq == request->seq;
    if (!mw_link_number(request, "runs", &runs) || runs < 1 || runs > MAX_RUNS ||
        !mw_link_number(request, "seconds", &seconds) || seconds < 1 || seconds > MAX_SECONDS) {
        reply_error(link, request->seq, "argument");
        return 0;
    }
    if (!device->whole) {
        reply_error(link, request->seq, "incomplete");
        return 0;
    }
    if (!again) {
        burst(device, runs, seconds);
        last_burst.seq = request->seq;
    }
    if (last_burst.status == MW_OK) {
        reply_counted(link, request->seq, "runs", last_burst.runs, last_burst.crc);
    } else {
        reply_error(link, request->seq, "model");
    }
    return again ? 0 : (int32_t)last_burst.runs;
}

static void serve_facts(struct mw_link *link, const struct mw_link_request *request, bool repeated)
{
    if (request->words != request->end) {
        reply_piece(link, request, snapshot.data, snapshot.bytes);
        return;
    }
    if (!repeated || snapshot.seq != request->seq) {
        snapshot.seq = request->seq;
        snapshot.data = facts_take(init_ticks, &snapshot.bytes);
    }
    reply_counted(link, request->seq, "size", snapshot.bytes, mw_link_crc32(0, snapshot.data, snapshot.bytes));
}

int32_t mw_agent_serve(struct mw_link *link, const struct mw_link_request *request,
                       const struct mw_agent_device *device)
{
    if (mw_link_equal(request->verb, "burst")) {
        return serve_burst(link, request, device);
    }
    if (mw_link_equal(request->verb, "facts")) {
        serve_facts(link, request, device->repeated);
        return 0;
    }
    if (mw_link_equal(request->verb, "samples")) {
        // As the machine has numbers: the last byte is the highest on all that this is for.
        const uint32_t bytes = last_burst.runs * (uint32_t)sizeof samples[0];
        reply_piece(link, request, (const uint8_t *)samples, bytes);
        return 0;
    }
    return -1;
}
