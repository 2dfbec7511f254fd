"""What a program finds at its start: argc, argv, the environment and the auxiliary vector, one behind the other.

The psABI (Initial Stack and Register State) puts them into one block. Constructors get only argc, argv and envp, but
runtimes that do without libc (Go's) walk from argv past the environment to the auxiliary vector, which tells them the
size of a page.
"""

from __future__ import annotations

import ctypes

from rtlinker.host.one_step import read_whole, with_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    Arguments = tuple[int, "ctypes.Array[ctypes.c_char_p]", ctypes.c_void_p]


def initial_arguments(names: Sequence[bytes]) -> Arguments:
    """argc, argv and envp for constructors. `names` become argv.

    argv is a block of our own that is laid out as the psABI says and lives as long as the object that comes back; the
    environment's text and what the auxiliary vector points to are the process's. envp is the process's `environ`.
    """
    environ = ctypes.c_void_p.in_dll(ctypes.CDLL(None), "environ")
    environment = _until_null(environ.value)
    auxiliary = _auxiliary_vector()
    start = len(names) + 1
    block = (ctypes.c_char_p * (start + len(environment) + 1 + len(auxiliary)))(*names)
    words = memoryview(block).cast("B").cast("Q")
    for at, word in enumerate([*environment, 0, *auxiliary], start):
        words[at] = word
    return len(names), block, environ


def _until_null(address: int | None) -> list[int]:
    """The words of an array that ends with a zero, or of none."""
    found: list[int] = []
    if address:
        words = ctypes.cast(address, ctypes.POINTER(ctypes.c_uint64))
        while words[len(found)]:
            found.append(words[len(found)])
    return found


def _auxiliary_vector() -> list[int]:
    """Pairs of type and value up to AT_NULL's (getauxval(3)); AT_NULL's alone where /proc does not tell."""
    try:
        return [*memoryview(with_file("/proc/self/auxv", read_whole)).cast("Q")]
    except OSError:
        return [0, 0]
