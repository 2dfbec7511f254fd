"""The dynamic linker's own questions: dlopen, dlsym, dlvsym (dlopen(3), dlsym(3))."""

from __future__ import annotations

import ctypes

from rtlinker.host import libc, memory
from rtlinker.host.one_step import act, once, take_back
from rtlinker.units import PAGE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from rtlinker.host.one_step import Push

RTLD_DEFAULT = None
RTLD_LAZY, RTLD_NOW, RTLD_NOLOAD, RTLD_DEEPBIND = 0x1, 0x2, 0x4, 0x8
RTLD_GLOBAL, RTLD_NODELETE = 0x100, 0x1000


def find_symbol(name: str, version: str | None = None, handle: int | None = RTLD_DEFAULT) -> int | None:
    """The absolute address of a name in the global scope, or in a library and what it needs; None when unknown.

    An ifunc is already resolved. A symbol whose address is 0 counts as unknown.
    """
    encoded = name.encode("utf-8", "surrogateescape")
    if version:
        found: int | None = libc.dlvsym(handle, encoded, version.encode("utf-8", "surrogateescape"))
    else:
        found = libc.dlsym(handle, encoded)
    return found


def open_library(path: str, visible: bool = True, own_first: bool = False, opened: list[int] | None = None) -> int:
    """The handle of a library, loaded if it was not. `visible`: its names join the global scope.

    `own_first`: its references are looked for in itself and what it needs before the global scope. The handle is the
    last of `opened` as soon as there is one.

    Raises OSError with the dynamic linker's own words.
    """
    libc.dlerror()  # forget older errors; and binding it later would overwrite the one we want
    mode = RTLD_NOW | (RTLD_GLOBAL if visible else 0) | (RTLD_DEEPBIND if own_first else 0)
    opened = [] if opened is None else opened
    handle: int | None = act(opened, libc.dlopen, path.encode("utf-8", "surrogateescape"), mode)
    if not handle:
        raise OSError((libc.dlerror() or b"dlopen failed").decode("utf-8", "replace"))
    return handle


def loaded_library(soname: str, opened: list[int]) -> int | None:
    """The handle of a library that the process has loaded already, also in `opened`; None when it has not."""
    handle: int | None = act(opened, libc.dlopen, soname.encode("utf-8", "surrogateescape"), RTLD_LAZY | RTLD_NOLOAD)
    return handle


def library_at(address: int) -> str | None:
    """The path of the library that has code or data at an absolute address, as dlopen knows it; None elsewhere."""
    found = (ctypes.c_void_p * 4)()  # Dl_info: name and start of the library, name and address of a symbol
    if not libc.dladdr(address, found) or not found[0]:
        return None
    return ctypes.string_at(found[0]).decode("utf-8", "surrogateescape")


COUNT = (
    ("f3 0f 1e fa", "endbr64"),
    ("48 8b 47 20", "mov 32(%rdi), %rax"),
    ("48 89 02", "mov %rax, (%rdx)"),
    ("b8 01 00 00 00", "mov $1, %eax"),
    ("c3", "ret"),
)
"""int count(dl_phdr_info *one, size_t, uint64_t *adds): copies dlpi_adds of the first, and wants to see no more.

It is machine code because a callback in Python can deadlock: see `host.library_list`.
"""

_counter: list[tuple[memory.Reservation, ctypes.c_uint64]] = []


def _make_counter(push: Push) -> tuple[memory.Reservation, ctypes.c_uint64]:
    page = memory.Reservation(PAGE, PAGE)
    push(page.release)
    page.take(low=False)
    code = bytes.fromhex("".join([code for code, _ in COUNT]))
    page.view[: len(code)] = code
    page.protect(0, PAGE, "r-x")
    return page, ctypes.c_uint64()


def libraries_added() -> int:
    """How many libraries the dynamic linker has loaded so far: as long as it stays the same, none has come.

    It costs a twentieth of asking for one (dl_iterate_phdr(3), dlpi_adds).
    """
    page, adds = once(_counter, _make_counter)
    libc.dl_iterate_phdr(page.address, ctypes.addressof(adds))
    return adds.value


def close_library(handle: int) -> None:
    """Undo one `open_library`."""
    libc.dlclose(handle)


def close_libraries(opened: list[int]) -> None:
    """Undo one `open_library` for each handle, the last one first; none is left in the list."""
    while opened:
        take_back(opened, -1, libc.dlclose)


def close_last(opened: list[int]) -> None:
    """Undo the last `open_library` of the list."""
    take_back(opened, -1, libc.dlclose)


def base_of(handle: int) -> int:
    """What is added to the addresses in a library's file: struct link_map begins with l_addr (link.h)."""
    return ctypes.c_uint64.from_address(handle).value


def keep_library(path: str) -> None:
    """Let a library that is open stay in the process until it ends (RTLD_NODELETE)."""
    libc.dlopen(path.encode("utf-8", "surrogateescape"), RTLD_NOW | RTLD_NOLOAD | RTLD_NODELETE)


def is_open(soname: str) -> bool:
    """Whether the process has this library, by the name that its users ask for, already; it is not opened by asking."""
    found = map(libc.dlopen, (soname.encode("utf-8", "surrogateescape"),), (RTLD_LAZY | RTLD_NOLOAD,))
    return bool([*map(libc.dlclose, filter(None, found))])


def is_in_library(address: int) -> bool:
    """Whether an absolute address is in a loaded library: what dlsym gives for a thread-local variable is not."""
    if not _finders:
        found = find_symbol(
            "_dl_find_object"
        )  # glibc 2.35; the older dladdr looks for a symbol, too, which takes longer
        ask = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
        _finders.append((ask(found), 0) if found else (ask(find_symbol("dladdr") or 0), 1))
    find, success = _finders[0]
    return bool(find(address, _room)) == bool(success)


_finders: list[tuple[Callable[[int, object], int], int]] = []
"""What tells whether an address is in a library, with what it returns then; found on first use."""

_room = ctypes.create_string_buffer(128)
"""Where it writes what nobody here reads."""
