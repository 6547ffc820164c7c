// Records over a serial line: one ASCII line each, numbered and checksummed.
//
//     @<seq> <verb> <key>=<value> ... #<crc32>\n
//
// The protocol (what the verbs are, who repeats what) is docs/protocol.md of Microwright; this is its line layer. No
// malloc, no state outside struct mw_link. Whatever bytes arrive, only a record with the right checksum gets through.

#ifndef MW_LINK_H
#define MW_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Most bytes of binary data in one record; a build for a small chip may lower it (16 at least).
#ifndef MW_LINK_CHUNK
#define MW_LINK_CHUNK 384
#endif

// A line without its newline: base64 of a chunk, and everything else in the longest request.
#define MW_LINK_LINE_BYTES ((MW_LINK_CHUNK + 2) / 3 * 4 + 64)

// What ends a command of MLPerf Tiny's protocol, where the firmware answers it, too; in no request of ours.
#ifdef MW_MLPERF_TINY
#define MW_LINK_COMMAND_END '%'
#endif

struct mw_link {
    uint32_t crc;                  // of the record being sent, up to here
    uint32_t length;               // of the line being received; MW_LINK_LINE_BYTES + 1 when it is too long
    char line[MW_LINK_LINE_BYTES];
};

// A request that arrived. It points into the link's line and lives until the next mw_link_receive.
struct mw_link_request {
#ifdef MW_LINK_COMMAND_END
    char *command;     // another protocol's command, in place of all that follows; else NULL
#endif
    uint32_t seq;      // 1 to 65535
    const char *verb;
    const char *words; // key=value words, each ended by a NUL
    const char *end;   // behind the last of them
};

// Waits for the next request. Damaged lines are answered here. False at the end of input.
bool mw_link_receive(struct mw_link *link, struct mw_link_request *request);

// Whether two texts are equal.
bool mw_link_equal(const char *a, const char *b);

// Reads a number of 32 bits up to the first character that is no digit, which it returns; NULL where there is none.
const char *mw_link_decimal(const char *text, uint32_t *value);

// An argument as a decimal number, or as a checksum of 8 hex digits; false, and no value, where it is absent
// or anything else.
bool mw_link_number(const struct mw_link_request *request, const char *key, uint32_t *value);
bool mw_link_checksum(const struct mw_link_request *request, const char *key, uint32_t *value);

// An argument that may be absent, which leaves the value as it is; false where it is there and no number up to `max`.
bool mw_link_option(const struct mw_link_request *request, const char *key, uint32_t max, uint32_t *value);

// An argument of base64, decoded into `data`. Returns the number of bytes; -1 where it is absent, not base64 or would
// not fit into `room` bytes.
int32_t mw_link_data(const struct mw_link_request *request, const char *key, uint8_t *data, size_t room);

// A reply is begun, filled key by key (each key followed by its value) and ended. Text has no spaces.
void mw_link_begin(struct mw_link *link, uint32_t seq, const char *verb);
void mw_link_key(struct mw_link *link, const char *key);
void mw_link_put_text(struct mw_link *link, const char *text);
void mw_link_put_decimal(struct mw_link *link, uint64_t value);
void mw_link_put_checksum(struct mw_link *link, uint32_t crc);
void mw_link_put_hex(struct mw_link *link, const uint8_t *data, size_t bytes);
void mw_link_put_base64(struct mw_link *link, const uint8_t *data, size_t bytes);
void mw_link_end(struct mw_link *link);

// CRC-32 as zlib has it, continued from `crc` (0 to begin).
uint32_t mw_link_crc32(uint32_t crc, const uint8_t *data, size_t bytes);

#endif
