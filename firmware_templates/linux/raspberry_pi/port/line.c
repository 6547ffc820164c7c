#define _GNU_SOURCE // cfmakeraw, cfsetspeed, accept4

#include "line.h"

#include "arguments.h"
#include "mw_port.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#define DEFAULT_BAUD "115200"
#define STUCK_S 10 // the longest that a peer may take nothing of an answer

static const struct {
    const char *name;
    speed_t speed;
} rates[] = {
    {"9600", B9600},     {"19200", B19200},   {"38400", B38400},   {"57600", B57600},     {"115200", B115200},
    {"230400", B230400}, {"460800", B460800}, {"921600", B921600}, {"1000000", B1000000},
};

// -1: none. A listener has another input with each connection.
static int listener = -1;
static int input = -1;
static int output = -1;

static struct {
    uint8_t bytes[4096];
    size_t next;
    size_t end;
} received;

static struct {
    uint8_t bytes[4096];
    size_t end;
} sent;

static void fail(const char *what, const char *why)
{
    (void)fprintf(stderr, "agent: %s: %s\n", what, why);
    exit(EXIT_FAILURE);
}

static void announce(const char *where)
{
    (void)printf("listening on %s\n", where);
    (void)fflush(stdout);
}

// Listens at ADDRESS:PORT.
static void listen_tcp(const char *where)
{
    char address[INET_ADDRSTRLEN];
    const char *const colon = strrchr(where, ':');
    const size_t length = colon == NULL ? 0 : (size_t)(colon - where);
    char *end = NULL;
    const unsigned long port = colon == NULL ? 0 : strtoul(colon + 1, &end, 10);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    if (length == 0 || length >= sizeof address || end == colon + 1 || *end != '\0' || port > UINT16_MAX) {
        fail(where, "give ADDRESS:PORT, such as 127.0.0.1:0");
    }
    memcpy(address, where, length);
    address[length] = '\0';
    if (inet_pton(AF_INET, address, &at.sin_addr) != 1) {
        fail(where, "give an IPv4 address and a port, such as 127.0.0.1:0");
    }
    const int again = 1;
    socklen_t bytes = sizeof at;
    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0 || setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &again, sizeof again) != 0 ||
        bind(listener, (const struct sockaddr *)&at, sizeof at) != 0 || listen(listener, 1) != 0 ||
        getsockname(listener, (struct sockaddr *)&at, &bytes) != 0) {
        fail(where, strerror(errno));
    }
    char text[sizeof address + sizeof ":65535"];
    (void)snprintf(text, sizeof text, "%s:%u", address, ntohs(at.sin_port));
    announce(text);
}

// Listens at a path, whose user and group alone may connect. What an agent before left there goes.
static void listen_unix(const char *path)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    if (*path == '\0' || strlen(path) >= sizeof at.sun_path) {
        fail(path, "a socket's path has 1 to 107 characters");
    }
    (void)strcpy(at.sun_path, path);
    struct stat there;
    if (lstat(path, &there) == 0 && S_ISSOCK(there.st_mode)) {
        (void)unlink(path);
    }
    const mode_t mask = umask(S_IXUSR | S_IXGRP | S_IRWXO);
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0 || bind(listener, (const struct sockaddr *)&at, sizeof at) != 0 ||
        listen(listener, 1) != 0) {
        fail(path, strerror(errno));
    }
    (void)umask(mask);
    announce(path);
}

static void open_serial(const char *device)
{
    const char *const given = argument("--baud");
    const char *const baud = given == NULL ? DEFAULT_BAUD : given;
    size_t rate = 0;
    while (rate < sizeof rates / sizeof rates[0] && strcmp(rates[rate].name, baud) != 0) {
        ++rate;
    }
    if (rate == sizeof rates / sizeof rates[0]) {
        fail(baud, "no baud rate that this program knows");
    }
    struct termios settings;
    input = open(device, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (input < 0 || tcgetattr(input, &settings) != 0) {
        fail(device, strerror(errno));
    }
    cfmakeraw(&settings);
    settings.c_cflag |= CLOCAL | CREAD;
    if (cfsetspeed(&settings, rates[rate].speed) != 0 || tcsetattr(input, TCSAFLUSH, &settings) != 0) {
        fail(device, strerror(errno));
    }
    output = input;
}

void line_open(void)
{
    (void)signal(SIGPIPE, SIG_IGN); // a connection that went away is seen where it is read
    const char *where;
    if ((where = argument("--listen")) != NULL) {
        listen_tcp(where);
    } else if ((where = argument("--socket")) != NULL) {
        listen_unix(where);
    } else if ((where = argument("--serial")) != NULL) {
        open_serial(where);
    } else {
        input = STDIN_FILENO;
        output = STDOUT_FILENO;
    }
}

// Answers end in a newline, and go out as one piece.
void mw_port_putc(uint8_t byte)
{
    sent.bytes[sent.end++] = byte;
    if (byte != '\n' && sent.end < sizeof sent.bytes) {
        return;
    }
    size_t done = 0;
    while (output >= 0 && done < sent.end) {
        const ssize_t count = write(output, sent.bytes + done, sent.end - done);
        if (count < 0 && errno != EINTR) {
            break; // nobody is there
        }
        done += count > 0 ? (size_t)count : 0;
    }
    sent.end = 0;
}

static void close_connection(void)
{
    if (input >= 0) {
        (void)close(input);
    }
    input = output = -1;
}

// The latest connection is the line: one before it may be gone without a word.
static void take_connection(void)
{
    const int now = 1;
    const struct timeval stuck = {.tv_sec = STUCK_S};
    close_connection();
    input = output = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    (void)setsockopt(input, IPPROTO_TCP, TCP_NODELAY, &now, sizeof now); // of a Unix socket there is none
    (void)setsockopt(input, SOL_SOCKET, SO_SNDTIMEO, &stuck, sizeof stuck);
}

// Whether a connection waits, which is waited for as long as there is no line.
static bool connection_waits(void)
{
    struct pollfd ends[] = {{.fd = listener, .events = POLLIN}, {.fd = input, .events = POLLIN}};
    return listener >= 0 && poll(ends, 2, -1) > 0 && ends[0].revents != 0;
}

// Reads what has come. False where the line has ended.
static bool receive(void)
{
    received.next = received.end = 0;
    if (connection_waits()) {
        take_connection();
        return true;
    }
    const ssize_t count = read(input, received.bytes, sizeof received.bytes);
    received.end = count > 0 ? (size_t)count : 0;
    if (count > 0 || (count < 0 && errno == EINTR)) {
        return true;
    }
    close_connection();
    return listener >= 0;
}

int mw_port_getc(void)
{
    while (received.next == received.end) {
        if (!receive()) {
            return -1;
        }
    }
    return received.bytes[received.next++];
}
