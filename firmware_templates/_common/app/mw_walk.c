#include "mw_walk.h"

static bool walking;

// Layers that were run.
static uint32_t done;

// What has run already does not run again: a request may come twice.
static enum mw_status run(uint8_t *arena, uint32_t until)
{
    enum mw_status status = MW_OK;
    while (done < until && status == MW_OK) {
        status = mw_model_layer(arena, (int)done++);
    }
    walking = status == MW_OK;
    return status;
}

enum mw_status mw_walk_begin(uint8_t *arena, uint32_t until)
{
    done = 0;
    return run(arena, until);
}

void mw_walk_end(void)
{
    walking = false;
}

static const char *advance(struct mw_link *link, const struct mw_link_request *request, uint8_t *arena)
{
    uint32_t until;
    if (!mw_link_number(request, "until", &until) || until > MW_LAYERS) {
        return "argument";
    }
    if (run(arena, until) != MW_OK) {
        return "model";
    }
    mw_link_begin(link, request->seq, "ok");
    mw_link_end(link);
    return NULL;
}

static const char *look(struct mw_link *link, const struct mw_link_request *request)
{
    uint32_t offset;
    uint32_t bytes;
    uint32_t data = 0;
    if (!mw_link_option(request, "data", 1, &data) || !mw_link_number(request, "offset", &offset) ||
        !mw_link_number(request, "bytes", &bytes) || (data != 0 && bytes > MW_LINK_CHUNK)) {
        return "argument";
    }
    const uint8_t *const at = mw_walk_arena(offset, bytes);
    if (at == NULL) {
        return "argument";
    }
    mw_link_begin(link, request->seq, "ok");
    if (data != 0) {
        mw_link_key(link, "data");
        mw_link_put_base64(link, at, bytes);
    } else {
        mw_link_key(link, "crc");
        mw_link_put_checksum(link, mw_link_crc32(0, at, bytes));
    }
    mw_link_end(link);
    return NULL;
}

const char *mw_walk_serve(struct mw_link *link, const struct mw_link_request *request, uint8_t *arena)
{
    const bool advances = mw_link_equal(request->verb, "advance");
    if (!advances && !mw_link_equal(request->verb, "arena")) {
        return "verb";
    }
    if (!walking) {
        return "incomplete";
    }
    return advances ? advance(link, request, arena) : look(link, request);
}
