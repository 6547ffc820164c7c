#define _GNU_SOURCE // sched_getaffinity

#include "facts.h"

#include "arguments.h"
#include "mw_model.h"
#include "mw_port.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TEXT_BYTES 65536
#define VALUE_BYTES 200
#define MAX_CPUS 64
#define MAX_NUMBER 1000000000000u
#define CPUS "/sys/devices/system/cpu"

// A 32-bit program may run on a 64-bit kernel, too.
#if defined(__aarch64__)
#define ARCH "aarch64"
#elif defined(__ARM_ARCH) && __ARM_ARCH == 6
#define ARCH "armv6l"
#elif defined(__ARM_ARCH)
#define ARCH "armv7l"
#endif

// The section of the model's constants, from the linker; absent where there are none.
extern const uint8_t __start_mw_model[] __attribute__((weak));
extern const uint8_t __stop_mw_model[] __attribute__((weak));

static uint64_t baseline_bytes;

static struct {
    char text[16384];
    size_t length;
} json;

static char text[TEXT_BYTES];

__attribute__((format(printf, 1, 2))) static void put(const char *format, ...)
{
    va_list values;
    va_start(values, format);
    const size_t room = sizeof json.text - json.length;
    const int length = vsnprintf(json.text + json.length, room, format, values);
    va_end(values);
    json.length += length < 0 ? 0 : (size_t)length < room ? (size_t)length : room - 1;
}

static void put_key(const char *key)
{
    put("%s\"%s\": ", json.length > 1 ? ", " : "", key);
}

static void put_number(const char *key, uint64_t value)
{
    put_key(key);
    put("%" PRIu64, value);
}

// Text of unknown origin: of what JSON or a terminal might take for something else, a question mark is left.
static void put_text(const char *key, const char *value)
{
    if (*value == '\0') {
        return;
    }
    put_key(key);
    put("\"");
    for (size_t i = 0; value[i] != '\0' && i < VALUE_BYTES; ++i) {
        put("%c", value[i] < ' ' || value[i] > '~' || value[i] == '"' || value[i] == '\\' ? '?' : value[i]);
    }
    put("\"");
}

// Reads into `text`, without what is blank at its end; leaves it empty where there is nothing.
static const char *read_from(int file)
{
    size_t length = 0;
    ssize_t count;
    while ((count = read(file, text + length, sizeof text - 1 - length)) > 0) {
        length += (size_t)count;
    }
    while (length > 0 && strchr(" \n", text[length - 1]) != NULL) {
        --length; // strchr finds the NUL, too, that the device tree has
    }
    text[length] = '\0';
    return text;
}

static const char *root(void)
{
    const char *const given = argument("--root");
    return given == NULL ? "" : given;
}

__attribute__((format(printf, 1, 2))) static const char *read_text(const char *format, ...)
{
    char path[1024];
    const int start = snprintf(path, sizeof path, "%s", root());
    va_list values;
    va_start(values, format);
    if (start >= 0 && (size_t)start < sizeof path) {
        (void)vsnprintf(path + start, sizeof path - (size_t)start, format, values);
    }
    va_end(values);
    text[0] = '\0';
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file >= 0) {
        (void)read_from(file);
        (void)close(file);
    }
    return text;
}

// What vcgencmd, the tool of the board's firmware, writes.
static const char *ask_firmware(const char *what)
{
    if (*root() != '\0') {
        return read_text("/$ vcgencmd %s", what);
    }
    char command[128];
    (void)snprintf(command, sizeof command, "timeout 2 vcgencmd %s </dev/null 2>/dev/null", what);
    text[0] = '\0';
    FILE *const said = popen(command, "r");
    if (said != NULL) {
        (void)read_from(fileno(said));
        (void)pclose(said);
    }
    return text;
}

// A whole number that is all of the text, and no more than any fact is.
static bool number_of(const char *from, int base, uint64_t *value)
{
    char *end;
    *value = strtoull(from, &end, base);
    return end != from && *end == '\0' && *from != '-' && *value <= MAX_NUMBER;
}

// What stands behind a key at the beginning of a line, and blanks, up to the line's end; "" where the key is not there.
// The text is cut there.
static const char *line_of(char *from, const char *key)
{
    for (char *line = from; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, key, strlen(key)) == 0) {
            char *const value = line + strlen(key) + strspn(line + strlen(key), "\t :=\"");
            value[strcspn(value, "\"\n")] = '\0';
            return value;
        }
    }
    return "";
}

// A size in /proc/self/status, which has it in KiB; 0 where it does not tell.
static uint64_t status_bytes(const char *key)
{
    text[0] = '\0';
    const int file = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    if (file >= 0) {
        (void)read_from(file);
        (void)close(file);
    }
    return strtoull(line_of(text, key), NULL, 10) * 1024;
}

void facts_begin(void)
{
    baseline_bytes = status_bytes("VmHWM:");
}

static bool kernel_hz(int cpu, const char *file, uint64_t *hz)
{
    const bool found = number_of(read_text(CPUS "/cpu%d/cpufreq/%s", cpu, file), 10, hz);
    *hz *= 1000;
    return found;
}

static int count_cpus(void)
{
    char path[1024];
    int cpus = 0;
    do {
        (void)snprintf(path, sizeof path, "%s" CPUS "/cpu%d", root(), cpus);
    } while (access(path, F_OK) == 0 && ++cpus < MAX_CPUS);
    return cpus;
}

// The firmware measures it, and all cores share it; else it is what the kernel asked for.
static void put_frequencies(void)
{
    const char *const said = ask_firmware("measure_clock arm");
    const char *const equals = strncmp(said, "frequency(", 10) == 0 ? strchr(said, '=') : NULL;
    uint64_t measured = 0;
    if (equals != NULL && !number_of(equals + 1, 10, &measured)) {
        measured = 0;
    }
    const int cpus = count_cpus();
    const char *before = "[";
    for (int cpu = 0; cpu < (measured != 0 && cpus == 0 ? 1 : cpus); ++cpu) {
        uint64_t hz = measured;
        if (hz == 0 && !kernel_hz(cpu, "scaling_cur_freq", &hz)) {
            continue;
        }
        if (*before == '[') {
            put_key("frequency_hz");
        }
        put("%s%" PRIu64, before, hz);
        before = ", ";
    }
    put("%s", *before == '[' ? "" : "]");
}

static void put_throttled(void)
{
    uint64_t bits;
    const char *said = ask_firmware("get_throttled");
    if (strncmp(said, "throttled=0x", 12) != 0 || !number_of(said + 12, 16, &bits)) {
        if (!number_of(read_text("/sys/devices/platform/soc/soc:firmware/get_throttled"), 16, &bits)) {
            return;
        }
    }
    put_number("throttled", bits);
}

// Whether a program runs that a desktop session has; nothing where no program is seen.
static void put_desktop(void)
{
    static const char *const desktops[] = {
        "Xorg", "labwc", "wayfire", "weston", "mutter", "gnome-shell", "kwin_wayland", "lxsession",
    };
    char path[1024];
    (void)snprintf(path, sizeof path, "%s/proc", root());
    DIR *const processes = opendir(path);
    bool seen = false;
    bool desktop = false;
    const struct dirent *entry;
    while (processes != NULL && (entry = readdir(processes)) != NULL) {
        if (entry->d_name[0] < '0' || entry->d_name[0] > '9' || *read_text("/proc/%s/comm", entry->d_name) == '\0') {
            continue;
        }
        seen = true;
        for (size_t i = 0; i < sizeof desktops / sizeof desktops[0]; ++i) {
            desktop = desktop || strcmp(text, desktops[i]) == 0;
        }
    }
    if (processes != NULL) {
        (void)closedir(processes);
    }
    if (seen) {
        put_key("desktop");
        put("%s", desktop ? "true" : "false");
    }
}

static void put_machine(void)
{
    uint64_t value;
    put_frequencies();
    if (kernel_hz(0, "cpuinfo_max_freq", &value)) {
        put_number("frequency_max_hz", value);
    }
    put_text("governor", read_text(CPUS "/cpu0/cpufreq/scaling_governor"));
    if (number_of(read_text("/sys/class/thermal/thermal_zone0/temp"), 10, &value)) {
        put_key("temperature_c");
        put("%" PRIu64 ".%03u", value / 1000, (unsigned)(value % 1000));
    }
    put_throttled();
    char *end;
    const double load = strtod(read_text("/proc/loadavg"), &end);
    if (end != text && *end == ' ') {
        put_key("load1");
        put("%.2f", load);
    }
    put_desktop();
    put_text("board_model", read_text("/proc/device-tree/model"));
    (void)read_text("/proc/cpuinfo");
    put_text("revision", line_of(text, "Revision"));
    (void)read_text("/etc/os-release");
    put_text("os", line_of(text, "PRETTY_NAME"));
    put_text("kernel", read_text("/proc/sys/kernel/osrelease"));
}

static void put_process(uint64_t init_ns)
{
    cpu_set_t cpus;
#ifdef ARCH
    put_text("arch", ARCH);
#endif
    put_text("runtime", MW_ENGINE);
    put_text("runtime_version", MW_VERSION);
    put_number("threads", 1);
    if (sched_getaffinity(0, sizeof cpus, &cpus) == 0) {
        const char *before = "[";
        put_key("affinity");
        for (int cpu = 0; cpu < MAX_CPUS; ++cpu) {
            if (CPU_ISSET(cpu, &cpus)) {
                put("%s%d", before, cpu);
                before = ", ";
            }
        }
        put("]");
    }
    put_number("init_ns", init_ns);
    put_number("model_bytes", (uint64_t)((uintptr_t)__stop_mw_model - (uintptr_t)__start_mw_model));
    put_number("arena_bytes", MW_ARENA_BYTES);
    put_number("baseline_hwm_bytes", baseline_bytes);
    put_number("vm_hwm_bytes", status_bytes("VmHWM:"));
    put_number("rss_bytes", status_bytes("VmRSS:"));
}

const uint8_t *facts_take(uint64_t init_ns, uint32_t *bytes)
{
    json.length = 0;
    put("{");
    put_machine();
    put_process(init_ns);
    put_number("time_ns", mw_port_clock_ticks());
    put("}");
    *bytes = (uint32_t)json.length;
    return (const uint8_t *)json.text;
}
