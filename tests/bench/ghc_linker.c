/* GHC's own runtime linker on the same objects: PROGRAM COMPANION COMPANION TARGET.
 * Companions are loaded and resolved first; prints milliseconds of loadObj and of resolveObjs for the target.
 * Build: ghc -no-hs-main -O2 ghc_linker.c -o ghc_linker -package base */
#include "HsFFI.h"
#include "Rts.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static double milliseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1e3 + now.tv_nsec / 1e6;
}

static void need(int worked, const char *what)
{
    if (worked) return;
    fprintf(stderr, "error: GHC's linker failed at %s\n", what);
    _exit(1);
}

int main(int argc, char **argv)
{
    int count = 1;
    char *names[] = {argv[0], NULL}, **rest = names;
    hs_init(&count, &rest);
    initLinker_(1);
    for (int i = 1; i < argc - 1; i++) need(loadObj(argv[i]), argv[i]);
    need(resolveObjs(), "the companions");
    double start = milliseconds();
    need(loadObj(argv[argc - 1]), argv[argc - 1]);
    double loaded = milliseconds();
    need(resolveObjs(), "the target");
    double resolved = milliseconds();
    printf("%.3f %.3f\n", loaded - start, resolved - loaded);
    fflush(stdout);
    _exit(0);
}
