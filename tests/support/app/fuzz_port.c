// The serial line of the fuzz targets, and the fuzzer's entry. No fuzzer guesses a CRC-32: a line that ends in " #" gets
// the checksum that belongs there, and "crc=*" the one that the target names. What is said has to be records.

#include "fuzz.h"

#include "mw_port.h"

#include <string.h>

#define LINE_ROOM 4096
#define LONGEST_ANSWER 1024

static const uint8_t *input;
static size_t input_bytes;

uint8_t fuzz_line[LINE_ROOM + 16];
size_t fuzz_length;
static size_t line_at;
static bool line_ready;

static uint8_t said[LONGEST_ANSWER];
static size_t said_bytes;
static size_t lines, answers;

uint32_t fuzz_crc32(uint32_t crc, const uint8_t *data, size_t bytes)
{
    static uint32_t table[256];
    for (uint32_t byte = 0; table[255] == 0 && byte < 256; ++byte) {
        table[byte] = byte;
        for (int bit = 0; bit < 8; ++bit) {
            table[byte] = table[byte] >> 1 ^ ((table[byte] & 1) != 0 ? 0xedb88320u : 0);
        }
    }
    crc = ~crc;
    for (size_t i = 0; i < bytes; ++i) {
        crc = crc >> 8 ^ table[(crc ^ data[i]) & 255];
    }
    return ~crc;
}

static void put_hex(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 8; ++i) {
        at[i] = (uint8_t) "0123456789abcdef"[value >> (28 - 4 * i) & 15];
    }
}

// Takes the next line of the input; false at its end.
static bool take_line(uint32_t crc)
{
    if (input_bytes == 0) {
        return false;
    }
    fuzz_length = 0;
    line_at = 0;
    while (input_bytes > 0) {
        const uint8_t byte = *input++;
        --input_bytes;
        if (byte == '\n') {
            break;
        }
        if (fuzz_length + 8 > LINE_ROOM) {
            continue;
        }
        fuzz_line[fuzz_length++] = byte;
        if (byte == '*' && fuzz_length >= 5 && memcmp(fuzz_line + fuzz_length - 5, "crc=*", 5) == 0) {
            put_hex(fuzz_line + fuzz_length - 1, crc);
            fuzz_length += 7;
        }
    }
    if (fuzz_length >= 2 && memcmp(fuzz_line + fuzz_length - 2, " #", 2) == 0) {
        size_t start = fuzz_length - 1;
        while (start > 0 && fuzz_line[start] != '@') {
            --start;
        }
        put_hex(fuzz_line + fuzz_length, fuzz_crc32(0, fuzz_line + start, fuzz_length - 1 - start));
        fuzz_length += 8;
    }
    ++lines;
    return true;
}

int mw_port_getc(void)
{
    if (!line_ready) {
        line_ready = take_line(fuzz_next_line());
        if (!line_ready) {
            return -1;
        }
    }
    if (line_at == fuzz_length) {
        line_ready = false;
        return '\n';
    }
    return fuzz_line[line_at++];
}

static bool is_hex(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

void mw_port_putc(uint8_t byte)
{
    if (byte != '\n') {
        REQUIRE(said_bytes < sizeof said && ((byte >= ' ' && byte <= '~') || byte == '\r'));
        said[said_bytes++] = byte;
        return;
    }
    if (said_bytes > 0 && said[0] == '@') {
        REQUIRE(said_bytes > 14);
        const size_t hash = said_bytes - 9;
        REQUIRE(said[hash] == '#' && said[hash - 1] == ' ');
        for (size_t i = 1; i < hash; ++i) {
            REQUIRE(said[i] != '@' && said[i] != '#');
        }
        uint8_t crc[8];
        put_hex(crc, fuzz_crc32(0, said, hash));
        for (size_t i = 0; i < 8; ++i) {
            REQUIRE(is_hex(said[hash + 1 + i]) && said[hash + 1 + i] == crc[i]);
        }
        REQUIRE(++answers <= lines);
    }
    said_bytes = 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    input = data;
    input_bytes = bytes;
    line_ready = false;
    fuzz_length = said_bytes = lines = answers = 0;
    fuzz_run();
    REQUIRE(input_bytes == 0 && said_bytes == 0);
    return 0;
}
