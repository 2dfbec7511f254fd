"""A forked child under ptrace. Each child is this test process, forked; what it does wrong must not reach us."""

import ctypes
import errno
import os
import signal
import subprocess
import sys
import threading

import pytest

from rtlinker.isolate import ptrace, run
from rtlinker.isolate.run import run_in_child
from tests.support.shared import compile_shared, open_shared

SOURCE = """
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <setjmp.h>
void write_to(long *place) { *place = 5; }
int divide(volatile int a, volatile int b) { return a / b; }
void trap(void) { __builtin_trap(); }
void breakpoint(void) { __asm__("int3"); }
void wild_jump(void) { ((void (*)(void))0x10)(); }
int deep(volatile int n) { char room[1000]; room[n % 1000] = 1; return deep(n + 1) + room[0]; }
int through(int n) { return n; }
static void *crash(void *p) { *(long *)p = 1; return 0; }
static void *idle(void *p) { return p; }
void thread_crash(void *place) { pthread_t t; pthread_create(&t, 0, crash, place); pthread_join(t, 0); }
int threads(int n) { int i; pthread_t t[64]; for (i = 0; i < n; i++) pthread_create(t + i, 0, idle, t);
  for (i = 0; i < n; i++) pthread_join(t[i], 0); return n; }
static sigjmp_buf back;
static void caught(int n) { siglongjmp(back, n); }
int survive(void) { signal(SIGSEGV, caught); if (sigsetjmp(back, 1)) return 21; *(volatile int *)8 = 1; return 0; }
static void again(int n) { signal(n, SIG_DFL); raise(n); }
void reraise(void) { signal(SIGSEGV, again); *(volatile int *)24 = 1; }
int child_of_child(int crashes) { int s; pid_t p = fork(); if (!p) { if (crashes) *(volatile int *)8 = 1; _exit(3); }
  waitpid(p, &s, 0); return WIFSIGNALED(s) ? 100 + WTERMSIG(s) : WEXITSTATUS(s); }
int vforked(void) { int s; pid_t p = vfork(); if (!p) { execl("/bin/sh", "sh", "-c", "exit 6", (char *)0); _exit(9); }
  waitpid(p, &s, 0); return WEXITSTATUS(s); }
int stops(void) { int s, n = 0; pid_t me = getpid(), p = fork(); if (!p) { while (1) {
    char path[64], line[512]; FILE *f;
    snprintf(path, 64, "/proc/%d/stat", me); f = fopen(path, "r"); if (!f || !fgets(line, 512, f)) _exit(1); fclose(f);
    char *state = line; while (*state != ')') state++; if (state[2] == 'T' || state[2] == 't') { n++; } else n = 0;
    if (n > 20) { kill(me, SIGCONT); _exit(0); } } }
  raise(SIGSTOP); waitpid(p, &s, 0); return WEXITSTATUS(s) ? 1 : 17; }
static volatile int usr; static void on_usr(int n) { usr = n; }
int own_signal(void) { signal(SIGUSR1, on_usr); raise(SIGUSR1); return usr; }
static void *exec_now(void *p) { execl("/bin/sh", "sh", "-c", "exit 11", (char *)0); return p; }
void thread_execs(void) { pthread_t t; pthread_create(&t, 0, exec_now, 0); for (;;) pause(); }
"""


@pytest.fixture(scope="module")
def native(tmp_path_factory):
    handle = open_shared(compile_shared(tmp_path_factory.mktemp("native") / "libnative.so", SOURCE, "-O0", "-pthread"))
    handle.write_to.argtypes = handle.thread_crash.argtypes = [ctypes.c_void_p]
    return handle


def crash_of(work):
    outcome = run_in_child(work)
    assert outcome.traced
    return outcome.crash


def address(function):
    return ctypes.cast(function, ctypes.c_void_p).value


def test_the_result_is_the_exit_code():
    outcome = run_in_child(lambda: 7)
    assert (outcome.exit_code, outcome.signal, outcome.crash, outcome.traced) == (7, None, None, True)


def test_an_exit_code_has_eight_bits():
    assert run_in_child(lambda: 256 + 3).exit_code == 3


def test_the_child_leaves_no_process_behind():
    pids = []
    reading, writing = os.pipe()
    run_in_child(lambda: os.write(writing, str(os.getpid()).encode()) * 0)
    pids.append(int(os.read(reading, 20)))
    os.close(reading)
    os.close(writing)
    with pytest.raises(ChildProcessError):
        os.waitpid(pids[0], os.WNOHANG)


def test_what_the_child_changes_stays_in_the_child():
    seen = []
    run_in_child(lambda: seen.append(1) or 0)
    assert seen == []


def test_no_descriptor_is_left_open():
    before = sorted(os.listdir("/proc/self/fd"))
    run_in_child(lambda: 0)
    assert sorted(os.listdir("/proc/self/fd")) == before


def test_the_signal_mask_is_as_before():
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    run_in_child(lambda: 0)
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == before


def test_the_child_s_signal_mask_is_ours():
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    assert run_in_child(lambda: int(signal.pthread_sigmask(signal.SIG_BLOCK, []) == before)).exit_code == 1


BUFFERED = """if True:
    import ctypes, sys
    from rtlinker.isolate.run import run_in_child
    print("before", end=" ")
    ctypes.CDLL(None).printf(b"C before ")

    def work():
        print("inside", end=" ")
        ctypes.CDLL(None).printf(b"C inside ")
        return 0

    run_in_child(work)
    print("after")
"""


def test_buffered_output_of_python_and_c_is_written_once_and_in_order():
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    command = [sys.executable, "-c", BUFFERED]
    seen = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    assert seen == "before C before inside C inside after\n"


def test_an_escaped_exception_is_printed_and_exits_70(capfd):
    assert run_in_child(lambda: 1 // 0).exit_code == 70
    assert "ZeroDivisionError" in capfd.readouterr().err


def test_a_result_that_is_no_number_exits_70(capfd):
    assert run_in_child(lambda: "no").exit_code == 70
    assert "TypeError" in capfd.readouterr().err


@pytest.mark.parametrize(("argument", "code"), [(5, 5), (None, 0), ("text", 1)])
def test_sys_exit_means_what_it_means(argument, code, capfd):
    assert run_in_child(lambda: sys.exit(argument)).exit_code == code
    assert capfd.readouterr().err == ("text\n" if argument == "text" else "")


def test_a_null_pointer_is_reported_with_the_address_accessed(native):
    crash = crash_of(lambda: native.write_to(8))
    assert (crash.signal, crash.signal_name, crash.code_text) == (11, "SIGSEGV", "address not mapped")
    assert crash.fault_address == 8


def test_the_place_is_the_faulting_instruction(native):
    crash = crash_of(lambda: native.write_to(8))
    start = address(native.write_to)
    assert start < crash.rip < start + 64
    assert crash.instruction == ctypes.string_at(crash.rip, 16)


def test_the_registers_hold_the_argument(native):
    assert crash_of(lambda: native.write_to(0x1230)).registers["rdi"] == 0x1230


def test_writing_to_code_lacks_permission(native):
    target = address(native.through)
    crash = crash_of(lambda: native.write_to(target))
    assert (crash.code_text, crash.fault_address) == ("no permission for this access", target)


def test_a_non_canonical_address_has_no_fault_address(native):
    crash = crash_of(lambda: native.write_to(1 << 60))
    assert (crash.code_text, crash.fault_address) == ("non-canonical address or privileged access", None)


def test_division_by_zero_is_a_floating_point_exception(native):
    crash = crash_of(lambda: native.divide(1, 0))
    assert (crash.signal_name, crash.code_text) == ("SIGFPE", "integer division by zero or overflow")


def test_an_undefined_instruction_is_illegal(native):
    crash = crash_of(native.trap)
    assert (crash.signal_name, crash.instruction[:2]) == ("SIGILL", b"\x0f\x0b")


def test_a_breakpoint_is_a_trap(native):
    assert crash_of(native.breakpoint).signal_name == "SIGTRAP"


def test_abort_is_reported_as_raised_by_the_program():
    crash = crash_of(os.abort)
    assert (crash.signal_name, crash.code_text) == ("SIGABRT", "raised by the program")


def test_a_wild_jump_has_no_instruction_but_its_caller(native):
    crash = crash_of(native.wild_jump)
    assert (crash.rip, crash.instruction) == (0x10, b"")
    start = address(native.wild_jump)
    assert start < crash.return_addresses[0][1] < start + 64


def test_a_stack_overflow_is_reported(native):
    crash = crash_of(lambda: native.deep(0))
    assert crash.signal_name == "SIGSEGV"
    assert abs(crash.fault_address - crash.registers["rsp"]) < 4096


def test_the_stack_holds_the_return_address(native):
    crash = crash_of(lambda: native.write_to(8))
    # write_to is compiled with a frame pointer: saved rbp, then the return address
    row = (crash.registers["rbp"] + 8 - crash.registers["rsp"]) // 8
    assert crash.stack_words[row] == crash.return_addresses[0][1]


def test_a_crash_in_a_thread_names_the_thread(native):
    crash = crash_of(lambda: native.thread_crash(16))
    assert crash.fault_address == 16
    reading, writing = os.pipe()
    crash = crash_of(lambda: os.write(writing, str(os.getpid()).encode()) and native.thread_crash(16))
    assert crash.thread > int(os.read(reading, 20))
    os.close(reading)
    os.close(writing)


def test_threads_run_to_their_end(native):
    assert run_in_child(lambda: native.threads(64)).exit_code == 64


def test_a_python_thread_can_crash():
    def work():
        thread = threading.Thread(target=ctypes.string_at, args=(16,))
        thread.start()
        thread.join()
        return 0

    assert crash_of(work).fault_address is not None


def test_a_fault_the_program_catches_is_no_crash(native):
    outcome = run_in_child(native.survive)
    assert (outcome.exit_code, outcome.crash) == (21, None)


def test_a_handler_that_raises_again_does_not_hide_the_place(native):
    assert crash_of(native.reraise).fault_address == 24


def test_a_fork_runs(native):
    assert run_in_child(lambda: native.child_of_child(0)).exit_code == 3


def test_a_crash_of_a_fork_is_its_parent_s_business(native):
    outcome = run_in_child(lambda: native.child_of_child(1))
    assert (outcome.exit_code, outcome.crash) == (111, None)


def test_a_vfork_with_exec_runs(native):
    assert run_in_child(native.vforked).exit_code == 6


def test_exec_runs_to_its_end():
    assert run_in_child(lambda: os.execv("/bin/sh", ["sh", "-c", "exit 4"])).exit_code == 4


def test_exec_from_a_thread_runs_to_its_end(native):
    assert run_in_child(native.thread_execs).exit_code == 11


def test_a_crash_after_exec_names_the_program():
    crash = crash_of(lambda: os.execv("/bin/sh", ["sh", "-c", "kill -SEGV $$"]))
    assert crash.program == os.path.realpath("/bin/sh")


def test_a_stopped_child_can_be_continued(native):
    assert run_in_child(native.stops).exit_code == 17


def test_other_signals_reach_the_child(native):
    assert run_in_child(native.own_signal).exit_code == signal.SIGUSR1


def test_a_killed_child_has_a_signal_and_no_crash():
    outcome = run_in_child(lambda: os.kill(os.getpid(), signal.SIGKILL))
    assert (outcome.exit_code, outcome.signal, outcome.crash) == (None, 9, None)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGPIPE, *run.FATAL])
def test_native_code_gets_default_actions(number):
    assert run_in_child(lambda: int(ptrace.handler_of(number) == ptrace.SIG_DFL)).exit_code == 1


def test_an_interrupt_of_both_ends_the_child_and_not_us():
    # as Ctrl-C does it: the whole process group is signalled, by the kernel
    program = """if True:
        import os, sys, pty
        pid, terminal = pty.fork()
        if not pid:
            from rtlinker.isolate.run import run_in_child
            outcome = run_in_child(lambda: os.write(1, b"ready") and os.read(0, 1) and 0)
            os.write(1, f"outcome {outcome.exit_code} {outcome.signal}".encode())
            os._exit(0)
        seen = b""
        while b"ready" not in seen:
            seen += os.read(terminal, 100)
        os.write(terminal, b"\\x03")
        try:
            while True:
                part = os.read(terminal, 100)
                if not part:
                    break
                seen += part
        except OSError:
            pass
        print(seen.decode(), os.waitpid(pid, 0)[1])
    """
    seen = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=100)
    assert seen.stdout.strip().endswith("outcome None 2 0")


def test_a_signal_sent_to_us_alone_takes_effect_afterwards():
    parent = os.getpid()
    with pytest.raises(KeyboardInterrupt):
        run_in_child(lambda: os.kill(parent, signal.SIGINT) or 0)


def test_an_exception_from_a_handler_kills_the_child_first():
    def handler(number, frame):
        raise LookupError

    parent = os.getpid()
    reading, writing = os.pipe()
    before = signal.signal(signal.SIGUSR1, handler)

    def work():
        os.write(writing, str(os.getpid()).encode())
        os.kill(parent, signal.SIGUSR1)
        while True:
            signal.pause()

    try:
        with pytest.raises(LookupError):
            run_in_child(work)
    finally:
        signal.signal(signal.SIGUSR1, before)
    with pytest.raises(ProcessLookupError):
        os.kill(int(os.read(reading, 20)), 0)
    os.close(reading)
    os.close(writing)


def test_other_children_of_ours_stay_ours(native):
    # a zombie of this thread is there all the while that the traced child has threads
    other = subprocess.Popen(["/bin/true"])
    os.waitid(os.P_PID, other.pid, os.WEXITED | os.WNOWAIT)
    assert run_in_child(lambda: native.threads(8)).exit_code == 8
    assert other.wait() == 0


def test_two_threads_of_ours_can_have_a_child_each(native):
    outcomes = [None] * 4

    def one(row):
        outcomes[row] = run_in_child(lambda: native.threads(4 + row)).exit_code

    threads = [threading.Thread(target=one, args=(row,)) for row in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes == [4, 5, 6, 7]


def refuse(what, thread, address=None, data=None):
    raise OSError(errno.EPERM, os.strerror(errno.EPERM))


def test_without_ptrace_the_child_runs_untraced(monkeypatch):
    monkeypatch.setattr(ptrace, "request", refuse)
    outcome = run_in_child(lambda: 9)
    assert (outcome.exit_code, outcome.traced) == (9, False)


@pytest.mark.parametrize(("traced", "signal_at_our_end"), [(True, 0), (False, signal.SIGKILL)])
def test_a_child_does_not_outlive_us(monkeypatch, traced, signal_at_our_end):
    # a traced child is killed by PTRACE_O_EXITKILL, another asks for it
    if not traced:
        monkeypatch.setattr(ptrace, "request", refuse)

    def work():
        asked = ctypes.c_int(-1)
        ctypes.CDLL(None).prctl(2, ctypes.byref(asked))
        return asked.value

    assert run_in_child(work).exit_code == signal_at_our_end
    assert run.OPTIONS & ptrace.O_EXITKILL


def test_without_ptrace_a_crash_has_its_signal(monkeypatch, native):
    monkeypatch.setattr(ptrace, "request", refuse)
    outcome = run_in_child(lambda: native.write_to(8))
    assert (outcome.signal, outcome.crash.signal_name, outcome.crash.rip) == (11, "SIGSEGV", None)
