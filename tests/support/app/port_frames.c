// The serial line in turns: a frame from stdin, its length in four bytes (little-endian) in front, is read to its end, and
// what was said meanwhile goes to stdout in the same form. So whoever drives it knows that nothing else comes.

#include "mw_port.h"

#include <unistd.h>

static uint8_t in[65536];
static uint32_t in_at, in_count;

// The frame's length stands in front of it.
static uint8_t out[1 << 20];
static uint32_t out_count = 4;

void mw_port_putc(uint8_t byte)
{
    if (out_count == sizeof out) {
        _exit(3);
    }
    out[out_count++] = byte;
}

static void send(void)
{
    const uint32_t length = out_count - 4;
    for (uint32_t i = 0; i < 4; ++i) {
        out[i] = (uint8_t)(length >> 8 * i);
    }
    for (uint32_t at = 0; at < out_count;) {
        const ssize_t done = write(1, out + at, out_count - at);
        if (done <= 0) {
            _exit(4);
        }
        at += (uint32_t)done;
    }
    out_count = 4;
}

static int receive(uint8_t *bytes, uint32_t count)
{
    for (uint32_t at = 0; at < count;) {
        const ssize_t done = read(0, bytes + at, count - at);
        if (done <= 0) {
            return 0;
        }
        at += (uint32_t)done;
    }
    return 1;
}

int mw_port_getc(void)
{
    while (in_at == in_count) {
        uint8_t length[4];
        send();
        if (!receive(length, 4)) {
            return -1;
        }
        in_at = 0;
        in_count = (uint32_t)length[0] | (uint32_t)length[1] << 8;
        if (!receive(in, in_count)) {
            return -1;
        }
    }
    return in[in_at++];
}
