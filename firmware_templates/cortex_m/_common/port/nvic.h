// The interrupt controller: which interrupts are enabled and pending, 32 a word.

#ifndef PORT_NVIC_H
#define PORT_NVIC_H

#include <stdint.h>

#define NVIC_ISER(word) (*(volatile uint32_t *)(0xe000e100u + 4u * (word)))
#define NVIC_ICER(word) (*(volatile uint32_t *)(0xe000e180u + 4u * (word)))
#define NVIC_ICPR(word) (*(volatile uint32_t *)(0xe000e280u + 4u * (word)))
#define NVIC_ALL 0xffffffffu
#ifdef __thumb2__
#define NVIC_WORDS 5u // 160 interrupts; those that a chip does not have ignore what is written
#else
#define NVIC_WORDS 1u // all that Armv6-M has
#endif

#endif
