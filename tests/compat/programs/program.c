/* C: allocation, strings, qsort with a callback, an error by setjmp and longjmp, printf. */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef __TINYC__ /* tcc 0.9.27 knows no thread-local storage */
#define PER_THREAD
#else
#define PER_THREAD _Thread_local
#endif

static PER_THREAD jmp_buf caught;
static PER_THREAD char message[64];
static char *kept;

static int downwards(const void *a, const void *b) {
    long left = *(const long *)a, right = *(const long *)b;
    return (left < right) - (left > right);
}

long sum_squares(long count) {
    long *values = malloc(count * sizeof *values), sum = 0;
    for (long i = 0; i < count; i++) values[i] = (i + 1) * (i + 1);
    qsort(values, count, sizeof *values, downwards);
    if (values[0] != count * count) return -1;
    for (long i = 0; i < count; i++) sum += values[i];
    free(values);
    return sum;
}

const char *repeat_word(const char *word, long times) {
    free(kept);
    kept = calloc(times * (strlen(word) + 1) + 1, 1);
    for (long i = 0; i < times; i++) {
        if (i) strcat(kept, "-");
        strcat(kept, word);
    }
    return kept;
}

static long divide(long a, long b) {
    if (b == 0) {
        snprintf(message, sizeof message, "cannot divide %ld by zero", a);
        longjmp(caught, 1);
    }
    return a / b;
}

long try_divide(long a, long b) {
    if (setjmp(caught)) return -1;
    return divide(a, b);
}

const char *last_error(void) { return message; }

void say_hello(const char *name) {
    printf("hello, %s (%.2f)\n", name, 1.5);
    fflush(stdout);
}
