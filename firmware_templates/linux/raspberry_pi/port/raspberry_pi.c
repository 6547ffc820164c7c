// The firmware as a program of a Raspberry Pi's Linux. `--cpus 0,2` is where it may run.

#define _GNU_SOURCE // sched_setaffinity

#include "arguments.h"
#include "facts.h"
#include "line.h"
#include "mw_port.h"
#include "stack.h"

#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

uint8_t *port_stack_base;

static void choose_cpus(const char *list)
{
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    const char *at = list;
    char *end;
    bool right;
    do {
        const unsigned long cpu = strtoul(at, &end, 10);
        right = end != at && cpu < CPU_SETSIZE && (*end == ',' || *end == '\0');
        if (right) {
            CPU_SET(cpu, &cpus);
        }
        at = end + 1;
    } while (right && *end == ',');
    if (!right || sched_setaffinity(0, sizeof cpus, &cpus) != 0) {
        (void)fprintf(stderr, "agent: %s: cannot run on these CPUs\n", list);
        exit(EXIT_FAILURE);
    }
}

void mw_port_init(void)
{
    facts_begin();
    port_stack_base = __builtin_dwarf_cfa();
    mw_port_stack_paint();
    const char *const cpus = argument("--cpus");
    if (cpus != NULL) {
        choose_cpus(cpus);
    }
    line_open();
}

uint32_t mw_port_cpu_hz(void)
{
    return 0; // not constant: it is among the facts
}
