// Reads a number that ends with a line feed, and runs this run and all after it. For each it prints a line: its number and
// what became of it. A fault, whose record the port sends in the same line, is the end.

#include "edges.h"

#include "image.h"
#include "mw_link.h"
#include "mw_port.h"

#include <stdbool.h>
#include <string.h>

// So much around each buffer is compared, as far as its page goes.
#define GUARD_BYTES 1024u

#define HOLES_PER_REGION 4
#define REGIONS 3
#define REGION_BYTES (2u * HOLES_PER_REGION * EDGES_PAGE_BYTES)
#define MEMORY_BYTES (REGIONS * REGION_BYTES)

#define MPU_CTRL (*(volatile uint32_t *)0xe000ed94u)
#define MPU_RNR (*(volatile uint32_t *)0xe000ed98u)
#define MPU_RBAR (*(volatile uint32_t *)0xe000ed9cu)
#define MPU_RASR (*(volatile uint32_t *)0xe000eda0u)
#define MPU_RLAR MPU_RASR
#define MPU_MAIR0 (*(volatile uint32_t *)0xe000edc0u)
#define MPU_CTRL_ENABLE 1u
#define MPU_CTRL_DEFAULT_ELSEWHERE 4u
#define SCB_CCR (*(volatile uint32_t *)0xe000ed14u)
#define SCB_CCR_UNALIGN_TRP 8u

static uint8_t memory[MEMORY_BYTES] __attribute__((section(EDGES_SECTION), aligned(REGION_BYTES)));
// What memory should hold.
static uint8_t expected[MEMORY_BYTES] __attribute__((section(EDGES_SECTION)));

static void make_holes(void)
{
#if defined(__ARM_ARCH_8M_MAIN__) || defined(__ARM_ARCH_8_1M_MAIN__)
    // Armv8-M cannot deny access to privileged code, but an address in two regions faults.
    MPU_MAIR0 = 0xffu;
    MPU_RNR = 0;
    MPU_RBAR = (uint32_t)(uintptr_t)memory;
    MPU_RLAR = ((uint32_t)(uintptr_t)(memory + MEMORY_BYTES - 1) & ~31u) | 1u;
    for (uint32_t i = 0; i < REGIONS * HOLES_PER_REGION; ++i) {
        const uint8_t *const hole = memory + 2 * i * EDGES_PAGE_BYTES;
        MPU_RNR = i + 1;
        MPU_RBAR = (uint32_t)(uintptr_t)hole;
        MPU_RLAR = ((uint32_t)(uintptr_t)(hole + EDGES_PAGE_BYTES - 1) & ~31u) | 1u;
    }
#else
    // Of the eighths of a region, those with an odd number are not part of it.
    const uint32_t size = 31u - (uint32_t)__builtin_clz(REGION_BYTES) - 1u;
    for (uint32_t i = 0; i < REGIONS; ++i) {
        MPU_RNR = i;
        MPU_RBAR = (uint32_t)(uintptr_t)(memory + i * REGION_BYTES);
        MPU_RASR = 0xaau << 8 | size << 1 | 1u;
    }
#endif
#ifndef __ARM_FEATURE_UNALIGNED
    SCB_CCR |= SCB_CCR_UNALIGN_TRP; // as on the core that the code is for
#endif
    MPU_CTRL = MPU_CTRL_DEFAULT_ELSEWHERE | MPU_CTRL_ENABLE;
    __asm volatile("dsb\n isb" ::: "memory");
}

static bool is_input(const struct edges_buffer *buffer)
{
    return buffer->kind == EDGES_INPUT || buffer->kind == EDGES_REALS;
}

// Reals are from 0.5 to 2, of either sign: what differs between machines is NaN alone.
static uint8_t content_byte(const struct edges_buffer *buffer, uint32_t first, uint32_t place)
{
    const uint8_t byte = input_byte(first + place);
    return buffer->kind == EDGES_REALS && place % 4 == 3 ? (uint8_t)((byte & 0x80) | 0x3f) : byte;
}

static uint32_t window_begin(uint32_t offset)
{
    const uint32_t page = offset / EDGES_PAGE_BYTES * EDGES_PAGE_BYTES;
    return offset - page > GUARD_BYTES ? offset - GUARD_BYTES : page;
}

static uint32_t window_bytes(uint32_t offset, uint32_t bytes)
{
    const uint32_t page_end = (offset / EDGES_PAGE_BYTES + 1) * EDGES_PAGE_BYTES;
    const uint32_t end = offset + bytes;
    return (page_end - end > GUARD_BYTES ? end + GUARD_BYTES : page_end) - window_begin(offset);
}

// Garbage around and in all buffers, then what is known of them.
static void prepare(const struct edges_run *run)
{
    for (int i = 0; i < run->count; ++i) {
        const uint32_t begin = window_begin(run->offsets[i]);
        const uint32_t bytes = window_bytes(run->offsets[i], run->buffers[i].bytes);
        for (uint32_t j = begin; j < begin + bytes; ++j) {
            expected[j] = (uint8_t)(j * 37u + 0xa5u);
        }
    }
    for (int i = 0; i < run->count; ++i) {
        const struct edges_buffer *const buffer = &run->buffers[i];
        if (buffer->kind == EDGES_CONSTANT) {
            memcpy(expected + run->offsets[i], buffer->content, buffer->bytes);
        } else if (is_input(buffer)) {
            for (uint32_t j = 0; j < buffer->bytes; ++j) {
                expected[run->offsets[i] + j] = content_byte(buffer, (uint32_t)i * EDGES_PAGE_BYTES, j);
            }
        }
    }
    for (int i = 0; i < run->count; ++i) {
        const uint32_t begin = window_begin(run->offsets[i]);
        memcpy(memory + begin, expected + begin, window_bytes(run->offsets[i], run->buffers[i].bytes));
    }
}

// Whether a call may write to a buffer: to an input only where the output lies over it, which nobody needs then.
static bool writable(const struct edges_run *run, int which)
{
    const struct edges_buffer *const buffer = &run->buffers[which];
    if (!is_input(buffer)) {
        return buffer->kind != EDGES_CONSTANT;
    }
    for (int i = 0; i < run->count; ++i) {
        if (run->buffers[i].kind == EDGES_OUTPUT && run->offsets[i] < run->offsets[which] + buffer->bytes &&
            run->offsets[which] < run->offsets[i] + run->buffers[i].bytes) {
            return true;
        }
    }
    return false;
}

static const char *check(const struct edges_run *run)
{
    const char *result = "right";
    for (int i = 0; i < run->count; ++i) {
        const uint32_t bytes = run->buffers[i].bytes;
        const uint8_t *const buffer = memory + run->offsets[i];
        if (run->buffers[i].kind == EDGES_OUTPUT && mw_link_crc32(0, buffer, bytes) != run->output_crc) {
            result = "wrong output";
        }
        if (writable(run, i)) {
            memcpy(expected + run->offsets[i], buffer, bytes);
        }
    }
    for (int i = 0; i < run->count; ++i) {
        const uint32_t begin = window_begin(run->offsets[i]);
        if (memcmp(memory + begin, expected + begin, window_bytes(run->offsets[i], run->buffers[i].bytes)) != 0) {
            result = "wrote outside";
        }
    }
    return result;
}

static uint32_t get_number(void)
{
    uint32_t number = 0;
    for (int byte = mw_port_getc(); byte != '\n'; byte = mw_port_getc()) {
        number = number * 10 + (uint32_t)(byte - '0');
    }
    return number;
}

int main(void)
{
    mw_port_init();
    make_holes();
    for (uint32_t i = get_number(); i < edges_run_count; ++i) {
        const struct edges_run *const run = &edges_runs[i];
        uint8_t *at[EDGES_PAGES];
        for (int j = 0; j < run->count; ++j) {
            at[j] = memory + run->offsets[j];
        }
        put_number(i);
        put_text(" ");
        prepare(run);
        run->call(at);
        put_text(check(run));
        put_text("\n");
    }
    for (;;) {
    }
}
