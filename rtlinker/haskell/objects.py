"""What an object of GHC's is: whether it is one, how it was compiled, which packages it needs, where its kin are."""

from __future__ import annotations

import os

from rtlinker.elf.constants import SHF_ALLOC
from rtlinker.elf.index import index_symbols
from rtlinker.elf.reader import read_object
from rtlinker.facts import Fact
from rtlinker.haskell.names import MAIN, Name, parse_symbol
from rtlinker.live.files import read_archive_source, read_file, sort_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from rtlinker.elf.object import Object

PROFILING = frozenset(("CCCS", "CCS_LIST", "CC_LIST", "enterFunCCS", "pushCostCentre", "era", "CCS_DONT_CARE"))
"""Names of the profiling runtime: code compiled with -prof refers to some of them, other code to none.

It also defines cost centres and stacks of them, whose names end in `_cc` and `_ccs`.
"""

STARTER = ":Main"
"""The module that GHC adds to Main, for what a program begins with."""

R_X86_64_PC32, R_X86_64_PLT32, R_X86_64_32, R_X86_64_32S = 2, 4, 10, 11


class HaskellObject(Fact):
    """What GHC put into one object. `modules` are those it defines; `static` says that it must be in low memory."""

    object: Object
    path: str
    """The file that it was read from: its own, or an archive."""
    modules: tuple[str, ...]
    closures: tuple[tuple[Name, str], ...]
    """Every value that it exports, with its symbol."""
    units: tuple[str, ...]
    """The packages that it refers to, as symbols have them; not `main`."""
    wants: tuple[str, ...]
    """The modules of its own package that it refers to and does not define."""
    static: bool
    profiled: bool

    @property
    def is_member(self) -> bool:
        """Whether it was read from an archive."""
        return self.path != self.object.name

    @property
    def ending(self) -> str:
        """How GHC ends the names of such objects: `.o`, `.dyn_o`, `.p_o`."""
        name = self.object.name.removesuffix(")").rpartition("(")[2] if self.is_member else os.path.basename(self.path)  # noqa: PTH119
        return name[name.index(".") :] if "." in name else ""

    def beside(self, module: str, ending: str) -> str:
        """Where GHC puts a file of a module of the same program: below the directory that holds this one's modules."""
        root = os.path.dirname(os.path.abspath(self.path))  # noqa: PTH100, PTH120
        for _ in () if self.is_member else self.modules[0].split(".")[1:]:
            root = os.path.dirname(root)  # noqa: PTH120
        return os.path.join(root, *module.split(".")) + ending  # noqa: PTH118


class HaskellFile(Fact):
    """What GHC put into a file, an object or an archive; `others`: whether there is anything else in it to link."""

    objects: tuple[HaskellObject, ...]
    others: bool


def read_haskell_file(path: str) -> HaskellFile:
    """Raises BadObjectError for a broken object or archive, OSError when it cannot be read."""
    data = read_file(path)
    sort = sort_of(data)
    if sort == "object":
        members = [read_object(data, path)]
    elif sort == "archive" and b"_closure\0" in data:  # in the index, or in the members' tables of names
        members = read_archive_source(data, path).members()
    else:
        return HaskellFile((), True)
    found = tuple([one for one in (read_haskell(member, path) for member in members) if one is not None])
    return HaskellFile(found, len(found) < len(members))


def read_haskell(object: Object, path: str | None = None) -> HaskellObject | None:
    """What GHC put into an object; None when it is not by GHC. Raises BadObjectError for a broken symbol table."""
    index = index_symbols(object)
    defined = [(found, name) for name in index.defined if (found := parse_symbol(name)) is not None]
    defined = [pair for pair in defined if pair[0].module != STARTER]
    closures = [pair for pair in defined if pair[0].suffix == "closure"]
    if not closures:
        return None
    modules = dict.fromkeys([name.module for name, _ in defined])
    own = {name.package for name, _ in defined} | {MAIN}
    asked = [found for name in index.undefined if (found := parse_symbol(name)) is not None]
    return HaskellObject(
        object,
        path or object.name,
        tuple(modules),
        tuple([pair for pair in closures if not pair[0].name.startswith("$tr")]),
        tuple(sorted({name.package for name in asked} - own)),
        tuple(sorted({name.module for name in asked if name.package in own} - modules.keys())),
        _is_static(object, index.undefined.values()),
        not PROFILING.isdisjoint(index.undefined) or any(name.suffix in {"cc", "ccs"} for name, _ in defined),
    )


def _is_static(object: Object, undefined: Iterable[int]) -> bool:
    """Whether a site holds an address in 32 bits, or the distance of a name elsewhere that is not called."""
    from struct import iter_unpack

    elsewhere = frozenset(undefined)
    for table in object.relocations:
        if not object.sections.flags[table.section] & SHF_ALLOC:
            continue
        for _, info, _ in iter_unpack("<QQq", table.table):
            rule = info & 0xFFFFFFFF
            if rule in {R_X86_64_32, R_X86_64_32S} or (rule == R_X86_64_PC32 and info >> 32 in elsewhere):
                return True
    return False
