#include "mw_link.h"

#include "mw_port.h"

// "@1 x #12345678" is the shortest record; the checksum and the " #" before it take ten characters at its end.
#define SHORTEST 14u
#define TAIL 10u

static uint32_t crc32_byte(uint32_t crc, uint8_t byte)
{
    // By half bytes: 64 bytes of table in place of 1024.
    static const uint32_t table[16] = {
        0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
        0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
    };
    crc ^= byte;
    crc = (crc >> 4) ^ table[crc & 15];
    return (crc >> 4) ^ table[crc & 15];
}

uint32_t mw_link_crc32(uint32_t crc, const uint8_t *data, size_t bytes)
{
    crc = ~crc;
    for (size_t i = 0; i < bytes; ++i) {
        crc = crc32_byte(crc, data[i]);
    }
    return ~crc;
}

bool mw_link_equal(const char *a, const char *b)
{
    while (*a != '\0' && *a == *b) {
        ++a;
        ++b;
    }
    return *a == *b;
}

const char *mw_link_decimal(const char *text, uint32_t *value)
{
    if (*text < '0' || *text > '9') {
        return NULL;
    }
    uint32_t number = 0;
    for (; *text >= '0' && *text <= '9'; ++text) {
        const uint32_t digit = (uint32_t)(*text - '0');
        if (number > (UINT32_MAX - digit) / 10) {
            return NULL;
        }
        number = number * 10 + digit;
    }
    *value = number;
    return text;
}

// Reads exactly eight lower-case hex digits.
static bool checksum(const char *text, uint32_t *value)
{
    uint32_t number = 0;
    for (int i = 0; i < 8; ++i) {
        const char c = text[i];
        if (c >= '0' && c <= '9') {
            number = number << 4 | (uint32_t)(c - '0');
        } else if (c >= 'a' && c <= 'f') {
            number = number << 4 | (uint32_t)(c - 'a' + 10);
        } else {
            return false;
        }
    }
    *value = number;
    return true;
}

// Takes the line apart where it is a record with the right checksum.
static bool parse(struct mw_link *link, struct mw_link_request *request)
{
    char *const line = link->line;
    const size_t length = link->length;
    uint32_t crc;
    if (length < SHORTEST || length > MW_LINK_LINE_BYTES || line[0] != '@') {
        return false;
    }
    char *const end = line + length - TAIL;
    if (end[0] != ' ' || end[1] != '#' || !checksum(end + 2, &crc) ||
        crc != mw_link_crc32(0, (const uint8_t *)line, length - TAIL + 1)) {
        return false;
    }
    for (char *c = line; c <= end; ++c) {
        if (*c == ' ') {
            *c = '\0';
        }
    }
    const char *text = mw_link_decimal(line + 1, &request->seq);
    if (text == NULL || *text != '\0' || request->seq > 65535 || text == end) {
        return false;
    }
    request->verb = ++text;
    while (*text != '\0') {
        ++text;
    }
    request->words = text;
    request->end = end;
    return true;
}

bool mw_link_receive(struct mw_link *link, struct mw_link_request *request)
{
    link->length = 0;
#ifdef MW_LINK_COMMAND_END
    request->command = NULL;
#endif
    for (;;) {
        const int byte = mw_port_getc();
        if (byte < 0) {
            return false;
        }
#ifdef MW_LINK_COMMAND_END
        if (byte == MW_LINK_COMMAND_END) {
            // What is too long is no command, nor is half a record, which lost its newline: both become unknown ones.
            const uint32_t end = link->length < MW_LINK_LINE_BYTES ? link->length : 0;
            link->line[end] = '\0';
            request->command = link->line;
            return true;
        }
#endif
        if (byte != '\n') {
            // '@' stands nowhere else in a record, so that a record that lost its newline costs only itself.
            if (byte == '@') {
                link->length = 0;
            }
            if (link->length < MW_LINK_LINE_BYTES) {
                link->line[link->length++] = (char)byte;
            } else {
                link->length = MW_LINK_LINE_BYTES + 1;
            }
            continue;
        }
        if (link->length == 0) {
            continue;
        }
        if (!parse(link, request)) {
            mw_link_begin(link, 0, "damaged");
            mw_link_end(link);
        } else if (request->seq != 0 && !mw_link_equal(request->verb, "ok") &&
                   !mw_link_equal(request->verb, "error")) {
            return true;
        }
        // What is left is a reply: the line echoes, and answering would go on for ever.
        link->length = 0;
    }
}

// The value of an argument; NULL where it is absent.
static const char *value_of(const struct mw_link_request *request, const char *key)
{
    const char *c = request->words;
    while (c < request->end) {
        const char *k = key;
        ++c;
        while (*k != '\0' && *c == *k) {
            ++c;
            ++k;
        }
        if (*k == '\0' && *c == '=') {
            return c + 1;
        }
        while (*c != '\0') {
            ++c;
        }
    }
    return NULL;
}

bool mw_link_number(const struct mw_link_request *request, const char *key, uint32_t *value)
{
    uint32_t number;
    const char *text = value_of(request, key);
    if (text != NULL) {
        text = mw_link_decimal(text, &number);
    }
    if (text == NULL || *text != '\0') {
        return false;
    }
    *value = number;
    return true;
}

bool mw_link_option(const struct mw_link_request *request, const char *key, uint32_t max, uint32_t *value)
{
    return value_of(request, key) == NULL || (mw_link_number(request, key, value) && *value <= max);
}

bool mw_link_checksum(const struct mw_link_request *request, const char *key, uint32_t *value)
{
    const char *text = value_of(request, key);
    return text != NULL && checksum(text, value) && text[8] == '\0';
}

// The six bits of a base64 character; 64 for any other.
static uint32_t sextet(char c)
{
    if (c >= 'A' && c <= 'Z') {
        return (uint32_t)(c - 'A');
    }
    if (c >= 'a' && c <= 'z') {
        return (uint32_t)(c - 'a') + 26;
    }
    if (c >= '0' && c <= '9') {
        return (uint32_t)(c - '0') + 52;
    }
    return c == '+' ? 62 : c == '/' ? 63 : 64;
}

int32_t mw_link_data(const struct mw_link_request *request, const char *key, uint8_t *data, size_t room)
{
    const char *c = value_of(request, key);
    if (c == NULL) {
        return -1;
    }
    size_t bytes = 0;
    while (*c != '\0') {
        // Four characters give three bytes, or fewer where '=' fills up the last four.
        uint32_t bits = 0;
        size_t count = 3;
        for (int i = 0; i < 4; ++i, ++c) {
            uint32_t six = sextet(*c);
            if (i >= 2 && *c == '=' && (i == 3 || c[1] == '=')) {
                six = 0;
                --count;
            }
            if (six == 64) {
                return -1;
            }
            bits = bits << 6 | six;
        }
        if (count > room - bytes || (count < 3 && *c != '\0')) {
            return -1;
        }
        for (size_t i = 0; i < count; ++i) {
            data[bytes++] = (uint8_t)(bits >> 16);
            bits <<= 8;
        }
    }
    return (int32_t)bytes;
}

// Not inlined: it is called from all over and would be a fifth of the code.
__attribute__((noinline)) static void put(struct mw_link *link, char c)
{
    link->crc = crc32_byte(link->crc, (uint8_t)c);
    mw_port_putc((uint8_t)c);
}

static void put_nibble(struct mw_link *link, uint32_t value)
{
    put(link, "0123456789abcdef"[value & 15]);
}

void mw_link_begin(struct mw_link *link, uint32_t seq, const char *verb)
{
    link->crc = UINT32_MAX;
    put(link, '@');
    mw_link_put_decimal(link, seq);
    put(link, ' ');
    mw_link_put_text(link, verb);
}

void mw_link_key(struct mw_link *link, const char *key)
{
    put(link, ' ');
    mw_link_put_text(link, key);
    put(link, '=');
}

void mw_link_put_text(struct mw_link *link, const char *text)
{
    for (; *text != '\0'; ++text) {
        put(link, *text);
    }
}

void mw_link_put_decimal(struct mw_link *link, uint64_t value)
{
    char digits[20]; // the last first
    int count = 0;
    do {
        // Long division by 10, bit by bit, the quotient taking the value's place: the library's 64-bit division is larger
        // than all of this file.
        uint32_t remainder = 0;
        for (int bit = 0; bit < 64; ++bit) {
            remainder = remainder << 1 | (uint32_t)(value >> 63);
            value <<= 1;
            if (remainder >= 10) {
                remainder -= 10;
                value |= 1;
            }
        }
        digits[count++] = (char)('0' + remainder);
    } while (value != 0);
    while (count > 0) {
        put(link, digits[--count]);
    }
}

void mw_link_put_checksum(struct mw_link *link, uint32_t crc)
{
    const uint8_t bytes[] = {(uint8_t)(crc >> 24), (uint8_t)(crc >> 16), (uint8_t)(crc >> 8), (uint8_t)crc};
    mw_link_put_hex(link, bytes, sizeof bytes);
}

void mw_link_put_hex(struct mw_link *link, const uint8_t *data, size_t bytes)
{
    for (size_t i = 0; i < bytes; ++i) {
        put_nibble(link, (uint32_t)data[i] >> 4);
        put_nibble(link, data[i]);
    }
}

void mw_link_put_base64(struct mw_link *link, const uint8_t *data, size_t bytes)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < bytes; i += 3) {
        const size_t left = bytes - i;
        const uint32_t bits = (uint32_t)data[i] << 16 | (left > 1 ? (uint32_t)data[i + 1] << 8 : 0) |
                              (left > 2 ? (uint32_t)data[i + 2] : 0);
        put(link, alphabet[bits >> 18]);
        put(link, alphabet[bits >> 12 & 63]);
        put(link, left > 1 ? alphabet[bits >> 6 & 63] : '=');
        put(link, left > 2 ? alphabet[bits & 63] : '=');
    }
}

void mw_link_end(struct mw_link *link)
{
    put(link, ' ');
    const uint32_t crc = ~link->crc;
    put(link, '#');
    mw_link_put_checksum(link, crc);
    put(link, '\n');
}
