// Kernel calls whose buffers lie at the edges of pages, behind which there is nothing.

#ifndef EDGES_H
#define EDGES_H

#include <stddef.h>
#include <stdint.h>

// Memory is EDGES_PAGES pages, and as many holes of a page's size: hole, page, hole, page ... hole.
#define EDGES_PAGES 11
#define EDGES_PAGE_BYTES 65536u

enum edges_kind { EDGES_INPUT, EDGES_REALS, EDGES_CONSTANT, EDGES_OUTPUT, EDGES_SCRATCH }; // reals: float32 inputs

struct edges_buffer {
    enum edges_kind kind;
    uint32_t bytes;
    const void *content; // of a constant
};

struct edges_run {
    void (*call)(uint8_t *const *at); // with the buffers at these addresses
    const struct edges_buffer *buffers;
    const uint32_t *offsets; // of the buffers in memory
    int count;
    uint32_t output_crc;
};

extern const struct edges_run edges_runs[];
extern const uint32_t edges_run_count;

#endif
