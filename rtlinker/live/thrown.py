"""Exceptions that a guard stopped: what they are, as a Python exception, and giving them back to their language.

The type of a C++ exception stands in the header in front of it, and its value behind (Itanium C++ ABI, Exception
Handling, 2.2.1; libstdc++ and libc++abi agree on the part used here). The run-time type information leads from the
type to its bases (C++ ABI, 2.9.5), and so to std::exception, if that is one, whose third virtual function is what().
Everything is copied at once: the code that the type belongs to may be unloaded next.
"""

from __future__ import annotations

import ctypes
from _thread import get_ident

from rtlinker.errors import ForeignExceptionError, LinkError
from rtlinker.host import dynamic
from rtlinker.host.demangle import demangle
from rtlinker.live import frames
from rtlinker.live.failure import keep_failure, run_native

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Finish = Callable[[], object]

LANGUAGES = ((b"C++", "C++"), (b"RUST", "Rust"), (b"\0ZOM", "Rust"), (b"Ada", "Ada"), (b"D\0", "D"), (b"D__", "D"))
"""How the second half of an exception's class begins: the vendor is the first half (C++ ABI, 1.2).

The class is a number whose highest byte is the first letter; Rust writes its own in memory's order, last letter first.
"""

DEPENDENT = 1
"""The last byte of the class of a C++ exception that std::rethrow_exception made: it refers to the real one."""

TYPE, OBJECT = -80, 32
"""From the unwinder's part of a C++ exception: its type (of a dependent one, the real one's object), its value."""

TYPE_BEFORE_OBJECT = TYPE - OBJECT

CLEANUP = 8
FOREIGN_EXCEPTION_CAUGHT = 1

STANDARD_EXCEPTION = b"St9exception"
STRING = b"NSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE"
LONG_STRING = "std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char> >"
NUMBERS: dict[bytes, type[ctypes._SimpleCData[Any]]] = {
    b"i": ctypes.c_int, b"j": ctypes.c_uint, b"l": ctypes.c_long, b"m": ctypes.c_ulong, b"x": ctypes.c_longlong,
    b"y": ctypes.c_ulonglong, b"s": ctypes.c_short, b"t": ctypes.c_ushort, b"a": ctypes.c_byte, b"h": ctypes.c_ubyte,
    b"f": ctypes.c_float, b"d": ctypes.c_double, b"e": ctypes.c_longdouble,
}  # fmt: skip
"""Types whose value is shown as a number, by their mangled names (C++ ABI, 5.1.5.2)."""

CHARACTERS = {b"c": 1, b"Du": 1, b"Ds": 2, b"Di": 4, b"w": 4}
"""Types whose value is shown as a character, with their sizes in bytes: char, char8_t, char16_t, char32_t, wchar_t."""

DEEPEST = 64
"""How many levels of base classes are followed."""

PUBLIC, VIRTUAL = 2, 1

_asking: set[int] = set()
"""Threads in which a what() runs: if it throws, that exception is not asked for its text."""


def landed(exception: int) -> None:
    """Called by a guard's landing pad: keep a Python exception for the call, and free the foreign one."""
    error: BaseException
    finish: Finish = _leave
    try:
        kind = _word(exception).to_bytes(8, "big")
        language = next((name for start, name in LANGUAGES if kind[4:].startswith(start)), "unknown")
        finish = _catch(exception, language)
        error = _told(exception, kind) if language == "C++" else ForeignExceptionError(language)
    except BaseException as other:  # an interrupt by the user, say: it is raised in place of the foreign one
        error = other
    keep_failure(error)
    finish()


def _catch(exception: int, language: str) -> Finish:
    """Begin what a handler begins; what comes back ends it, and with it the exception."""
    cleanup = _word(exception + CLEANUP)
    if language == "Rust" or not cleanup:
        return _leave  # Rust's cleanup ends the process: a panic may only go on (library/panic_unwind/src/gcc.rs)
    if language == "C++":
        if cleanup not in _runtimes:
            _runtimes[cleanup] = _runtime(cleanup)
        begin, end = _runtimes[cleanup]
        if begin and end:
            _NATIVE(begin)(ctypes.c_void_p(exception))
            return _NATIVE(end)
    # what _Unwind_DeleteException does (C++ ABI, Exception Handling, 1.3)
    delete = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_void_p)(cleanup)
    return lambda: delete(FOREIGN_EXCEPTION_CAUGHT, exception)


def _leave() -> None:
    """Leave the exception where it is."""


_NATIVE = ctypes.CFUNCTYPE(None)

_runtimes: dict[int, tuple[int | None, int | None]] = {}
"""__cxa_begin_catch and __cxa_end_catch of the library that cleans an exception up, by its cleanup function."""


def _runtime(cleanup: int) -> tuple[int | None, int | None]:
    """Those of the exception's own runtime, which may be one of several: another's would take it for a foreign one.

    None where they are not found, as in a runtime that was linked into an image: what is missed is that
    std::uncaught_exceptions() counts one less. The library stays loaded.
    """
    path = dynamic.library_at(cleanup)
    handle = dynamic.loaded_library(path, []) if path else None
    if not handle:
        return None, None
    begin, end = "__cxa_begin_catch", "__cxa_end_catch"
    return dynamic.find_symbol(begin, handle=handle), dynamic.find_symbol(end, handle=handle)


def _told(exception: int, kind: bytes) -> ForeignExceptionError:
    """What a C++ exception says of itself."""
    thrown = exception + OBJECT
    if kind[7] == DEPENDENT:
        thrown = _word(exception + TYPE)
    type = _word(thrown + TYPE_BEFORE_OBJECT)
    name = _name(type)
    full = demangle("_ZTI" + name.decode("ascii", "replace")) or ""
    shown = full.removeprefix("typeinfo for ").replace(LONG_STRING, "std::string")
    return ForeignExceptionError("C++", shown or name.decode("ascii", "replace"), _text(thrown, type, name))


def _text(thrown: int, type: int, name: bytes) -> str:
    """The text of what was thrown, where it is known how it is got."""
    number = NUMBERS.get(name)
    if number is not None:
        return str(number.from_address(thrown).value)
    if name == b"b":
        return "true" if ctypes.c_bool.from_address(thrown).value else "false"
    if name in CHARACTERS:
        return _character(int.from_bytes(ctypes.string_at(thrown, CHARACTERS[name]), "little"))
    if name in {b"PKc", b"Pc"}:
        return _string(_word(thrown))
    if name == STRING:
        return ctypes.string_at(_word(thrown), _word(thrown + 8)).decode("utf-8", "replace")
    base = _standard_part(thrown, type, DEEPEST)
    return _what(base) if base and get_ident() not in _asking else ""


def _character(code: int) -> str:
    """A character; one that cannot be shown, or is only a part of one, as its number."""
    shown = chr(code) if code < 0x80 or 0xA0 <= code <= 0x10FFFF else ""
    return shown if shown.isprintable() and shown else str(code)


def _standard_part(object: int, type: int, depth: int) -> int:
    """The address of the std::exception within an object of a type, 0 if there is none that a handler would see."""
    if _name(type) == STANDARD_EXCEPTION:
        return object
    sort = _name(_word(_word(type) - 8))  # the type of the type: in front of its virtual table
    if not depth:
        return 0
    if sort == b"N10__cxxabiv120__si_class_type_infoE":
        return _standard_part(object, _word(type + 16), depth - 1)
    if sort == b"N10__cxxabiv121__vmi_class_type_infoE":
        for number in range(ctypes.c_uint.from_address(type + 20).value):
            base, flags = _word(type + 24 + 16 * number), ctypes.c_long.from_address(type + 32 + 16 * number).value
            if flags & PUBLIC:
                offset = flags >> 8
                if flags & VIRTUAL:  # then it stands in the virtual table, which it is the offset in
                    offset = ctypes.c_long.from_address(_word(object) + offset).value
                found = _standard_part(object + offset, base, depth - 1)
                if found:
                    return found
    return 0


def _what(object: int) -> str:
    """What what() of a std::exception says; empty if it throws."""
    function = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)(_word(_word(object) + 16))
    frames.guard(function)
    thread = get_ident()
    _asking.add(thread)
    try:
        text: int | None = run_native(function, "what", object)
    except LinkError:
        text = None
    finally:
        _asking.discard(thread)
    return _string(text) if text else ""


def _word(address: int) -> int:
    return ctypes.c_uint64.from_address(address).value


def _string(address: int) -> str:
    return ctypes.string_at(address).decode("utf-8", "replace") if address else ""


def _name(type: int) -> bytes:
    """The mangled name of a type; that of a type of one file begins with an asterisk, which is left out."""
    return ctypes.string_at(_word(type + 8)).removeprefix(b"*")
