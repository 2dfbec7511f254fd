"""Letters to numbers: S, L, G, GOT and Z of every symbol, once the image has an address."""

from __future__ import annotations

from rtlinker.elf.object import ABSOLUTE
from rtlinker.facts import Fact
from rtlinker.link.layout import Layout
from rtlinker.link.linker_symbols import DSO_HANDLE, GOT, TLS_BASE, bounded_section
from rtlinker.link.made import OWN_MODULE
from rtlinker.link.outside import Outside
from rtlinker.link.resolution import Binding, Common, InObject, Key, LinkerDefined, Resolution
from rtlinker.link.scan_sites import key_of
from rtlinker.link.scope import Definition
from rtlinker.link.thread_block import Threads

SLOT_KINDS = {"GD": "pair", "GT": "distance", "GC": "descriptor"}
"""The letters that are the address of a symbol's thread-local slots."""

REACH = 1 << 31
"""How far a signed 32-bit displacement goes, in bytes."""


class Addresses(Fact):
    """Absolute addresses for everything of a link; `base` is where the image starts."""

    resolution: Resolution
    layout: Layout
    outside: Outside
    base: int
    threads: Threads | None = None
    """What the dynamic linker answered; None before it was asked, and where there is nothing to ask."""

    @property
    def got(self) -> int:
        """The address of _GLOBAL_OFFSET_TABLE_ (the letters GOT)."""
        return self.base + self.layout.got

    def of_section(self, object: int, section: int) -> int | None:
        """Where a section starts, or None when it was discarded or takes no memory."""
        offset = self.layout.sections[object][section]
        return None if offset < 0 else self.base + offset

    def of_place(self, where: InObject) -> int | None:
        """The address of a definition inside the link; None when its section is not in memory."""
        return self.of_own(where.object, where.symbol)

    def of_own(self, object: int, symbol: int) -> int | None:
        """The address of what an object itself defines; None when the section is not in memory.

        An indirect function's is its stub, so that the function has one address however it is reached.
        """
        if self.layout.ifuncs and (object, symbol) in self.layout.ifuncs:
            return self.base + self.layout.ifuncs[object, symbol][0]
        return self.of_code(object, symbol)

    def of_code(self, object: int, symbol: int) -> int | None:
        """Where the bytes of what an object itself defines are: of an indirect function, the code that chooses."""
        symbols = self.resolution.objects[object].symbols
        section, value = symbols.section(symbol), symbols.value(symbol)
        if section > 0:
            offset = self.layout.sections[object][section]
            if offset < 0 or (self.layout.block and (object, section) in self.layout.block.sections):
                return None
            return (self.base + offset + value) & 0xFFFFFFFFFFFFFFFF
        return value if section == ABSOLUTE else None

    def of_binding(self, meaning: Binding) -> int | None:
        """The address of what a reference means; None for a thread-local variable, which has many."""
        if isinstance(meaning, Definition):
            return meaning.address if meaning.variable is None else None
        if isinstance(meaning, InObject):
            return self.of_place(meaning)
        if isinstance(meaning, Common):
            return None if meaning.thread else self.base + self.layout.commons[meaning.name]
        return None if meaning.name == TLS_BASE else self.of_linker_symbol(meaning)

    def of_linker_symbol(self, meaning: LinkerDefined) -> int:
        """The address of `_GLOBAL_OFFSET_TABLE_`, `__start_X`, `_end` and the like."""
        from rtlinker.link.linker_symbols import BOUNDS

        if meaning.name == GOT:
            return self.got
        if meaning.name == DSO_HANDLE:
            return self.base + self.layout.dso_handle
        section = bounded_section(meaning.name)
        part, end = BOUNDS[meaning.name] if section is None else (section, "end")
        if section is not None and meaning.name.startswith("__start_"):
            end = "start"
        bounds = self.layout.bounds.get(part) or (self.layout.bounds["(data)"][0],) * 2
        return self.base + bounds[end == "end"]

    def meaning(self, object: int, symbol: int) -> Binding:
        """What a symbol of an object means: its own definition unless resolving said otherwise."""
        return self.resolution.bound[object].get(symbol) or InObject(object, symbol)

    def letter_s(self, object: int, symbol: int) -> int | None:
        """S: the symbol's address; the stub's for an outside function that must look near. None: discarded."""
        if not symbol:
            return 0
        meaning = self.resolution.bound[object].get(symbol)
        if meaning is None:
            return self.of_own(object, symbol)
        if isinstance(meaning, Definition) and self.outside.stubs:
            key = key_of(self.resolution.objects[object], object, symbol)
            if key in self.outside.stubs:
                return self.base + self.layout.stubs[key][0]
        return self.of_binding(meaning)

    def direct_s(self, object: int, symbol: int) -> int | None:
        """S for a site of at most 32 bits: the mirror's address where there is one."""
        if self.outside.mirrors:
            key = key_of(self.resolution.objects[object], object, symbol)
            if key in self.layout.mirrors and isinstance(self.meaning(object, symbol), Definition):
                return self.base + self.layout.mirrors[key]
        return self.letter_s(object, symbol)

    def letter_l(self, object: int, symbol: int) -> int | None:
        """L: the symbol's address where every site of the image reaches it, else its stub's."""
        meaning = self.resolution.bound[object].get(symbol)
        if meaning is None:
            return self.of_own(object, symbol) if symbol else 0
        address = self.of_binding(meaning)
        if address is None or self.reaches(address):
            return address
        stub = self.layout.stubs.get(key_of(self.resolution.objects[object], object, symbol))
        return address if stub is None else self.base + stub[0]

    def letter_g(self, object: int, symbol: int) -> int:
        """G: the symbol's slot, relative to GOT."""
        key = key_of(self.resolution.objects[object], object, symbol)
        return self.layout.slots[key] - self.layout.got

    def letter_z(self, object: int, symbol: int) -> int:
        """Z: the size of what the symbol means, in bytes; 0 when nobody knows it."""
        meaning = self.meaning(object, symbol)
        if isinstance(meaning, InObject):
            return self.resolution.symbol(meaning).size
        if isinstance(meaning, Definition) and self.outside.sizes:
            key = key_of(self.resolution.objects[object], object, symbol)
            return self.outside.sizes.get(key, meaning.size)
        return meaning.size if isinstance(meaning, (Common, Definition)) else 0

    def thread_letter(self, object: int, symbol: int, letter: str) -> int | None:
        """M, D, T, C, GD, LD, GT and GC; None when the variable was discarded, or not asked for yet."""
        if letter == "LD":
            return self.base + self.layout.thread_slots["pair", OWN_MODULE]
        meaning, own = self.meaning(object, symbol), None
        if not isinstance(meaning, Definition):
            own = self.layout.block.offset_of(self.resolution, meaning) if self.layout.block else None
            if own is None or letter == "D":
                return own
        key = key_of(self.resolution.objects[object], object, symbol)
        if letter in SLOT_KINDS:
            return self.base + self.layout.thread_slots[SLOT_KINDS[letter], key]
        return None if self.threads is None else self._answered(self.threads, key, letter, own)

    def _answered(self, threads: Threads, key: Key, letter: str, own: int | None) -> int | None:
        """What only the dynamic linker knows. `own` is the offset of a variable in the link's own block."""
        if letter == "C":
            function, argument = threads.descriptors[key]
            return argument << 64 | function
        if own is None:
            return threads.distances[key] if letter == "T" else threads.pairs[key][letter == "D"]
        if letter == "M":
            return threads.module
        return None if threads.distance is None else threads.distance + own

    def reaches(self, address: int) -> bool:
        """Whether a signed 32-bit displacement reaches the address from anywhere in the image's small segments."""
        return self.base + self.layout.large_from - REACH < address < self.base + REACH - 16
