// Boots the application for a fuzz target.

#include "fuzz.h"

// The statics of the application and the model: their .bss sections bear this name.
extern uint8_t __start_mw_bss[];
extern uint8_t __stop_mw_bss[];

int firmware_main(void);

void fuzz_boot(void)
{
    // The space between the variables is written, too: this file is not sanitized, but memset is.
    for (volatile uint8_t *byte = __start_mw_bss; byte < __stop_mw_bss; ++byte) {
        *byte = 0;
    }
    (void)firmware_main();
}
