// The linker's build id, from the notes of the program that runs.

#define _GNU_SOURCE // dl_iterate_phdr

#include "mw_port.h"

#include <link.h>
#include <stddef.h>
#include <string.h>

struct build_id {
    const uint8_t *bytes;
    uint32_t length;
};

static size_t padded(size_t bytes)
{
    return (bytes + 3) & ~(size_t)3;
}

// Called for the program itself first: looks through its notes for the linker's.
static int find_build_id(struct dl_phdr_info *object, size_t size, void *result)
{
    (void)size;
    struct build_id *const found = result;
    for (int i = 0; i < object->dlpi_phnum; ++i) {
        const ElfW(Phdr) *const header = &object->dlpi_phdr[i];
        if (header->p_type != PT_NOTE) {
            continue;
        }
        const uint8_t *at = (const uint8_t *)(uintptr_t)(object->dlpi_addr + header->p_vaddr);
        const uint8_t *const end = at + header->p_memsz;
        while ((size_t)(end - at) >= sizeof(ElfW(Nhdr))) {
            ElfW(Nhdr) note;
            memcpy(&note, at, sizeof note);
            const uint8_t *const name = at + sizeof note;
            if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 && memcmp(name, "GNU", 4) == 0) {
                found->bytes = name + 4;
                found->length = note.n_descsz;
                return 1;
            }
            at = name + padded(note.n_namesz) + padded(note.n_descsz);
        }
    }
    return 1;
}

const uint8_t *mw_port_build_id(uint32_t *length)
{
    struct build_id found = {NULL, 0};
    (void)dl_iterate_phdr(find_build_id, &found);
    *length = found.length;
    return found.bytes;
}
