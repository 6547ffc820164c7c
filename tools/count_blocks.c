// QEMU plugin: how often each translated block ran between two addresses, region by region.
//
//   -plugin count_blocks.so,begin=ADDRESS,end=ADDRESS,low=ADDRESS,high=ADDRESS,out=FILE
//
// A region begins when the block at `begin` runs and ends when the one at `end` does. FILE gets for each region a line
// `region` and then a line for each block that ran: address of its first and last instruction, number of instructions,
// runs, how many of the runs went on elsewhere than behind its end, and bytes that it loaded from [low, high).
//
// The declarations are those of QEMU's plugin interface, version 1, which distributions ship without a header.

#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef uint64_t qemu_plugin_id_t;
typedef uint32_t qemu_plugin_meminfo_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;

// QEMU 7.2 takes 1, loads alone, for stores; nothing stores to constants.
enum { NO_REGISTERS = 0, LOADS_AND_STORES = 3 };

extern void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id,
                                                  void (*callback)(qemu_plugin_id_t, struct qemu_plugin_tb *));
extern void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *block,
                                                 void (*callback)(unsigned cpu, void *data), int registers,
                                                 void *data);
extern void qemu_plugin_register_vcpu_mem_cb(struct qemu_plugin_insn *instruction,
                                             void (*callback)(unsigned cpu, qemu_plugin_meminfo_t info,
                                                              uint64_t address, void *data),
                                             int registers, int kind, void *data);
extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *block);
extern struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *block, size_t index);
extern uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *instruction);
extern size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *instruction);
extern unsigned qemu_plugin_mem_size_shift(qemu_plugin_meminfo_t info);

#define EXPORTED __attribute__((visibility("default")))

EXPORTED int qemu_plugin_version = 1;
EXPORTED int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc, char **argv);

struct block {
    struct block *next;
    uint64_t first, last, behind; // addresses: first and last instruction, the one behind
    uint64_t instructions, runs, jumps, loaded_bytes;
};

static struct block *blocks;
static struct block *previous; // the block that ran last in this region
static bool counting;
static uint64_t begin, end, low, high;
static FILE *out;

static void write_region(void)
{
    fputs("region\n", out);
    for (struct block *b = blocks; b != NULL; b = b->next) {
        if (b->runs != 0) {
            fprintf(out, "%" PRIx64 " %" PRIx64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", b->first,
                    b->last, b->instructions, b->runs, b->jumps, b->loaded_bytes);
        }
        b->runs = b->jumps = b->loaded_bytes = 0;
    }
    fflush(out);
}

static void on_run(unsigned cpu, void *data)
{
    struct block *const block = data;
    (void)cpu;
    if (block->first == begin) {
        counting = true;
        previous = NULL;
    }
    if (!counting) {
        return;
    }
    if (previous != NULL && previous->behind != block->first) {
        previous->jumps++;
    }
    if (block->first == end) {
        counting = false;
        write_region();
        return;
    }
    previous = block;
    block->runs++;
}

static void on_load(unsigned cpu, qemu_plugin_meminfo_t info, uint64_t address, void *data)
{
    struct block *const block = data;
    (void)cpu;
    if (counting && address >= low && address < high) {
        block->loaded_bytes += (uint64_t)1 << qemu_plugin_mem_size_shift(info);
    }
}

static void on_translation(qemu_plugin_id_t id, struct qemu_plugin_tb *translated)
{
    struct block *const block = calloc(1, sizeof *block);
    (void)id;
    if (block == NULL) {
        abort();
    }
    const size_t instructions = qemu_plugin_tb_n_insns(translated);
    struct qemu_plugin_insn *const last = qemu_plugin_tb_get_insn(translated, instructions - 1);
    block->instructions = instructions;
    block->first = qemu_plugin_insn_vaddr(qemu_plugin_tb_get_insn(translated, 0));
    block->last = qemu_plugin_insn_vaddr(last);
    block->behind = block->last + qemu_plugin_insn_size(last);
    block->next = blocks;
    blocks = block;
    qemu_plugin_register_vcpu_tb_exec_cb(translated, on_run, NO_REGISTERS, block);
    for (size_t i = 0; i < instructions; ++i) {
        qemu_plugin_register_vcpu_mem_cb(qemu_plugin_tb_get_insn(translated, i), on_load, NO_REGISTERS,
                                         LOADS_AND_STORES, block);
    }
}

static bool take_address(const char *argument, const char *name, uint64_t *address)
{
    const size_t length = strlen(name);
    if (strncmp(argument, name, length) != 0 || argument[length] != '=') {
        return false;
    }
    *address = strtoull(argument + length + 1, NULL, 0);
    return true;
}

int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc, char **argv)
{
    (void)info;
    for (int i = 0; i < argc; ++i) {
        if (strncmp(argv[i], "out=", 4) == 0) {
            out = fopen(argv[i] + 4, "w");
        } else if (!take_address(argv[i], "begin", &begin) && !take_address(argv[i], "end", &end) &&
                   !take_address(argv[i], "low", &low) && !take_address(argv[i], "high", &high)) {
            fprintf(stderr, "count_blocks: unknown argument %s\n", argv[i]);
            return -1;
        }
    }
    if (out == NULL) {
        fputs("count_blocks: out=FILE is missing or cannot be written\n", stderr);
        return -1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
    return 0;
}
