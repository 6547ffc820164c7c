// The firmware as a program of this computer. Its serial line is a pseudo terminal, whose path it prints first.

#define _GNU_SOURCE // posix_openpt, dl_iterate_phdr

#include "mw_port.h"
#include "stack.h"

#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define NANOSECONDS 1000000000u
#define IDLE_MS 500

uint8_t *port_stack_base;

static int terminal = -1;
static pid_t parent;
static uint64_t started_ns;

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

static uint64_t now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NANOSECONDS + (uint64_t)now.tv_nsec;
}

void mw_port_timer_start(void)
{
    started_ns = now_ns();
}

uint64_t mw_port_timer_ticks(void)
{
    return now_ns() - started_ns;
}

uint32_t mw_port_timer_hz(void)
{
    return NANOSECONDS;
}

uint32_t mw_port_cpu_hz(void)
{
    return 0; // not known, and not constant
}

const char *mw_port_timer_counter(void)
{
    return "clock";
}

uint64_t mw_port_clock_ticks(void)
{
    return now_ns();
}

struct build_id {
    const uint8_t *bytes;
    uint32_t length;
};

static size_t padded(size_t bytes)
{
    return (bytes + 3) & ~(size_t)3;
}

// Called for the program itself first: looks through its notes for the linker's.
static int find_build_id(struct dl_phdr_info *object, size_t size, void *result)
{
    (void)size;
    struct build_id *const found = result;
    for (int i = 0; i < object->dlpi_phnum; ++i) {
        const ElfW(Phdr) *const header = &object->dlpi_phdr[i];
        if (header->p_type != PT_NOTE) {
            continue;
        }
        const uint8_t *at = (const uint8_t *)(uintptr_t)(object->dlpi_addr + header->p_vaddr);
        const uint8_t *const end = at + header->p_memsz;
        while ((size_t)(end - at) >= sizeof(ElfW(Nhdr))) {
            ElfW(Nhdr) note;
            memcpy(&note, at, sizeof note);
            const uint8_t *const name = at + sizeof note;
            if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 && memcmp(name, "GNU", 4) == 0) {
                found->bytes = name + 4;
                found->length = note.n_descsz;
                return 1;
            }
            at = name + padded(note.n_namesz) + padded(note.n_descsz);
        }
    }
    return 1;
}

const uint8_t *mw_port_build_id(uint32_t *length)
{
    struct build_id found = {NULL, 0};
    (void)dl_iterate_phdr(find_build_id, &found);
    *length = found.length;
    return found.bytes;
}
