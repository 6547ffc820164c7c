// The linker's build id, which the linker script keeps at mw_build_id_note.

#include "mw_port.h"

struct note {
    uint32_t name_bytes;
    uint32_t description_bytes;
    uint32_t type;
    char name[4]; // "GNU"
    uint8_t description[];
};

extern const struct note mw_build_id_note;

const uint8_t *mw_port_build_id(uint32_t *length)
{
    *length = mw_build_id_note.description_bytes;
    return mw_build_id_note.description;
}
