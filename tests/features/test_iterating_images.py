"""Linked code that walks along what is loaded finds images there, with their segments and thread-local block."""

import pytest

import rtlinker
from rtlinker.host import image_list

SOURCE = """
#define _GNU_SOURCE
#include <link.h>
#include <string.h>
#define NULL ((void *)0)
static const char text[] = "constant";
static int data = 1, zero[3000];
__thread long first = 5;
__thread char rest[300];
struct seen { const void *what; int flags, entries; long block; void *own; };
static int look(struct dl_phdr_info *one, size_t size, void *argument) {
    struct seen *seen = argument;
    seen->entries++;
    for (int i = 0; i < one->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = one->dlpi_phdr + i;
        char *start = (char *)(one->dlpi_addr + header->p_vaddr);
        if (header->p_type == PT_LOAD && start <= (char *)seen->what && (char *)seen->what < start + header->p_memsz) {
            seen->flags = header->p_flags;
            for (int j = 0; j < one->dlpi_phnum; j++)
                if (one->dlpi_phdr[j].p_type == PT_TLS) seen->block = one->dlpi_phdr[j].p_memsz;
            unsigned long pair[2] = {one->dlpi_tls_modid, 0};
            extern void *__tls_get_addr(void *);
            if (seen->block) seen->own = __tls_get_addr(pair);
            return size >= sizeof *one ? 7 : -1;
        }
    }
    return 0;
}
static int find(const void *what) {
    struct seen seen = {what};
    return dl_iterate_phdr(look, &seen) == 7 ? seen.flags : -1;
}
int code_flags(void) { return find((void *)find); }
int text_flags(void) { return find(text); }
int data_flags(void) { return find(&data); }
int zero_flags(void) { return find(zero + 2999); }
int libc_flags(void) { return find((void *)strlen); }
int nowhere(void) { return find(NULL); }
int block_found(void) {
    struct seen seen = {&data};
    dl_iterate_phdr(look, &seen);
    char *start = seen.own, *end = start + seen.block;
    return start <= (char *)&first && (char *)(&first + 1) <= end && start <= rest && rest + sizeof rest <= end;
}
int entries(void) { struct seen seen = {NULL}; dl_iterate_phdr(look, &seen); return seen.entries; }
"""


@pytest.mark.parametrize("libraries", [[], ["m"]])
def test_every_segment_is_found_with_its_protection(compile, in_child, libraries):
    path = compile(SOURCE)

    def call():
        library = rtlinker.load(path, libraries=libraries)
        names = ("code_flags", "text_flags", "data_flags", "zero_flags", "libc_flags", "nowhere")
        return [getattr(library, name)() for name in names]

    assert in_child(call) == [5, 4, 6, 6, 5, -1]


def test_the_thread_local_block_is_found_by_its_module(compile, in_child):
    path = compile(SOURCE)
    assert in_child(lambda: rtlinker.load(path).block_found()) == 1


def test_later_images_are_listed_and_unloaded_ones_are_not(compile, in_child):
    path, other = compile(SOURCE), compile("int one(void) { return 1; }")

    def call():
        library = rtlinker.load(path)
        counts = [library.entries()]
        with rtlinker.load(other):
            counts.append(library.entries())
        counts.append(library.entries())
        return [count - counts[0] for count in counts]

    assert in_child(call) == [0, 1, 0]


WALKER = """
#define _GNU_SOURCE
#include <link.h>
#include <string.h>
static void (*act)(void);
static int see(struct dl_phdr_info *one, size_t size, void *count) {
    ++*(int *)count;
    if (!strncmp(one->dlpi_name, "rtlinker:", 9)) act();
    return 0;
}
int walk(void (*look)(void)) { int count = 0; act = look; dl_iterate_phdr(see, &count); return count; }
"""


def test_lists_that_nobody_walks_along_are_not_kept(compile, in_child):
    path = compile(WALKER)

    def call():
        library = rtlinker.load(path)
        for _ in range(5):
            rtlinker.load(path).unload()
        alone = len(image_list._arrays)
        during = []

        def look():
            if not during:
                rtlinker.load(path).unload()
                during.append(len(image_list._arrays))

        count = library.function("walk", "int(void (*)(void))")(look)
        rtlinker.load(path).unload()
        return alone, during, count > 1, len(image_list._arrays)

    assert in_child(call) == (1, [3], True, 1)
