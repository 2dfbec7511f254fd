"""Thread-local storage of an image, from the dynamic linker: see `elf.thread_library` for how it is asked."""

from __future__ import annotations

import ctypes

from rtlinker.elf.thread_library import ANSWER_SIZE, Question, thread_library
from rtlinker.errors import LinkError, ThreadStorageError
from rtlinker.host import dynamic
from rtlinker.host.written_library import open_written_library, serial
from rtlinker.link.scope import ThreadVariable
from rtlinker.link.thread_block import ThreadAnswer, ThreadRequest, Want
from rtlinker.units import signed64

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rtlinker.live.undo import UndoStack

STATIC_ALIGNMENT = 64
"""What glibc's static block is aligned to, in bytes."""


def give_thread_storage(request: ThreadRequest, undo: UndoStack) -> ThreadAnswer:
    """A block for every thread, also for those to come, and the answers to the request.

    Raises ThreadStorageError when there is no room, with how to get more.
    """
    number = next(serial)
    own = ThreadVariable("", f"rtlinker.block.{number}", 0)
    first = [Want("pair", None, 0)] if request.size else []
    # who a variable outside is, is asked too: another library may have one of the same name
    known = [Want("pair", variable, 0) for variable in _outside(request)]
    wants = [*first, *known, *request.wants]
    questions = [_question(want, own) for want in wants]
    needed = dict.fromkeys([want.variable.library for want in wants if want.variable and want.variable.library])
    content, at = thread_library(request.initial, request.size, request.align, own.symbol, questions, [*needed])
    static = any(want.kind != "pair" for want in wants)
    block = _StaticBlock() if static else _Block()
    undo.push(block.close)
    if static:
        _static.append(block)
    try:
        handle, path = open_written_library(content, number, block.opened)
    except OSError as error:
        raise _refused(request, str(error)) from None
    raw = (ctypes.c_uint64 * (ANSWER_SIZE // 8 * len(wants))).from_address(dynamic.base_of(handle) + at)
    words = tuple(zip(raw[0::2], raw[1::2]))
    for want, answer in zip(known, words[len(first) :]):
        _check(want.variable, answer)
    distances = [word for want, (word, _) in zip(wants, words) if want.kind == "distance" and want.variable is None]
    answers = words[len(first) + len(known) :]
    if not request.size:
        return ThreadAnswer(answers, None, 0, None)
    variable = ThreadVariable(path, own.symbol, 0)
    return ThreadAnswer(answers, variable, words[0][0], signed64(distances[0]) if distances else None)


class _Block:
    """The library of one block, once it is `opened`."""

    def __init__(self) -> None:
        self.opened: list[int] = []
        self.unused = False

    def close(self) -> None:
        """Close the library, if it is open."""
        dynamic.close_libraries(self.opened)


class _StaticBlock(_Block):
    """A library whose block may be static. ld.so gets such room back only from its end, so it waits for later ones."""

    def close(self) -> None:
        """Close the library, and others that waited for it, once no later one is in use."""
        self.unused = True
        while _static and _static[-1].unused:
            dynamic.close_libraries(_static[-1].opened)
            _static.pop()


_static: list[_Block] = []
"""Those that are open or about to be, oldest first."""


def _outside(request: ThreadRequest) -> list[ThreadVariable]:
    return list(dict.fromkeys([want.variable for want in request.wants if want.variable and want.variable.place]))


def _check(variable: ThreadVariable | None, answer: tuple[int, int]) -> None:
    """Raise LinkError when ld.so found a namesake of the variable that was meant."""
    if variable is not None and answer != variable.place:
        facts = [("symbol", variable.symbol), ("library", variable.library)]
        hint = "another library that is loaded has a thread-local variable of this name"
        raise LinkError("thread-local variable cannot be told from a namesake", facts, hint)


def _question(want: Want, own: ThreadVariable) -> Question:
    variable = want.variable or own
    offset = variable.offset + want.offset
    return Question(want.kind, variable.symbol, offset, variable.library, variable.version)


def _refused(request: ThreadRequest, words: str) -> ThreadStorageError:
    """Why the dynamic linker refused, with what helps."""
    others = [want.variable for want in request.wants if want.kind == "distance" and want.variable]
    static = any(want.kind == "distance" for want in request.wants)
    facts = [("reason", words.partition(": ")[2] or words)]
    hint = None
    if others:
        where = [other.library for other in others if other.place is not None]
        facts.append(("block", ", ".join(dict.fromkeys(where)) or "of an earlier link"))
        hint = "compile with -fPIC what refers to it: a block that was used already cannot be made static"
    elif static and request.align > STATIC_ALIGNMENT:
        hint = "compile with -fPIC: static thread-local storage is not aligned that strictly"
    elif static:
        unused = sum([block.unused for block in _static])
        if unused:
            facts.append(("held", f"by {unused} blocks that were unloaded before later ones: unload last first"))
        room = max(1 << 16, 1 << (2 * request.size).bit_length())
        hint = f"compile with -fPIC, or start with GLIBC_TUNABLES=glibc.rtld.optional_static_tls={room}"
    return ThreadStorageError(request.size, request.align, static, facts, hint)
