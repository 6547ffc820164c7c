// What RP2350's boot ROM looks for in the first 4 KiB: an image for Arm cores in the secure state, which starts with its
// vectors. It is a block of one item, and a list of blocks of one block.

#include <stdint.h>

#define BLOCK_START 0xffffded3u
#define BLOCK_END 0xab123579u
// An item is its type, its words and its value.
#define ITEM_IMAGE_TYPE (0x42u | 1u << 8)
#define IMAGE_TYPE_EXE (1u << 16)
#define EXE_SECURE (2u << 20)
#define EXE_ARM (0u << 24)
#define EXE_RP2350 (1u << 28)
// The words of all items.
#define ITEM_LAST (0xffu | 1u << 8)
#define NEXT_BLOCK_ITSELF 0u

__attribute__((section(".vectors.after"), used)) static const uint32_t image_def[] = {
    BLOCK_START, ITEM_IMAGE_TYPE | IMAGE_TYPE_EXE | EXE_SECURE | EXE_ARM | EXE_RP2350,
    ITEM_LAST,   NEXT_BLOCK_ITSELF,
    BLOCK_END,
};
