"""Thread-local variables in every model, threads, and indirect functions."""

from tests.matrix.feature import asm, c, cxx, feature

BODY = """
#include <pthread.h>
#include <errno.h>
#include <stdlib.h>
extern __thread int elsewhere; static __thread int zero; __thread int seven = 7; static int target = 5;
static __thread int *pointer = &target; static __thread long line[4] __attribute__((aligned(64))) = {1, 2, 3, 4};
static int use(void) {
    int before = zero++ == 0 && seven++ == 7 && *pointer == 5 && line[2] == 3 && elsewhere++ == 50;
    line[2] = 30; errno = 0; errno = strtol("99999999999999999999", 0, 10) ? errno : 0;
    return before && zero == 1 && seven == 8 && (long)line % 64 == 0 && elsewhere == 51 && errno == ERANGE;
}
static void *thread(void *unused) { return (void *)(long)use(); }
int check(void) {
    pthread_t id; void *there; int here = use();
    if (pthread_create(&id, 0, thread, 0) || pthread_join(id, &there)) return 0;
    return here && there == (void *)1;
}
"""
ELSEWHERE = "__thread int elsewhere = 50;"


def model(name, flags):
    return feature(f"TLS: {name}", c(BODY, flags), c(ELSEWHERE, flags))


ONE = """
static int one(void) { return 1; } static int two(void) { return 2; }
static int (*choose(void))(void) { return one; }
"""

ROWS = (
    model("general and local dynamic", "-fPIC"),
    model("local dynamic, unoptimised", "-fPIC -O0"),
    model("general dynamic without a PLT", "-fPIC -fno-plt"),
    model("initial exec", "-fPIC -ftls-model=initial-exec"),
    model("local exec, -fPIE", "-fPIE"),
    model("local exec, -fno-pic", "-fno-pic"),
    model("descriptors (TLSDESC)", "-fPIC -mtls-dialect=gnu2"),
    model("general dynamic, large model", "-fPIC -mcmodel=large"),
    model("local exec, large model", "-fno-pic -mcmodel=large"),
    feature(
        "TLS: libc's errno as a variable",
        asm(".globl check\ncheck: sub $8, %rsp\ncall __errno_location@PLT\nmov %rax, %rdx\nxor %eax, %eax\n"
            "mov errno@gottpoff(%rip), %rcx\nadd %fs:0, %rcx\ncmp %rcx, %rdx\nsete %al\nadd $8, %rsp\nret"),
    ),
    feature(
        "TLS: a block of 1 MiB",
        c("static __thread char many[1 << 20] = {1}; int check(void) { many[99999]++; "
          "return many[0] && many[99999] == 1; }"),
    ),
    feature(
        "TLS: thread_local with a constructor and a destructor",
        cxx("#include <thread>\nstatic int ended; struct Counted { int n; Counted() : n(3) {} ~Counted() { "
            "ended++; } };\n"
            "thread_local Counted counted; extern \"C\" int check() {\n"
            "std::thread t([] { counted.n++; }); t.join(); return ended == 1 && counted.n == 3; }"),
    ),
    feature(
        "TLS: thread_local of another object, with its wrapper",
        cxx("#include <string>\nextern thread_local std::string text; extern \"C\" int check() { "
            "return text == \"text\"; }"),
        cxx("#include <string>\nthread_local std::string text = \"text\";"),
    ),
    feature(
        "pthread_cancel with cleanup handlers",
        c("#include <pthread.h>\n#include <unistd.h>\nstatic int cleaned; static volatile int ready;\n"
          "static void clean(void *p) { cleaned += *(int *)p; }\n"
          "static void *thread(void *p) { int n = 1; pthread_cleanup_push(clean, &n); ready = 1; pause(); "
          "pthread_cleanup_pop(0);\n"
          "return 0; } int check(void) { pthread_t id; void *result; if (pthread_create(&id, 0, thread, 0)) return 0;\n"
          "while (!ready); pthread_cancel(id); pthread_join(id, &result); "
          "return result == PTHREAD_CANCELED && cleaned == 1; }",
          "-fPIC -fexceptions"),
    ),
    feature(
        "C11 threads, mutexes and once",
        c("#include <threads.h>\nstatic mtx_t lock; static once_flag once = ONCE_FLAG_INIT; static int n, made;\n"
          "static void make(void) { made++; mtx_init(&lock, mtx_plain); } static int run(void *p) { "
          "call_once(&once, make);\n"
          "for (int i = 0; i < 1000; i++) { mtx_lock(&lock); n++; mtx_unlock(&lock); } return 1; }\n"
          "int check(void) { thrd_t t[2]; int r; for (int i = 0; i < 2; i++) thrd_create(t + i, run, 0);\n"
          "for (int i = 0; i < 2; i++) thrd_join(t[i], &r); return n == 2000 && made == 1; }"),
    ),
    feature(
        "std::thread, mutex, call_once, condition_variable",
        cxx("#include <thread>\n#include <mutex>\n#include <condition_variable>\nextern \"C\" int check() { "
            "std::mutex m; std::once_flag f;\n"
            "std::condition_variable c; int n = 0, made = 0; auto run = [&] { std::call_once(f, [&] { made++; });\n"
            "std::lock_guard<std::mutex> g(m); n++; c.notify_one(); }; std::thread a(run), b(run);\n"
            "{ std::unique_lock<std::mutex> l(m); c.wait(l, [&] { return n == 2; }); } a.join(); b.join(); "
            "return made; }"),
    ),
    feature(
        "OpenMP, with -l gomp",
        c("int check(void) { int sum = 0;\n#pragma omp parallel for reduction(+:sum) num_threads(3)\n"
          "for (int i = 0; i < 100; i++) sum += i;\nreturn sum == 4950; }", "-fPIC -fopenmp"),
        libraries=("gomp",),
    ),
    feature(
        "OpenMP threadprivate and critical",
        c("static int own;\n#pragma omp threadprivate(own)\nint check(void) { "
          "int sum = 0;\n#pragma omp parallel num_threads(2)\n"
          "{ own = 1;\n#pragma omp critical\nsum += own; }\nreturn sum == 2; }", "-fPIC -fopenmp"),
        libraries=("gomp",),
    ),
    feature(
        "IFUNC, global, called from another object",
        c(ONE + 'int picked(void) __attribute__((ifunc("choose"))); int other(void); int check(void) { '
                'return picked() && other(); }'),
        c("int picked(void); int other(void) { return picked() == 1; }"),
    ),
    feature(
        "IFUNC, static",
        c(ONE + 'static int picked(void) __attribute__((ifunc("choose"))); int check(void) { return picked(); }'),
    ),
    feature(
        "IFUNC, address equality and pointers in data",
        c(ONE + 'int picked(void) __attribute__((ifunc("choose"))); int (*pointer)(void) = picked; '
                'int (*other(void))(void);\n'
          "int check(void) { return pointer == picked && other() == picked && pointer() == 1; }"),
        c("int picked(void); int (*other(void))(void) { return picked; }"),
    ),
    feature(
        "IFUNC, non-PIC",
        c(ONE + 'int picked(void) __attribute__((ifunc("choose"))); int (*pointer)(void) = picked;\n'
          "int check(void) { return pointer == picked && pointer() == 1; }", "-fno-pic"),
    ),
    feature(
        "IFUNC whose resolver asks for the processor: target_clones",
        c('__attribute__((target_clones("avx2", "default"))) int sum(const int *p) { int s = 0; for (int i = 0; '
          'i < 32; i++) s += p[i];\n'
          "return s; } int check(void) { int list[32]; for (int i = 0; i < 32; i++) list[i] = i; "
          "return sum(list) == 496; }"),
    ),
)  # fmt: skip
