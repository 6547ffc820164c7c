// The firmware as a program of this computer. Its serial line is a pseudo terminal, whose path it prints first.

#define _GNU_SOURCE // posix_openpt

#include "mw_port.h"
#include "stack.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#define IDLE_MS 500

uint8_t *port_stack_base;

static int terminal = -1;
static pid_t parent;

static struct {
    uint8_t bytes[512];
    size_t next;
    size_t end;
} received;

static void fail(const char *what)
{
    perror(what);
    exit(EXIT_FAILURE);
}

static void open_terminal(void)
{
    terminal = posix_openpt(O_RDWR | O_NOCTTY);
    if (terminal < 0 || grantpt(terminal) != 0 || unlockpt(terminal) != 0) {
        fail("pseudo terminal");
    }
    const char *const path = ptsname(terminal);
    if (path == NULL) {
        fail("pseudo terminal");
    }
    // It stays open here, so that the line stays up, and raw, while nobody else has it open.
    const int other_end = open(path, O_RDWR | O_NOCTTY);
    struct termios settings;
    if (other_end < 0 || tcgetattr(other_end, &settings) != 0) {
        fail(path);
    }
    cfmakeraw(&settings);
    if (tcsetattr(other_end, TCSANOW, &settings) != 0) {
        fail(path);
    }
    (void)printf("%s\n", path);
    (void)fflush(stdout);
}

void mw_port_init(void)
{
    port_stack_base = __builtin_dwarf_cfa();
    mw_port_stack_paint();
    parent = getppid();
    open_terminal();
}

void mw_port_putc(uint8_t byte)
{
    while (write(terminal, &byte, 1) < 0 && errno == EINTR) {
    }
}

int mw_port_getc(void)
{
    while (received.next == received.end) {
        struct pollfd line = {.fd = terminal, .events = POLLIN};
        const int ready = poll(&line, 1, IDLE_MS);
        if (ready == 0 && getppid() != parent) {
            return -1; // whoever started this has ended
        }
        if (ready > 0) {
            const ssize_t count = read(terminal, received.bytes, sizeof received.bytes);
            if (count < 0 && errno != EINTR && errno != EAGAIN) {
                return -1;
            }
            received.next = 0;
            received.end = count > 0 ? (size_t)count : 0;
        }
    }
    return received.bytes[received.next++];
}

uint32_t mw_port_cpu_hz(void)
{
    return 0; // not known, and not constant
}
