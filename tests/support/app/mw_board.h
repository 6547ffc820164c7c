#define MW_BOARD_ID "stub"
#define MW_ARENA_SECTION
#define MW_ARENA_2_SECTION
