// main takes no arguments, as on a microcontroller: they are read from where the kernel has them.

#define _POSIX_C_SOURCE 200809L

#include "arguments.h"

#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

static char given[4096];
static size_t length;

static void read_them(void)
{
    const int file = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
    ssize_t count = 0;
    while (file >= 0 && (count = read(file, given + length, sizeof given - 1 - length)) > 0) {
        length += (size_t)count;
    }
    if (file >= 0) {
        (void)close(file);
    }
}

const char *argument(const char *name)
{
    if (length == 0) {
        read_them();
    }
    for (const char *at = given; at < given + length; at += strlen(at) + 1) {
        if (strcmp(at, name) == 0) {
            const char *const next = at + strlen(at) + 1;
            return next < given + length && strncmp(next, "--", 2) != 0 ? next : "";
        }
    }
    return NULL;
}
