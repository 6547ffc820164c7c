// What the machine and this process say of themselves, as JSON: `facts` of docs/protocol.md of Microwright.
//
// With `--root DIR` the files lie below that folder, and what a command writes in a file there, such as
// `DIR/$ vcgencmd get_throttled`.

#ifndef FACTS_H
#define FACTS_H

#include <stdint.h>

// Called before the model is set up: what memory the program takes without it.
void facts_begin(void);

// Takes a snapshot, in which setting up the model took so many nanoseconds; `bytes` gets its length.
const uint8_t *facts_take(uint64_t init_ns, uint32_t *bytes);

#endif
