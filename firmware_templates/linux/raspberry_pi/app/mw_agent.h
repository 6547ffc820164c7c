// What an agent answers besides a microcontroller's requests: `facts`, `burst` and `samples` of docs/protocol.md of
// Microwright.

#ifndef MW_AGENT_H
#define MW_AGENT_H

#include "mw_link.h"

struct mw_agent_device {
    uint8_t *arena;
    uint64_t overhead; // ticks that starting and reading the timer take
    bool whole;        // all inputs were written
    bool repeated;     // the request has the number of the one just before
};

// Ticks that setting the model up took; called once.
void mw_agent_begin(uint64_t ticks);

// A burst may have used the place of the inputs, which stay: puts them back. Called before anything is done to them.
void mw_agent_restore(uint8_t *arena);

// Answers a request. Returns the number of inferences that it took, each from a reset; -1 where it is no such request.
int32_t mw_agent_serve(struct mw_link *link, const struct mw_link_request *request,
                       const struct mw_agent_device *device);

#endif
