"""An interrupt at any line of a load leaves nothing behind: no memory, no unwind table, no image."""

import subprocess
import sys

import pytest

import rtlinker
from rtlinker.live import frames, guard, install, linking
from tests.support.child import CHECKOUT, in_child, memory_map

THROWER = 'extern "C" int thrown() { try { throw 4; } catch (int n) { return n; } }'
TRACED = {module.__file__ for module in (frames, install, linking)}


def interrupt_at(number, act):
    """Run `act` with an interrupt at the line of that number; whether there was such a line."""
    left = [number]

    def trace(frame, event, arg):
        if frame.f_code.co_filename not in TRACED:
            return None
        if event == "line":
            if not left[0]:
                sys.settrace(None)
                raise KeyboardInterrupt
            left[0] -= 1
        return trace

    sys.settrace(trace)
    try:
        act()
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(None)
    return False


def code_without_file():
    return sum(1 for mapping in memory_map() if "x" in mapping.letters and not mapping.path)


def test_an_interrupted_load_leaves_nothing(compile):
    path = compile(THROWER, "c++")
    user = compile('extern "C" int thrown(); extern "C" int use() { return thrown(); }', "c++")

    def call():
        library = rtlinker.load(path)
        answers, number, left = {library.thrown()}, 0, []
        before = len(frames._tables), code_without_file()
        going = True
        while going:
            linker = rtlinker.Linker()
            linker.load_object(path)
            linker.resolve()
            linker.load_object(user)
            going = interrupt_at(number, linker.resolve)
            left.append([live.dependents for live in linker.images[:1]] if len(linker.images) == 1 else [set()])
            linker.close()
            answers.add(library.thrown())
            number += 1
        after = len(frames._tables), code_without_file()
        return number > 60, before == after, answers, [found for found in left if found != [set()]]

    assert in_child(call) == (True, True, {4}, [])


def trial(plain, path, number):
    """Find the unwinder, with an interrupt at a line, when tables wait; whether there was such a line, and answers."""
    libraries = [rtlinker.load(plain) for _ in range(3)]
    assert not frames._unwinder, "the unwinder must not be there yet"
    going = interrupt_at(number, lambda: frames.find_unwinder(needed=True))
    answers = [rtlinker.load(path).thrown() for _ in range(2)]
    for library in libraries:
        library.unload()
    return going, [*answers, rtlinker.load(path).thrown()]


def every_trial(plain, path):
    """The same for every line: how many, and all answers that were not right."""
    going, number, wrong = True, 0, []
    while going:
        going, answers = in_child(trial, plain, path, number)
        number += 1
        if answers != [4, 4, 4]:
            wrong.append((number, answers))
    return number, wrong


def test_a_table_is_registered_once_though_finding_the_unwinder_was_interrupted(compile):
    plain, path = compile("int plain(void) { return 1; }", flags="-g"), compile(THROWER, "c++")
    line = f"from {__name__} import every_trial; print(*every_trial({str(plain)!r}, {str(path)!r}))"
    ran = subprocess.run([sys.executable, "-c", line], capture_output=True, text=True, cwd=CHECKOUT, check=True)
    number, wrong = ran.stdout.split(None, 1)
    assert int(number) > 5
    assert wrong.strip() == "[]"


def test_jumps_that_could_not_be_guarded_are_guarded_later(compile, monkeypatch):
    path = compile('extern "C" int thrown() { throw 4; }', "c++")
    protect = guard.protect

    def call():
        library = rtlinker.load(path)
        jump = frames.ctypes.CFUNCTYPE(frames.ctypes.c_int)(library.address("thrown"))
        frames._unguarded[id(jump)] = frames.ref(jump), 0

        def fail(jump, words):
            raise MemoryError

        monkeypatch.setattr(guard, "protect", fail)
        with pytest.raises(MemoryError):
            frames.guard(jump)
        monkeypatch.setattr(guard, "protect", protect)
        with pytest.raises(rtlinker.ForeignExceptionError):
            library.thrown()
        return frames._unguarded == {}, jump.thunk is not None

    assert in_child(call) == (True, True)
