"""Which files of a directory a build is made of: what a person edits, and not what the build or the program writes.

A build that reacts to its own output would never end, so a file counts as a source when

- debug information names it, or its name is one that people give to sources (`.c`, `.hs`, `Makefile` ...);
- or nobody but a person has been seen to change it. A file that changed while a build ran, or while the called code
  ran, was written by them. So was a source that changes during many builds in a row: a generated one.

What editors leave behind (`.#a.c`, `a.c~`, `#a.c#`, `.a.c.swp`, `4913`) and what compilers make is never one.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

SUFFIXES = frozenset(
    ".c .h .cc .cpp .cxx .c++ .hh .hpp .hxx .h++ .ipp .tpp .inl .inc .def .m .mm .s .S .asm .hs .lhs .hsc .chs "
    ".hs-boot .rs .go .zig .d .di .f .for .f90 .f95 .f03 .f08 .F .F90 .adb .ads .pas .pp .nim .ml .mli .v .swift .cu "
    ".cl .l .y .ll .x .y .yy .re .rl .proto .idl .py .pyx .toml .cabal .cmake .mk .ld".split()
)
"""How names of sources end, in the languages whose compilers make objects, and what builds read."""

NAMES = frozenset({"Makefile", "makefile", "GNUmakefile", "CMakeLists.txt", "meson.build", "BUILD", "SConstruct"})

PRODUCTS = frozenset(
    ".o .obj .a .so .lo .la .ko .dyn_o .p_o .hi .dyn_hi .p_hi .hie .dwo .gch .pch .pcm .rlib .rmeta .ali .mod .gcno "
    ".gcda .pyc .swp .swo .swx .tmp .bak .orig .rej .log .lock .part".split()
)
"""How names end of what is made from sources, or left beside them."""


IN_A_ROW = 3
"""During how many builds in a row a source may change, by somebody who edits faster than the build, and be one."""


class Sources:
    """Tells sources from other files: `sources(path)`. `named` are paths that are known to be some.

    `written` takes what was seen to change while a build or the called code ran, and gives those that are sources all
    the same: edits that a build in progress may have missed.
    """

    def __init__(self, named: Iterable[str] = ()) -> None:
        self._named: set[str] = set()
        self._made: set[str] = set()
        self._during: dict[str, int] = {}
        self.name(named)

    def name(self, paths: Iterable[str]) -> None:
        """Know these as sources."""
        self._named.update(map(os.path.abspath, paths))

    def make(self, paths: Iterable[str]) -> None:
        """Know these as made from sources."""
        self._made.update(map(os.path.abspath, paths))

    def __call__(self, path: str) -> bool:
        """Whether a change of this file is worth a build."""
        file = os.path.basename(path)  # noqa: PTH119
        if file.startswith((".", "#")) or file.endswith(("~", "#")) or file.isdigit():
            return False
        whole = os.path.abspath(path)  # noqa: PTH100
        if whole in self._made:
            return False
        return os.path.splitext(file)[1] not in PRODUCTS or whole in self._named  # noqa: PTH122

    def written(self, paths: Iterable[str], by_build: bool) -> tuple[str, ...]:
        """The edits among files that changed meanwhile; the others count as made from now on."""
        during = {os.path.abspath(path): path for path in paths}  # noqa: PTH100
        if by_build:
            self._during = {whole: self._during.get(whole, 0) + 1 for whole in during}
        for whole in during:
            if not self._is_by_hand(whole) or self._during.get(whole, 0) > IN_A_ROW:
                self._made.add(whole)
        return tuple([path for whole, path in during.items() if whole not in self._made])

    def _is_by_hand(self, whole: str) -> bool:
        file = os.path.basename(whole)  # noqa: PTH119
        return whole in self._named or file in NAMES or os.path.splitext(file)[1] in SUFFIXES  # noqa: PTH122


def compiled_from(path: str) -> tuple[str, ...]:
    """The files that an object was made of, as its debug information has them, but for the system's own headers.

    Absolute paths of files that exist. Empty where there is no debug information, or it cannot be read.
    """
    from rtlinker.dwarf.sources import source_files
    from rtlinker.errors import LinkError
    from rtlinker.live.files import read_file, sort_of

    try:
        data = read_file(path)
    except (LinkError, OSError):
        return ()
    found = source_files(data) if sort_of(data) == "object" else ()
    return tuple([each for each in found if not each.startswith("/usr/") and os.path.isfile(each)])  # noqa: PTH113
