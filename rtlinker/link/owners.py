"""Which object of a link defines a name: a dictionary, and behind it the tables of objects with very many names."""

from __future__ import annotations

from rtlinker.link.filling import Filling

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from rtlinker.link.name_table import TableNames


def with_names(owners: dict[str, int], mine: dict[str, int], number: int, lost: set[str]) -> dict[str, int]:
    """The owners when object `number` owns what it defines but for the names `lost`, which may become more later.

    A dictionary, until an object comes with a table of names.
    """
    if isinstance(mine, Filling) and not isinstance(owners, Owners):
        owners = Owners(owners)
    if isinstance(mine, Filling) and isinstance(owners, Owners):
        owners.add(mine, number, lost)  # type: ignore[arg-type]  # there is no other kind
        return owners
    fresh = dict.fromkeys(mine, number)
    for name in lost:
        del fresh[name]
    if not owners:
        return fresh
    owners.update(fresh)
    return owners


def shared_names(owners: dict[str, int], mine: dict[str, int]) -> set[str]:
    """Those of the names that an object defines which have an owner."""
    if isinstance(owners, Owners):
        return owners.shared(mine)
    return {name for name in owners if name in mine} if isinstance(mine, Filling) else mine.keys() & owners.keys()


class Owners(Filling):
    """Name to the number of the object that owns it, where some objects have tables."""

    def __init__(self, known: dict[str, int]) -> None:
        super().__init__(known)
        self._tables: list[tuple[TableNames, int, set[str]]] = []

    def add(self, names: TableNames, number: int, lost: set[str]) -> None:
        """Let object `number` own the names of its table; see `with_names`."""
        self._tables.append((names, number, lost))
        self._take(names, {*self.held(), *self.asked}, number, lost)

    def _take(self, table: TableNames, names: Iterable[str], number: int, lost: set[str]) -> None:
        self.update(dict.fromkeys([name for name in table.having(names) if name not in lost], number))

    def ask(self, names: Iterable[str]) -> None:
        """Hold those of the names that somebody owns."""
        if self._tables:
            held = self.held()
            fresh = [name for name in names if name not in self.asked and name not in held]
            if fresh:
                self.asked.update(fresh)
                for table, number, lost in self._tables:
                    self._take(table, fresh, number, lost)

    def shared(self, mine: dict[str, int]) -> set[str]:
        """Those of the names that an object defines which have an owner."""
        if not isinstance(mine, Filling):
            self.ask(mine)
            return mine.keys() & self.held()
        names: TableNames = mine  # type: ignore[assignment]
        found = {*names.having(self.held())}
        for table, _, lost in self._tables:
            found.update([name for name in table.shared(names) if name not in lost])
        self.ask(found)
        return found

    def fill(self) -> None:
        """Hold all names."""
        for table, number, lost in self._tables:
            held = self.held()
            self.update(dict.fromkeys(table.keys() - lost - (self.asked - held) - held, number))
        self._tables = []
