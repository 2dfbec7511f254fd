"""The index of an object with thousands of names: made without one step of Python per name, filled when all are wanted.

Most of what a large object defines is never asked for in a link: base has 38,000 names, of which a program that greets
needs a hundred. A dictionary of names that fills itself as it is asked takes the place of a full one. It is equal to
what `elf.index` makes (tests/property/test_engines.py), which stays the reference and takes over wherever an object is
not plain: groups, versions, names that stand twice.
"""

from __future__ import annotations

import functools
from array import array

from rtlinker.elf.constants import SHN_LORESERVE, SYM_SIZE
from rtlinker.elf.index import Index, index_some, index_symbols
from rtlinker.facts import replace
from rtlinker.host.routine import address_of, routines
from rtlinker.link.filling import Filling
from rtlinker.x86_64.name_kernels import FIND_CODE, HASH_CODE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from rtlinker.elf.object import Object
    from rtlinker.host.routine import Routine


@functools.cache
def _loops() -> list[Routine]:
    return routines((HASH_CODE, FIND_CODE))


def index_by_table(object: Object) -> Index | None:
    """The object's index, or None when a full one must be made. Raises BadObjectError as `index_symbols` does."""
    symbols = object.symbols
    if object.groups or symbols.extended or b"@" in symbols.strings:
        return None
    table = NameTable(object)
    others = table.make()
    if others is None:
        return None
    rest = index_some(object, others)
    if rest.repeats or any(table.find([*rest.defined, *rest.commons, *rest.undefined])):
        return None
    return replace(rest, defined=TableNames(table, rest.defined))


class NameTable:
    """The plain definitions of an object by name."""

    def __init__(self, object: Object) -> None:
        self.object = object
        bits = (2 * len(object.symbols)).bit_length()
        self._places = array("I", bytes(4 << bits))
        strings, symbols = object.symbols.strings, object.symbols.table
        self._words = (
            address_of(strings), address_of(symbols), self._places.buffer_info()[0], 64 - bits, 0, (1 << bits) - 1,
        )  # fmt: skip

    def make(self) -> array[int] | None:
        """Fill the table; the numbers of the global symbols that are not plain definitions.

        None when two names are equal, or a name is outside of the string table.
        """
        symbols = self.object.symbols
        first, count = symbols.first_global, len(symbols)
        others = array("I", bytes(4 * (count - first)))
        strings, table, places, shift, _, mask = self._words
        out = others.buffer_info()[0]
        job = array(
            "Q",
            [table + SYM_SIZE * first, table + SYM_SIZE * count, strings, table, places, shift, out, mask, first,
             min(len(self.object.sections), SHN_LORESERVE), len(symbols.strings)],
        )  # fmt: skip
        return None if _loops()[0](job) else others[: (job[6] - out) // 4]

    def find(self, names: Iterable[str]) -> array[int]:
        """The symbol that each of the names has here, 0 where it has none."""
        asked = [*names]
        try:
            encoded = "\0".join([*asked, ""]).encode("utf-8", "surrogateescape")
        except UnicodeEncodeError:
            encoded = b""
        if encoded.count(0) == len(asked):
            return self.find_bytes(encoded, len(asked))
        if len(asked) == 1:  # a name that no symbol can have
            return array("I", (0,))
        return array("I", [self.find((name,))[0] for name in asked])

    def find_bytes(self, names: bytes, count: int) -> array[int]:
        """The same for `count` names, each ended by NUL."""
        found = array("I", bytes(4 * count))
        start = address_of(names)
        strings, table, places, shift, _, mask = self._words
        if count:
            out = found.buffer_info()[0]
            _loops()[1](array("Q", [start, start + len(names), strings, table, places, shift, out, mask]))
        return found


class TableNames(Filling):
    """The names that an object defines, with their symbols."""

    def __init__(self, table: NameTable, known: dict[str, int]) -> None:
        super().__init__(known)
        self.table = table
        self._full = False

    def ask(self, names: Iterable[str]) -> None:
        """Hold those of the names that the object defines."""
        if not self._full:
            asked = [*names]
            self.update([pair for pair in zip(asked, self.table.find(asked)) if pair[1]])

    def having(self, names: Iterable[str]) -> list[str]:
        """Those of the names that the object defines."""
        asked = [*names]
        self.ask(asked)
        held = self.held()
        return [name for name in asked if name in held]

    def shared(self, other: TableNames) -> list[str]:
        """The names that both objects define."""
        few, many = sorted((self, other), key=lambda names: len(names.table.object.symbols))
        strings = few.table.object.symbols.strings
        found = many.table.find_bytes(strings, strings.count(0))
        if not any(found):
            return []
        texts = strings.decode("utf-8", "surrogateescape").split("\0")
        return few.having(many.having([text for text, symbol in zip(texts, found) if symbol]))

    def fill(self) -> None:
        """Hold all names."""
        if not self._full:
            full = index_symbols(self.table.object).defined
            self.clear()
            self.update(full)
            self._full = True
