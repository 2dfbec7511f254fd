"""The thread-local part of the scan: what sites ask of the dynamic linker, and whether they may."""

from __future__ import annotations

from struct import iter_unpack

from rtlinker.elf.constants import SHF_ALLOC, SHF_EXECINSTR, SHF_TLS
from rtlinker.errors import LinkError, RelocationError
from rtlinker.link.linker_symbols import TLS_BASE
from rtlinker.link.resolution import Common, InObject, Key, Resolution
from rtlinker.link.scan_sites import first_site, key_of, sites_of
from rtlinker.link.scope import Definition
from rtlinker.link.thread_block import ThreadDemand
from rtlinker.x86_64.rules import RULES, Rule

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

    from rtlinker.elf.object import Object
    from rtlinker.link.resolution import Binding


class ThreadCollector:
    """Gathers what thread-local sites ask for."""

    def __init__(self, resolution: Resolution) -> None:
        self.resolution = resolution
        self.pairs: dict[Key, tuple[int, int]] = {}
        self.distances: dict[Key, tuple[int, int]] = {}
        self.descriptors: dict[Key, tuple[int, int]] = {}
        self.local = False
        self.static: tuple[int, int] | None = None
        self._offsets: list[tuple[Key, int, Rule, int]] = []

    def look(self, number: int, rule: Rule, symbol: int) -> None:
        """One kind of thread-local site of object `number`. Raises RelocationError where rule and symbol do not fit."""
        letters = rule.terms
        if "LD" in letters:  # which variable it names does not matter: the link's own block is meant
            self.local = True
            return
        if not letters:
            return
        meaning = self.resolution.bound[number].get(symbol) or InObject(number, symbol)
        own = not isinstance(meaning, Definition)
        if not is_thread_local(self.resolution, meaning):
            hint = "the variable must be declared thread-local everywhere or nowhere"
            raise self._mismatch(number, rule, symbol, "thread-local relocation against an ordinary symbol", hint)
        self._check_sites(number, rule, symbol)
        key, where = key_of(self.resolution.objects[number], number, symbol), (number, symbol)
        if "GD" in letters or (not own and ("M" in letters or "D" in letters)):
            self.pairs.setdefault(key, where)
        if "GT" in letters or (not own and "T" in letters):
            self.distances.setdefault(key, where)
        if "GC" in letters or "C" in letters:
            self.descriptors.setdefault(key, where)
        if "D" in letters and self._in_code(number, rule, symbol):
            self._offsets.append((key, number, rule, symbol))
        if own and self.static is None and ("GT" in letters or "T" in letters):
            self.static = number, symbol << 32 | rule.number

    def _check_sites(self, number: int, rule: Rule, symbol: int) -> None:
        """Refuse what cannot be right: a part of a descriptor."""
        object, info = self.resolution.objects[number], symbol << 32 | rule.number
        if "C" in rule.terms and any(addend for _, _, addend in sites_of(object, info)):
            hint = "a descriptor is one of a whole variable"
            raise self._mismatch(number, rule, symbol, "thread-local descriptor with an addend", hint)

    def _in_code(self, number: int, rule: Rule, symbol: int) -> bool:
        object = self.resolution.objects[number]
        flags = object.sections.flags
        sites = sites_of(object, symbol << 32 | rule.number)
        return any(flags[table.section] & SHF_EXECINSTR for table, _, _ in sites)

    def _elsewhere(self) -> Key | None:
        """The variable whose block local dynamic code means, when that is not the link's own.

        Such code adds offsets to the start of one block. Variables of an earlier link all have to be in one, and none
        in the link's own. Raises RelocationError where they are not.
        """
        blocks: dict[tuple[str, str] | None, tuple[Key, int, Rule, int]] = {}
        for key, number, rule, symbol in self._offsets:
            meaning = self.resolution.bound[number].get(symbol)
            variable = meaning.variable if isinstance(meaning, Definition) else None
            block = (variable.library, variable.symbol) if variable is not None and variable.place is None else None
            if variable is not None and (block is None or (blocks and block not in blocks)):
                headline = "offset in the own block of a variable that is elsewhere"
                hint = "local dynamic code (-ftls-model=local-dynamic) is for variables of the same link"
                raise self._mismatch(number, rule, symbol, headline, hint)
            blocks.setdefault(block, (key, number, rule, symbol))
        if len(blocks) > 1:
            _, number, rule, symbol = next(iter(blocks.values()))
            headline = "local dynamic code for variables of two blocks"
            hint = "declare the new variable without static, or compile without -fPIC"
            raise self._mismatch(number, rule, symbol, headline, hint)
        return next((first[0] for block, first in blocks.items() if block is not None), None)

    def _mismatch(self, number: int, rule: Rule, symbol: int, headline: str, hint: str) -> LinkError:
        object = self.resolution.objects[number]
        site = first_site(object, self.resolution.discarded[number], symbol << 32 | rule.number)
        return RelocationError(headline, site, str(rule), object.symbol_title(symbol), hint=hint)

    def demand(self) -> ThreadDemand:
        """All that was gathered, in the order of objects and their symbols, whichever engine looked."""
        pairs, distances, descriptors = map(_ordered, (self.pairs, self.distances, self.descriptors))
        return ThreadDemand(pairs, distances, descriptors, self.local, self.static, self._elsewhere())


def _ordered(keys: dict[Key, tuple[int, int]]) -> dict[Key, tuple[int, int]]:
    return dict(sorted(keys.items(), key=lambda entry: entry[1]))


def is_thread_local(resolution: Resolution, meaning: Binding) -> bool:
    """Whether what a reference means is a thread-local variable."""
    if isinstance(meaning, Definition):
        return meaning.variable is not None
    if isinstance(meaning, Common):
        return meaning.thread
    if not isinstance(meaning, InObject):
        return meaning.name == TLS_BASE
    object = resolution.objects[meaning.object]
    section = object.symbols.section(meaning.symbol)
    return section > 0 and object.sections.flags[section] & (SHF_ALLOC | SHF_TLS) == SHF_ALLOC | SHF_TLS


def refuse_unknown_words(object: Object, sections: Collection[int]) -> None:
    """Raise RelocationError for an initial value that only the dynamic linker knows: it is asked with all of them."""
    for table in object.relocations:
        if table.section not in sections:
            continue
        for offset, info, _ in iter_unpack("<QQq", table.table):
            rule = RULES[info & 0xFFFFFFFF]
            if rule.sort == "indirect" or not rule.terms.keys().isdisjoint({"M", "T", "C"}):
                site, target = object.site_title(table.section, offset), object.symbol_title(info >> 32)
                headline = "initial value of a thread-local variable not known yet"
                raise RelocationError(headline, site, str(rule), target, hint="set it when the thread runs")
