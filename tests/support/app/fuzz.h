// What the fuzz targets share: a serial line whose bytes are the fuzzer's.

#ifndef FUZZ_H
#define FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Stops at what is wrong.
#define REQUIRE(condition) ((condition) ? (void)0 : __builtin_trap())

// CRC-32, apart from the application's.
uint32_t fuzz_crc32(uint32_t crc, const uint8_t *data, size_t bytes);

// The line that the application reads or has just read, without its newline.
extern uint8_t fuzz_line[];
extern size_t fuzz_length;

// A target: reads the line to its end. `next_line` is called before each line is read, and after the last; it says what
// "crc=*" stands for in the next.
void fuzz_run(void);
uint32_t fuzz_next_line(void);

// Runs the application from boot to the end of the line.
void fuzz_boot(void);

#endif
