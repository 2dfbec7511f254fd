"""Which variables the constructors of an object may change, read off its code.

When a new version goes on with the variables of the old one, a constructor that initialises one of them would destroy
what it holds; one that initialises none has to run. So each entry of `.init_array` and `.ctors` is followed through the
functions of the object that it calls, and through those whose address it takes, unless that is passed to atexit and its
like: destructors run at the end. What functions of other objects do with what they are given is unknown, so
a variable whose address is taken counts as changed.

Where an index is added to the address of a static variable, the neighbours count as well, unless variables have
sections of their own (-fdata-sections): an assembler leaves the sum of section, variable and first index only.
"""

from __future__ import annotations

from rtlinker.elf.constants import SHF_EXECINSTR, SHF_WRITE, STT_FILE, STT_SECTION
from rtlinker.facts import Fact
from rtlinker.hot.instructions import CALL, INDIRECT, READ, TAKEN, WRITTEN, Act, Code
from rtlinker.link.layout import ARRAYS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rtlinker.elf.object import Object

_AT_END = frozenset((
    "__cxa_atexit", "atexit", "__cxa_thread_atexit", "__cxa_thread_atexit_impl", "on_exit", "at_quick_exit",
    "__cxa_at_quick_exit",
))  # fmt: skip
_PLUMBING = frozenset(("__tls_get_addr",))
_HANDLE = "__dso_handle"


class Touched(Fact):
    """A variable that is written, or whose address is taken (`how` is `written` or `taken`).

    `section` and `offset` are where it begins, in bytes from the start of the section, as far as symbols tell. The
    section is 0 for a variable of another object, negative for a COMMON one; then only the `name` counts.
    """

    section: int
    offset: int
    name: str
    how: str


class Constructor(Fact):
    """One entry of an array of constructors: the function at an `offset` of a section, and what running it may change.

    `functions` are the object's functions that it reaches, `calls` the names of those of other objects. `indirect` says
    that it calls through a pointer, so that it may reach more. Without `exact`, variables that are only read are among
    the touched (capstone was not there to tell).
    """

    section: int
    offset: int
    name: str
    touched: tuple[Touched, ...]
    functions: tuple[str, ...]
    calls: tuple[str, ...]
    indirect: bool
    exact: bool


def constructors(object: Object) -> tuple[Constructor, ...]:
    """The constructors of an object in the order of its sections; several entries may be one function."""
    code = Code(object)
    symbols = _Symbols(object)
    found = []
    for section in object.sections.allocated:
        name = object.sections.names[section]
        kind = ARRAYS.get(object.sections.types[section], name[:6])
        if kind not in (".init_array", ".preinit_array", ".ctors"):
            continue
        rows = code.references(section)
        for site in sorted(rows):
            where = code.place(rows[site], 0)
            if where[0] > 0:
                found.append(_Following(code, symbols).constructor(where[0], where[1]))
    return tuple(found)


class _Symbols:
    """The functions and variables of an object by place."""

    def __init__(self, object: Object) -> None:
        self.object = object
        self.starts: dict[int, list[tuple[int, int, str]]] = {}
        names, infos, _, _, values, sizes = object.symbols.columns
        for index, section in enumerate(object.symbols.sections):
            if section > 0 and infos[index] & 15 not in (STT_SECTION, STT_FILE) and names[index]:
                name = object.symbols.name(index)
                if not name.startswith(".L"):
                    self.starts.setdefault(section, []).append((values[index], sizes[index], name))
        for rows in self.starts.values():
            rows.sort()

    def around(self, section: int, offset: int) -> tuple[int, int, str]:
        """Start, end and name of what covers a place; up to the next symbol where none says that it does."""
        limit = self.object.sections.sizes[section]
        start, end, name = offset, limit, ""
        for first, size, title in self.starts.get(section, ()):
            if first > offset:
                end = min(end, first)
                break
            if offset < first + size:
                return first, first + size, title
            if first == offset:
                name = title
        return start, end, name

    def beside(self, section: int, offset: int) -> list[int]:
        """Where the variables before and behind the one at a place begin, as far as there are any."""
        own = self.around(section, offset)[0]
        starts = sorted({first for first, _, _ in self.starts.get(section, ())})
        before = [first for first in starts if first < own]
        behind = [first for first in starts if first > offset]
        return before[-1:] + behind[:1]

    def exists(self, section: int, offset: int) -> bool:
        """Whether a place is within its section."""
        return 0 <= offset < self.object.sections.sizes[section]

    def is_code(self, section: int) -> bool:
        """Whether the section is executable."""
        return section > 0 and bool(self.object.sections.flags[section] & SHF_EXECINSTR)

    def is_variable(self, section: int) -> bool:
        """Whether the section holds what code may change: not what is constant but for its relocation."""
        writable = section < 0 or bool(self.object.sections.flags[section] & SHF_WRITE)
        return writable and not (section > 0 and self.object.sections.names[section].startswith(".data.rel.ro"))


class _Following:
    """The way through the functions that one constructor reaches."""

    def __init__(self, code: Code, symbols: _Symbols) -> None:
        self.code = code
        self.symbols = symbols
        self.touched: dict[tuple[int, int, str], Touched] = {}
        self.functions: dict[tuple[int, int], str] = {}
        self.calls: set[str] = set()
        self.indirect = False
        self.rest: list[tuple[int, int]] = []

    def constructor(self, section: int, offset: int) -> Constructor:
        """The fact about the constructor at a place."""
        self._reach(section, offset)
        while self.rest:
            self._function(*self.rest.pop())
        touched = tuple([self.touched[key] for key in sorted(self.touched)])
        names = tuple(sorted({name for name in self.functions.values() if name}))
        name = self.symbols.around(section, offset)[2]
        calls = tuple(sorted(self.calls))
        return Constructor(
            section, offset, name, touched, names, calls, self.indirect, self.code.capstone() is not None
        )

    def _reach(self, section: int, offset: int) -> None:
        start, _, name = self.symbols.around(section, offset)
        if (section, start) not in self.functions:
            self.functions[section, start] = name
            self.rest.append((section, start))

    def _function(self, section: int, start: int) -> None:
        _, end, _ = self.symbols.around(section, start)
        for act in self.code.acts(section, start, end):
            inside = act.section == section and start < act.offset < end
            if act.kind == INDIRECT:
                self.indirect = True
            elif act.kind == CALL and act.section == 0:
                self.calls.update({act.name} - _PLUMBING)
            elif act.to in _AT_END:
                continue
            elif act.kind == CALL or self.symbols.is_code(act.section):
                if not inside:
                    self._call(act)
            elif act.kind != READ:
                self._touch(act)

    def _call(self, act: Act) -> None:
        """Go on with a function that is called, or whose address is taken: who has it may call it."""
        if not self.symbols.is_code(act.section) or not self.symbols.exists(act.section, act.offset):
            return
        if not act.guessed or self.symbols.around(act.section, act.offset)[0] == act.offset:
            self._reach(act.section, act.offset)

    def _touch(self, act: Act) -> None:
        if act.name == _HANDLE:
            return
        how = WRITTEN if act.kind == WRITTEN else TAKEN
        if act.section <= 0:
            self._add(act.section, 0, act.name, how)
            return
        if not self.symbols.is_variable(act.section):
            return
        places = [act.offset]
        if (
            act.spread and not act.name
        ):  # compilers count indexes from before the first element, or from behind the last
            places += self.symbols.beside(act.section, act.offset)
        for offset in filter(lambda offset: self.symbols.exists(act.section, offset), places):
            start, _, name = self.symbols.around(act.section, offset)
            self._add(act.section, start, name, how)

    def _add(self, section: int, offset: int, name: str, how: str) -> None:
        old = self.touched.get((section, offset, name))
        if old is None or old.how != WRITTEN:
            self.touched[section, offset, name] = Touched(section, offset, name, how)
