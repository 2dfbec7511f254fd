"""What is said of threads, and what makes a word a return address."""

import os
import threading

import pytest

from rtlinker.host import stacks
from rtlinker.host.stacks import SeenThread, follows_call, look_at, threads_seen

CALLS = [
    "call 0x1234",
    "call *%rax",
    "call *%r15",
    "call *(%rdx)",
    "call *8(%r11)",
    "call *(%rax,%rcx,8)",
    "call *16(%rax,%rcx,8)",
    "call *0x1000(%rbx)",
    "call *0x1000(%r12)",
    "call *0x1000(%rax,%rcx,8)",
    "call *0x1000(%rip)",
]


@pytest.mark.parametrize("call", CALLS)
def test_every_form_of_a_call_is_known(compile, call):
    from rtlinker.elf.reader import read_object

    object = read_object(compile(f".globl start\nstart: .fill 7, 1, 0x90\n{call}", "asm").read_bytes(), "call.o")
    code = bytes(object.content(object.sections.names.index(".text")))
    assert follows_call(code[-7:])


def test_what_is_no_call_is_not():
    assert not follows_call(bytes(7))
    assert not follows_call(b"\x90" * 7)
    assert not follows_call(b"\x90\x90\x90\x90\x90\xff\xe0")  # jmp *%rax
    assert not follows_call(b"\xe8")


def test_a_thread_says_where_it_is():
    where = {0x10: "step+0x2a", 0x20: "run+0x4"}.get
    assert SeenThread(4711, "worker", "blocked", 0x10, 8, True, (0x20,)).says(where) == (
        "thread 4711 (worker) in step+0x2a"
    )
    assert SeenThread(1, "a", "blocked", 0x99, 8, False, (0x20, 0x10)).says(where) == "thread 1 (a) returns to run+0x4"
    assert SeenThread(1, "a", "blocked", 0x99, 8, False, (), (0x30,)).says(where) == "thread 1 (a) refers to 0x30"
    assert SeenThread(1, "a", "running").says(where) == "thread 1 (a) may be in it: running"
    assert SeenThread(1, "a", "blocked", 0x99, 8).says(where) == "thread 1 (a) is not in it"
    assert stacks.UNSEEN.says(where) == "other threads may be in it: unknown"


def test_waiting_threads_and_the_calling_one_tell_where_they_are():
    go, ready, numbers = threading.Event(), threading.Event(), []

    def work():
        numbers.append(threading.get_native_id())
        ready.set()
        go.wait()

    thread = threading.Thread(target=work)
    thread.start()
    ready.wait()
    states = None
    while states is None or states[numbers[0]].state == "running":
        states = {seen.tid: seen for seen in threads_seen([])}
    own = states[threading.get_native_id()]
    assert (own.state, states[numbers[0]].state) == ("calling", "blocked")
    assert own.sp
    assert states[numbers[0]].pc
    assert not states[numbers[0]].may_be_in
    go.set()
    thread.join()


def test_a_thread_that_has_ended_is_left_out():
    assert look_at([1 << 22], []) == ()


def test_unused_stack_is_below_the_stack_pointer():
    (own,) = look_at([threading.get_native_id()], [])
    ((start, end),) = stacks.unused_stack([own])
    assert start < end == own.sp - stacks.RED_ZONE


def test_where_proc_cannot_be_listed_the_others_are_unknown(monkeypatch):
    def refuse(path):
        raise PermissionError(path)

    monkeypatch.setattr(os, "listdir", refuse)
    own, others = threads_seen([])
    assert own.state == "calling"
    assert others is stacks.UNSEEN
    assert others.may_be_in


def test_a_kernel_without_the_file_leaves_threads_unknown(monkeypatch):
    real = os.open

    def without(path, *rest):
        if str(path).endswith("/syscall"):
            raise FileNotFoundError(path)
        return real(path, *rest)

    monkeypatch.setattr(os, "open", without)
    assert {seen.state for seen in threads_seen([])} == {"unknown"}
