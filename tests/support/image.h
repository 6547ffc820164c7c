// What images made for tests have in common: inputs that both sides know, so that none go over the line, and text.

#ifndef IMAGE_H
#define IMAGE_H

#include "mw_port.h"

#include <stdint.h>

// The same in image.py.
static inline uint8_t input_byte(uint32_t number)
{
    number *= 0x9e3779b1u;
    number ^= number >> 15;
    number *= 0x85ebca77u;
    return (uint8_t)(number >> 24);
}

static inline void put_text(const char *text)
{
    while (*text != '\0') {
        mw_port_putc((uint8_t)*text++);
    }
}

static inline void put_number(uint32_t number)
{
    if (number >= 10) {
        put_number(number / 10);
    }
    mw_port_putc((uint8_t)('0' + number % 10));
}

#endif
