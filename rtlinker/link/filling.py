"""Dictionaries of names that fill themselves: with a name when it is asked for, with all when all are wanted."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import ItemsView, Iterable, Iterator, KeysView, ValuesView


class Filling(dict[str, int]):
    """A dictionary that holds what was asked for. `ask` is for many names at once, which cost little more than one.

    To the outside it is as if all names were in it. `held` are those that are; `asked` need not be asked again.
    """

    def __init__(self, known: dict[str, int]) -> None:
        super().__init__(known)
        self.asked: set[str] = set()

    def ask(self, names: Iterable[str]) -> None:
        """Hold those of the names that it has."""
        raise NotImplementedError

    def fill(self) -> None:
        """Hold all names."""
        raise NotImplementedError

    def held(self) -> KeysView[str]:
        """The names that it holds now."""
        return super().keys()

    def __missing__(self, name: str) -> int:
        self.ask((name,))
        if super().__contains__(name):
            return super().__getitem__(name)
        raise KeyError(name)

    def get(self, name: str, default=None):  # type: ignore[no-untyped-def]  # noqa: D102
        if not super().__contains__(name) and name not in self.asked:
            self.ask((name,))
        return super().get(name, default)

    def __contains__(self, name: object) -> bool:
        if super().__contains__(name):
            return True
        if name in self.asked or not isinstance(name, str):
            return False
        self.ask((name,))
        return super().__contains__(name)

    def keys(self) -> KeysView[str]:  # type: ignore[override]  # noqa: D102
        self.fill()
        return super().keys()

    def values(self) -> ValuesView[int]:  # type: ignore[override]  # noqa: D102
        self.fill()
        return super().values()

    def items(self) -> ItemsView[str, int]:  # type: ignore[override]  # noqa: D102
        self.fill()
        return super().items()

    def __iter__(self) -> Iterator[str]:
        self.fill()
        return super().__iter__()

    def __len__(self) -> int:
        self.fill()
        return super().__len__()

    def __bool__(self) -> bool:
        return True

    def __eq__(self, other: object) -> bool:
        self.fill()
        return super().__eq__(other)

    __hash__ = None
