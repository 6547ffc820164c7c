// The serial line is stdin and stdout.

#include "mw_port.h"
#include <unistd.h>
static uint8_t in[65536], out[65536];
static long in_count, in_at, out_count;
static void flush(void)
{
    for (long at = 0; at < out_count;) {
        const long done = write(1, out + at, (size_t)(out_count - at));
        if (done <= 0) {
            _exit(3);
        }
        at += done;
    }
    out_count = 0;
}
void mw_port_putc(uint8_t byte)
{
    if (out_count == (long)sizeof out) {
        flush();
    }
    out[out_count++] = byte;
}
int mw_port_getc(void)
{
    if (in_at == in_count) {
        flush();
        in_at = 0;
        in_count = read(0, in, sizeof in);
        if (in_count <= 0) {
            return -1;
        }
    }
    return in[in_at++];
}
