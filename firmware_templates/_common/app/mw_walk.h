// Walking through an inference layer by layer, with a look into the arena in between: the requests `advance` and `arena`
// of docs/protocol.md. The host knows where in the arena each tensor lies.

#ifndef MW_WALK_H
#define MW_WALK_H

#include "mw_link.h"
#include "mw_model.h"

#ifdef MW_NO_WALK

static inline enum mw_status mw_walk_begin(uint8_t *arena, uint32_t until)
{
    (void)arena;
    (void)until;
    return MW_ERROR_INDEX;
}

static inline void mw_walk_end(void)
{
}

static inline const char *mw_walk_serve(struct mw_link *link, const struct mw_link_request *request, uint8_t *arena)
{
    (void)link;
    (void)request;
    (void)arena;
    return "verb";
}

#else

// Runs the first `until` layers, all at most; `advance` runs the next ones.
enum mw_status mw_walk_begin(uint8_t *arena, uint32_t until);

// The arena serves for something else from here on.
void mw_walk_end(void);

// Where `bytes` of the arena lie from `offset` on, in one piece; NULL where they do not. Offsets of an arena that is
// split go on from its first part to its second. The application has it.
const uint8_t *mw_walk_arena(uint32_t offset, uint32_t bytes);

// Answers a request. Returns the code of an error, which is not answered yet, or NULL.
const char *mw_walk_serve(struct mw_link *link, const struct mw_link_request *request, uint8_t *arena);

#endif

#endif
