"""Constructors and destructors of an image: which there are, and in which order they run."""

from __future__ import annotations

from rtlinker.errors import BadObjectError
from rtlinker.facts import Fact
from rtlinker.link.chains import chain_address
from rtlinker.link.image import Image
from rtlinker.link.layout import array_of, priority

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rtlinker.elf.object import Object


class Startup(Fact):
    """Absolute addresses of functions, in the order in which they run.

    The `before` first of the destructors run before what was registered with atexit: in a library crtbegin.o's entry
    runs that, the first of those without a priority, and arrays are run from their ends. `handle` is what the image's
    code registers functions under (__dso_handle), 0 when none of it can; `span` is where the image starts and ends, if
    its code can register what threads do when they end.
    """

    constructors: tuple[int, ...]
    destructors: tuple[int, ...]
    before: int
    handle: int
    span: tuple[int, int] | None


def startup(image: Image) -> Startup:
    """The constructors and destructors of an image.

    The order is that of ld's script for x86-64 and of the dynamic linker (gABI, Initialization and Termination
    Functions): .preinit_array; the function that .init is; then .init_array.N and .ctors.(65535-N) together by N, then
    .init_array and .ctors in the order of the link, a section of .ctors backwards. Destructors are the same with
    .fini_array, .dtors and .fini, and all run backwards. Entries of 0 and -1 mean nothing, as crtbegin.o has it. Raises
    BadObjectError for an array that is not made of addresses of code.
    """
    pieces: list[tuple[int, int, str, int, int, str]] = []
    for number, object in enumerate(image.resolution.objects):
        sections = object.sections
        for index in sections.allocated:
            name, size = sections.names[index], sections.sizes[index]
            kind = array_of(name, sections.types[index]) or _old_style(name)
            if kind is None or not size or image.layout.sections[number][index] < 0:
                continue
            if size % 8:
                raise BadObjectError(object.name, "array of functions of odd size", f"{size:#x} bytes", name)
            at = _priority(kind, name)
            pieces.append((_STAGES[kind], at, name if at < 1 << 32 else "", number, index, kind))
    plain = 0
    stages: tuple[list[int], list[int], list[int]] = [], [], []
    executable = _Executable(image)
    for stage, at, _, number, index, kind in sorted(pieces):
        entries = _entries(image, number, index, executable)
        plain += len(entries) if stage == _STAGES[".fini_array"] and at == 1 << 32 else 0
        stages[stage].extend(entries[:: -1 if kind in _OLD else 1])
    before, constructors, destructors = stages
    initial, final = chain_address(image.addresses, ".init"), chain_address(image.addresses, ".fini")
    first = [initial] if initial else []
    last = [final] if final else []
    after = *destructors[::-1], *last
    return Startup((*before, *first, *constructors), after, plain, _handle(image), _span(image))


THREAD_EXIT = "__cxa_thread_atexit"
"""How the names begin by which code registers what a thread does when it ends."""

_STAGES = {".preinit_array": 0, ".init_array": 1, ".ctors": 1, ".fini_array": 2, ".dtors": 2}
_OLD = frozenset({".ctors", ".dtors"})


def _old_style(name: str) -> str | None:
    base = name[:6]
    return base if base in _OLD and (len(name) == 6 or name[6] == ".") else None


def _priority(kind: str, name: str) -> int:
    at = priority(name)
    return 65535 - at if kind in _OLD and at < 1 << 32 else at


def _handle(image: Image) -> int:
    """The address that __dso_handle is: the link's own, or that of a crtbegin.o among the objects."""
    if not any("__dso_handle" in index.undefined for index in image.resolution.indexes):
        return 0
    return image.address_of("__dso_handle") or image.address + image.layout.dso_handle


def _span(image: Image) -> tuple[int, int] | None:
    if any(name.startswith(THREAD_EXIT) for index in image.resolution.indexes for name in index.undefined):
        return image.address, image.address + image.layout.size
    return None


def _entries(image: Image, number: int, index: int, executable: _Executable) -> list[int]:
    object = image.resolution.objects[number]
    offset = image.layout.sections[number][index]
    found = []
    for entry, word in enumerate(image.memory.view[offset : offset + object.sections.sizes[index]].cast("Q")):
        if word in {0, 0xFFFFFFFFFFFFFFFF}:
            continue
        if not executable.holds(word):
            raise _not_code(object, index, entry, word)
        found.append(word)
    return found


class _Executable:
    """Where code may be: in the image, else wherever the process has executable memory, which is asked when needed."""

    def __init__(self, image: Image) -> None:
        self._spans = [
            (image.address + segment.offset, image.address + segment.offset + segment.size)
            for segment in image.layout.segments
            if "x" in segment.letters
        ]
        self._asked = False

    def holds(self, address: int) -> bool:
        """Whether an absolute address is in executable memory."""
        if any(start <= address < end for start, end in self._spans):
            return True
        if self._asked:
            return False
        from rtlinker.host.mappings import read_mappings

        self._asked = True
        self._spans += [(mapping.start, mapping.end) for mapping in read_mappings() if "x" in mapping.permissions]
        return self.holds(address)


def _not_code(object: Object, index: int, entry: int, word: int) -> BadObjectError:
    return BadObjectError(
        object.name,
        "array of functions points outside of executable memory",
        f"{word:#x}",
        f"{object.sections.names[index]}, entry {entry}",
    )
