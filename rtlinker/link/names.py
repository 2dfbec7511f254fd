"""The names of a link while it grows: objects join, archives are asked, until nothing is wanted any more.

This is the state that `link.resolve` works on, and the rules of meeting: which of two definitions owns a name.
"""

from __future__ import annotations

from rtlinker.elf.constants import STB_GNU_UNIQUE, STB_WEAK, STT_TLS, STV_HIDDEN, STV_INTERNAL
from rtlinker.elf.extents import LARGEST_ALIGNMENT, LARGEST_LARGE, LARGEST_SECTION, LARGEST_THREAD_ALIGNMENT
from rtlinker.elf.index import Index, index_symbols
from rtlinker.elf.object import LARGE_COMMON, Object
from rtlinker.errors import BadObjectError
from rtlinker.link.linker_symbols import DSO_HANDLE, GOT, TLS_BASE, bounded_section, is_linker_defined
from rtlinker.link.owners import Owners, shared_names, with_names
from rtlinker.link.resolution import Common, Pull
from rtlinker.link.scope import Definition, Inputs, is_scope, is_source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rtlinker.link.scope import Scope, Source

STRONG, FAINT = 2, 1
"""How strongly a symbol defines its name: a definition, a weak one. COMMON blocks stand between (`_tentative`)."""

MANY = 2_000
"""Symbols of an object from which a table of its names wins over a dictionary."""

COMMAND_LINE = "the caller"
"""Who asked for a root."""


class Names:
    """The names of a link while it grows: objects join, archives are asked, until nothing is wanted any more."""

    def __init__(self, inputs: Inputs) -> None:
        self.inputs = inputs
        self.objects: list[Object] = []
        self.indexes: list[Index] = []
        self.discarded: list[frozenset[int]] = []
        self.owners: dict[str, int] = {}
        self.commons: dict[str, Common] = {}
        self.common_owners: dict[str, int] = {}
        self.groups = {signature: -1 for earlier in inputs.before for signature in earlier.groups()}
        self.losers: list[set[str]] = []
        self.duplicates: list[tuple[str, str, str]] = []
        self.pulls: list[Pull] = []
        self.wanted: list[tuple[str, int, int]] = []
        self.asked: set[str] = set()
        self.pulled: set[tuple[int, int]] = set()
        self.thread_local: set[str] = set()
        self.early: dict[str, Definition | None] = {}
        self.found: dict[str, Definition | None] = {}
        self.early_scopes: list[Scope] = [*inputs.before, inputs.user]
        self.late_scopes: list[Scope] = [*filter(is_scope, inputs.providers), inputs.process]

    def add(self, object: Object) -> None:
        """Let an object join the link: its groups, its definitions, and what it wants."""
        number = len(self.objects)
        index = self._index(object)
        self.objects.append(object)
        self.indexes.append(index)
        dropped = self._drop_groups(object, number)
        self.discarded.append(dropped)
        lost: set[str] = set()
        if dropped:
            lost = {name for name, at in index.defined.items() if object.symbols.section(at) in dropped}
        self.losers.append(lost)
        mine = index.defined
        for name in shared_names(self.owners, mine) - lost:
            self._meet(name, number, mine[name])
        for name in {name for name in self.commons if name in mine} - lost:
            if self._strength(number, mine[name]) < STRONG:
                lost.add(name)
        for earlier in self.inputs.before:
            for name, place, weak in earlier.clashes(mine):
                self._meet_earlier(name, number, place, weak)
        if index.uniques:
            self._meet_process(number)
        for name, at in index.repeats:
            if name in mine and object.symbols.section(at) and self._strength(number, at) == STRONG:
                self.duplicates.append((name, self._place(number, name), self._place(number, name, at)))
        self.owners = with_names(self.owners, mine, number, lost)
        for name, at in index.commons.items():
            self._tentative(name, number, at)
        self.thread_local.update([object.symbols.name(at) for at in index.threads])
        self.want([(name, number, at) for name, at in (*index.undefined.items(), *index.commons.items())])

    def _index(self, object: Object) -> Index:
        engine = self.inputs.engine
        if engine != "scalar" and len(object.symbols) >= MANY:
            from rtlinker.link.name_table import index_by_table

            index = index_by_table(object)
            if index is not None:
                return index
        return index_symbols(object, engine)

    def _drop_groups(self, object: Object, number: int) -> frozenset[int]:
        dropped: list[int] = []
        for group in object.groups:
            if group.comdat and self.groups.setdefault(group.signature, number) != number:
                dropped += group.sections
        return frozenset(dropped)

    def _strength(self, number: int, symbol: int) -> int:
        return FAINT if self.objects[number].symbols.bind(symbol) == STB_WEAK else STRONG

    def _meet(self, name: str, number: int, symbol: int) -> None:
        """Two definitions of a name: decide which owns it, or note the clash."""
        owner = self.owners[name]
        old, new = self._strength(owner, self.indexes[owner].defined[name]), self._strength(number, symbol)
        if new > old:
            self.losers[owner].add(name)
            return
        self.losers[number].add(name)
        if new == old == STRONG and not self._unique(number, symbol):
            self.duplicates.append((name, self._place(owner, name), self._place(number, name)))

    def _meet_earlier(self, name: str, number: int, place: str, weak: bool) -> None:
        """A name that an earlier link defines too: what may exist twice gives way, two strong ones are a clash.

        A strong definition after a weak one serves its own link; the earlier one is bound already. So does a hidden
        one: no other component sees it (gABI, Symbol Visibility).
        """
        symbol = self.indexes[number].defined[name]
        if self.objects[number].symbols.visibility(symbol) in {STV_HIDDEN, STV_INTERNAL}:
            return
        strong = self._strength(number, symbol) == STRONG and not self._unique(number, symbol)
        if name in self.losers[number] or (strong and weak):
            return
        self.losers[number].add(name)
        if strong:
            self.duplicates.append((name, place, self._place(number, name)))

    def _meet_process(self, number: int) -> None:
        """Unique definitions that a library of the process has, too: the dynamic linker keeps one for all, which is it.

        The names are then as if an earlier link had defined them.
        """
        for symbol in self.indexes[number].uniques:
            name = self.objects[number].symbols.name(symbol)
            if name in self.owners or name in self.losers[number]:
                continue
            known = self.early.get(name) or self.inputs.process.unique(name)
            if known is not None:
                self.early[name] = known
                self.losers[number].add(name)

    def _unique(self, number: int, symbol: int) -> bool:
        return self.objects[number].symbols.bind(symbol) == STB_GNU_UNIQUE

    def _place(self, number: int, name: str, at: int | None = None) -> str:
        object = self.objects[number]
        symbol = object.symbols.symbol(self.indexes[number].defined[name] if at is None else at)
        if symbol.section < 0:
            return f"{object.name} (absolute {symbol.value:#x})"
        return f"{object.name}:({object.sections.names[symbol.section]}+{symbol.value:#x})"

    def _tentative(self, name: str, number: int, symbol: int) -> None:
        """A COMMON symbol: merge it with its like; a weak definition gives way to it."""
        owner = self.owners.get(name)
        if owner is not None:
            if self._strength(owner, self.indexes[owner].defined[name]) == STRONG:
                return
            del self.owners[name]
            self.losers[owner].add(name)
        entry = self.objects[number].symbols.symbol(symbol)
        where = f"{self.objects[number].name} (COMMON, {entry.size} bytes)"
        most = LARGEST_LARGE if entry.section == LARGE_COMMON else LARGEST_SECTION
        strictest = LARGEST_THREAD_ALIGNMENT if entry.type == STT_TLS else LARGEST_ALIGNMENT
        if entry.value & (entry.value - 1) or entry.value > strictest or entry.size > most:
            raise BadObjectError(
                self.objects[number].name, "COMMON block that no memory can hold", f"{entry.size:#x} bytes",
                f"symbol {symbol} {name}, alignment {entry.value:#x}",
            )  # fmt: skip
        for earlier in self.inputs.before:
            for _, place, _ in earlier.clashes({name: 0}):
                known = earlier.find(name)
                if known is not None and 0 < known.size < entry.size:
                    self.duplicates.append((name, f"{place}, {known.size} bytes", where))
                return  # what an earlier link defines is meant
        old = self.commons.get(name)
        size, align = max(entry.size, old.size if old else 0), max(entry.value, old.align if old else 1)
        large = entry.section == LARGE_COMMON and (old is None or old.large)
        thread = entry.type == STT_TLS
        if old is not None and old.thread != thread:
            where = f"{self.objects[number].name} ({'' if thread else 'not '}thread-local)"
            self.duplicates.append((name, self.objects[self.common_owners[name]].name, where))
        self.commons[name] = Common(name, size, align, large, thread)
        self.common_owners.setdefault(name, number)

    def want(self, references: list[tuple[str, int, int]]) -> None:
        """Note names that somebody refers to, each with the object's number and the symbol's index."""
        fresh = [reference for reference in references if reference[0] not in self.asked]
        if isinstance(self.owners, Owners):
            self.owners.ask([name for name, _, _ in fresh])
        self.wanted += fresh

    def close(self) -> None:
        """Pull members until every name that is wanted is defined or known to be in no archive."""
        at = 0
        while at < len(self.wanted):
            name, number, symbol = self.wanted[at]
            at += 1
            if name in self.asked or name in self.owners:
                continue
            if number >= 0 and self.objects[number].symbols.bind(symbol) == STB_WEAK:
                continue
            self.asked.add(name)
            if name in self.commons:
                self._complete(name, number)
            else:
                self._bring_in(name, number)

    def _complete(self, name: str, number: int) -> None:
        """A COMMON block may be defined by an archive's member, as Fortran's BLOCK DATA is: ld pulls that one, too."""
        for rank, source in enumerate(self.inputs.providers):
            if is_source(source):
                position = source.index().get(name)
                if position is not None and name in index_symbols(source.object_at(position)).defined:
                    self._pull(source, rank, name, number)
                    return

    def _bring_in(self, name: str, number: int) -> None:
        """Ask in the documented order; an archive that has the name adds a member to the link."""
        inputs = self.inputs
        if self.outside(name, early=True) or name in {GOT, DSO_HANDLE, TLS_BASE}:
            return
        ours = is_linker_defined(name, ()) or bounded_section(name) is not None
        if inputs.process_first and not ours and self.outside(name):
            return
        for rank, provider in enumerate(inputs.providers):
            if is_source(provider):
                if self._pull(provider, rank, name, number):
                    return
            elif is_scope(provider) and not ours and ask(provider, name, name in self.thread_local):
                return
        if ours or self.outside(name):
            return
        for rank, source in enumerate(inputs.last):
            if self._pull(source, -1 - rank, name, number):
                return

    def _pull(self, source: Source, rank: int, name: str, number: int) -> bool:
        position = source.index().get(name)
        if position is None or (rank, position) in self.pulled:
            return False
        member = source.object_at(position)
        for earlier in self.inputs.before:
            known = earlier.of_member(member, name)
            if known is not None:  # an earlier link has this very member: also its hidden names are meant
                self.early[name] = known
                return True
        self.pulled.add((rank, position))
        referrer = self.objects[number].name if number >= 0 else COMMAND_LINE
        self.pulls.append(Pull(member.name, source.name, name, referrer))
        self.add(member)
        return True

    def outside(self, name: str, early: bool = False) -> Definition | None:
        """The definition outside of the link: `early` asks only earlier links and the user, else all scopes."""
        found = self.early if early else self.found
        if name in found:
            return found[name]
        definition = None if early else self.outside(name, early=True)
        # a thread-local name that only an ordinary symbol has is found all the same: the scan says what is wrong
        kinds = (True, False) if name in self.thread_local else (False,)
        for thread_local in kinds if definition is None else ():
            for scope in self.early_scopes if early else self.late_scopes:
                definition = definition or ask(scope, name, thread_local)
        found[name] = definition
        return definition


def ask(scope: Scope, name: str, thread_local: bool = False) -> Definition | None:
    """What a scope says of a reference, whose name may carry a version: `memcpy@GLIBC_2.2.5`."""
    find = scope.find_thread_local if thread_local else scope.find
    if "@" not in name:
        return find(name)
    base, _, version = name.partition("@")
    return find(base, version.lstrip("@"))
