// Fuzz target: the link's parser, against what docs/protocol.md says of records.

#include "fuzz.h"

#include "mw_link.h"

#include <stdlib.h>
#include <string.h>

static struct mw_link wire;
static bool accepted;

// A space ends a word, and so does a NUL, which no host sends.
static bool is_gap(uint8_t c)
{
    return c == ' ' || c == '\0';
}

// Whether the line ends in a request, by its checksum and its number, and if so which number. Others are the
// application's own answers, echoed.
static bool is_request(uint32_t *seq)
{
    size_t start = fuzz_length;
    while (start > 0 && fuzz_line[start - 1] != '@') {
        --start;
    }
    if (start == 0 || fuzz_length - start > MW_LINK_LINE_BYTES - 1 || fuzz_length - start < 13) {
        return false;
    }
    --start;
    const size_t hash = fuzz_length - 9;
    uint32_t crc = 0;
    for (size_t i = hash + 1; i < fuzz_length; ++i) {
        const char *const digits = "0123456789abcdef";
        const char *const digit = fuzz_line[i] == '\0' ? NULL : strchr(digits, fuzz_line[i]);
        if (digit == NULL) {
            return false;
        }
        crc = crc << 4 | (uint32_t)(digit - digits);
    }
    if (fuzz_line[hash] != '#' || fuzz_line[hash - 1] != ' ' ||
        crc != fuzz_crc32(0, fuzz_line + start, hash - start)) {
        return false;
    }
    uint64_t number = 0;
    size_t at = start + 1;
    while (fuzz_line[at] >= '0' && fuzz_line[at] <= '9' && number <= 65535) {
        number = number * 10 + (uint64_t)(fuzz_line[at++] - '0');
    }
    *seq = (uint32_t)number;
    if (at == start + 1 || number == 0 || number > 65535 || !is_gap(fuzz_line[at]) || at >= hash - 1) {
        return false;
    }
    const uint8_t *const verb = fuzz_line + at + 1;
    return !(memcmp(verb, "ok", 2) == 0 && is_gap(verb[2])) && !(memcmp(verb, "error", 5) == 0 && is_gap(verb[5]));
}

uint32_t fuzz_next_line(void)
{
    uint32_t seq;
    REQUIRE(fuzz_length == 0 || accepted == is_request(&seq));
    accepted = false;
    return 0;
}

// Asks for an argument in each form; data goes to a place of just that size.
static void ask(const struct mw_link_request *request, const char *key)
{
    uint32_t value;
    const bool is_number = mw_link_number(request, key, &value);
    REQUIRE(mw_link_option(request, key, UINT32_MAX, &value) || !is_number);
    (void)mw_link_checksum(request, key, &value);
    const size_t rooms[] = {0, 4, MW_LINK_CHUNK};
    for (size_t i = 0; i < sizeof rooms / sizeof rooms[0]; ++i) {
        uint8_t *const data = malloc(rooms[i]);
        REQUIRE(data != NULL);
        const int32_t bytes = mw_link_data(request, key, data, rooms[i]);
        REQUIRE(bytes >= -1 && bytes <= (int32_t)rooms[i]);
        free(data);
    }
}

void fuzz_run(void)
{
    struct mw_link_request request;
    while (mw_link_receive(&wire, &request)) {
        uint32_t seq = 0;
        REQUIRE(is_request(&seq) && seq == request.seq);
        accepted = true;
        const char *const begin = wire.line;
        const char *const end = wire.line + sizeof wire.line;
        REQUIRE(request.verb > begin && request.verb <= request.words && request.words <= request.end &&
                request.end < end && *request.end == '\0');
        ask(&request, "data");
        ask(&request, "");
    }
}
