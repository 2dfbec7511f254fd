/* GHC's own runtime linker where rtlinker links a runtime: prints milliseconds, and what the Haskell code prints.
 *   PROGRAM greet OBJECT ... TEST.o   load and resolve all, evaluate Test_maFonction_closure "Haskell", flush
 *   PROGRAM link OBJECT ...           load and resolve all
 *   PROGRAM reload ROUNDS TEST.o OBJECT ...   one cycle of unloadObj, a major collection, loadObj, resolveObjs and
 *                                             lookupSymbol; the other objects were loaded before
 *   PROGRAM find SYMBOL ARCHIVE ...   loadArchive all, then lookupSymbol
 * The program's own runtime is started before the clock is.
 * Build: ghc -no-hs-main -O2 ghc_haskell.c -o ghc_haskell -package base */
#include "HsFFI.h"
#include "Rts.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static double milliseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1e3 + now.tv_nsec / 1e6;
}

static void *need(void *got, const char *what)
{
    if (got) return got;
    fprintf(stderr, "error: GHC's linker failed at %s\n", what);
    _exit(1);
}

static void greet(void)
{
    HaskellObj function = need(lookupSymbol("Test_maFonction_closure"), "the function"), result;
    HaskellObj flush = need(lookupSymbol("base_GHCziTopHandler_flushStdHandles_closure"), "flushStdHandles");
    Capability *capability = rts_lock();
    HaskellObj text = rts_mkString(capability, "Haskell");
    rts_evalIO(&capability, rts_apply(capability, function, text), &result);
    rts_checkSchedStatus("greet", capability);
    rts_evalIO(&capability, flush, &result);
    rts_unlock(capability);
}

static void load(const char *path)
{
    need((void *)(long)loadObj((char *)path), path);
}

static double reload(int rounds, char *path)
{
    double start = milliseconds();
    for (int i = 0; i < rounds; i++) {
        need((void *)(long)unloadObj(path), "unloadObj");
        performMajorGC();
        load(path);
        need((void *)(long)resolveObjs(), "resolveObjs");
        need(lookupSymbol("Test_maFonction_closure"), "the function");
    }
    return (milliseconds() - start) / rounds;
}

int main(int argc, char **argv)
{
    int count = 1, finds = !strcmp(argv[1], "find"), again = !strcmp(argv[1], "reload");
    char *names[] = {argv[0], NULL}, **rest = names;
    hs_init(&count, &rest);
    initLinker_(1);
    double start = milliseconds();
    for (int i = finds || again ? 3 : 2; i < argc; i++)
        if (finds) need((void *)(long)loadArchive(argv[i]), argv[i]);
        else load(argv[i]);
    need((void *)(long)resolveObjs(), "resolveObjs");
    if (!strcmp(argv[1], "greet")) greet();
    if (finds) need(lookupSymbol(argv[2]), argv[2]);
    double taken = again ? reload(atoi(argv[2]), argv[3]) : milliseconds() - start;
    fprintf(stderr, "%.3f\n", taken);
    _exit(0);
}
