// What the boot ROM of an i.MX RT1060 reads at the beginning of the flash: how to read it (9.6.3 of the reference manual),
// and where the program is (9.7.1).

#include "mw_board.h"

#include <stddef.h>
#include <stdint.h>

#define SEQUENCE(first, second) (((uint32_t)(second) << 16) | (first))
#define STEP(command, lines, operand) (((command) << 10) | ((lines) << 8) | (operand))
#define COMMAND 0x01u
#define ADDRESS 0x02u
#define DUMMY 0x0cu
#define READ 0x09u
#define MODE 0x07u
#define ONE_LINE 0u
#define FOUR_LINES 2u

#define IVT_OFFSET 0x1000u

struct flash_configuration {
    uint32_t tag; // "FCFB"
    uint32_t version;
    uint32_t reserved_08;
    uint8_t sample_clock; // 1: looped back from the DQS pad
    uint8_t hold_time;
    uint8_t setup_time;
    uint8_t column_address_width;
    uint8_t not_used_10[0x44 - 0x10];
    uint8_t device_type; // 1: serial NOR
    uint8_t lines;
    uint8_t clock;
    uint8_t own_sequences;
    uint8_t not_used_48[0x50 - 0x48];
    uint32_t bytes[4]; // of the chips at A1, A2, B1, B2
    uint8_t not_used_60[0x80 - 0x60];
    uint32_t sequences[16][4]; // the first one reads
    uint8_t not_used_180[0x1c0 - 0x180];
    uint32_t page_bytes;
    uint32_t sector_bytes;
    uint8_t slow_clock; // of commands that do not read
    uint8_t not_used_1c9[0x1d0 - 0x1c9];
    uint32_t block_bytes;
    uint8_t not_used_1d4[0x200 - 0x1d4];
};

struct image_vector_table {
    uint32_t header;
    const void *vectors;
    uint32_t reserved_08;
    const void *device_configuration;
    const void *boot_data;
    const void *self;
    const void *signature;
    uint32_t reserved_1c;
};

struct boot_data {
    const void *start;
    const void *bytes; // a number, which the linker knows
    uint32_t plugin;
};

extern const uint8_t mw_vectors[];
extern const uint8_t mw_image_bytes[];
extern const uint8_t mw_flash_start[];

static const struct {
    struct flash_configuration flash;
    uint8_t not_used[IVT_OFFSET - sizeof(struct flash_configuration)];
    struct image_vector_table table;
    struct boot_data data;
} boot __attribute__((section(".boot"), used)) = {
    .flash =
        {
            .tag = 0x42464346u,
            .version = 0x56010000u, // 1.0.0
            .sample_clock = 1,
            .hold_time = 1,
            .setup_time = 2,
            .device_type = 1,
            .lines = 4,
            .clock = MW_CHIP_FLASH_CLOCK,
            .own_sequences = 1,
            .bytes = {MW_CHIP_FLASH_CHIP_BYTES},
            .sequences =
                {
                    {
                        SEQUENCE(STEP(COMMAND, ONE_LINE, MW_CHIP_FLASH_READ), STEP(ADDRESS, FOUR_LINES, 24u)),
                        // A mode byte without 0xa in front: the next read begins with its command again.
                        SEQUENCE(STEP(MODE, FOUR_LINES, 0xffu), STEP(DUMMY, FOUR_LINES, MW_CHIP_FLASH_DUMMY)),
                        SEQUENCE(STEP(READ, FOUR_LINES, 1u), 0u),
                    },
                },
            .page_bytes = 256,
            .sector_bytes = 4096,
            .slow_clock = 1,
            .block_bytes = 65536,
        },
    .table =
        {
            .header = 0x412000d1u, // tag 0xd1, 32 bytes, version 4.1
            .vectors = mw_vectors,
            .boot_data = &boot.data,
            .self = &boot.table,
        },
    .data =
        {
            .start = mw_flash_start,
            .bytes = mw_image_bytes,
        },
};

// As the boot ROM has them; an array of -1 elements does not compile.
typedef char sequences_are_there[offsetof(struct flash_configuration, sequences) == 0x80 ? 1 : -1];
typedef char page_bytes_are_there[offsetof(struct flash_configuration, page_bytes) == 0x1c0 ? 1 : -1];
typedef char configuration_is_whole[sizeof(struct flash_configuration) == 0x200 ? 1 : -1];
typedef char table_is_whole[sizeof(struct image_vector_table) == 32 ? 1 : -1];
