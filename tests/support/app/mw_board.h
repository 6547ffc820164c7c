#define MW_BOARD_ID "stub"
