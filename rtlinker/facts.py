"""Facts: small immutable records, the only thing one stage hands to the next.

A fact is what `@dataclass(frozen=True, slots=True)` would make, without importing `dataclasses`: that import alone
costs more than reading, linking and calling a small object (docs/adr/0001). A class lists its fields as annotations,
defaults included; fields that are worth computing once are marked `@derived` and are computed on first use.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Generic, TypeVar, dataclass_transform, overload

    T = TypeVar("T")

    class derived(Generic[T]):
        """A field that follows from the others: computed on first use, then kept."""

        def __init__(self, compute: Callable[[Any], T]) -> None: ...

        @overload
        def __get__(self, fact: None, owner: type) -> derived[T]: ...

        @overload
        def __get__(self, fact: object, owner: type) -> T: ...

        def __get__(self, fact: object | None, owner: type) -> Any: ...

else:

    def dataclass_transform(**_):  # noqa: D103  # stands for typing's, which only type checkers need
        return lambda cls: cls

    class derived:
        """A field that follows from the others: computed on first use, then kept."""

        __slots__ = ("compute", "store")

        def __init__(self, compute):
            self.compute = compute

        def __get__(self, fact, owner):
            if fact is None:
                return self
            try:
                return self.store.__get__(fact)
            except AttributeError:
                value = self.compute(fact)
                self.store.__set__(fact, value)
                return value


@dataclass_transform(frozen_default=True)
class FactType(type):
    """Turns the annotations of a class into slots, and its `derived` members into slots that fill themselves."""

    if TYPE_CHECKING:
        _fields: tuple[str, ...]
        _setters: tuple[Callable[[object, object], None], ...]
        _defaults: dict[str, object]
    else:

        def __new__(mcs, name, bases, namespace):  # noqa: D102
            fields = tuple(namespace.get("__annotations__", ()))
            defaults = {field: namespace.pop(field) for field in fields if field in namespace}
            kept = [key for key, value in namespace.items() if type(value) is derived]
            namespace["__slots__"] = (*fields, *("_" + key for key in kept))
            cls = super().__new__(mcs, name, bases, namespace)
            for key in kept:
                namespace[key].store = cls.__dict__["_" + key]
            cls._fields = getattr(cls, "_fields", ()) + fields
            cls._setters = getattr(cls, "_setters", ()) + tuple(cls.__dict__[field].__set__ for field in fields)
            cls._defaults = getattr(cls, "_defaults", {}) | defaults
            return cls


class Fact(metaclass=FactType):
    """Base of every fact: made once, never changed, equal when all fields are equal."""

    if not TYPE_CHECKING:

        def __init__(self, *values, **named):
            setters = self._setters
            if len(values) == len(setters):
                for put, value in zip(setters, values):
                    put(self, value)
                return
            fields = self._fields
            if len(values) > len(fields):
                raise TypeError(f"{type(self).__name__} has {len(fields)} fields, not {len(values)}")
            rest = self._defaults | named if named else self._defaults
            for put, value in zip(setters, values):
                put(self, value)
            for field, put in zip(fields[len(values) :], setters[len(values) :]):
                if field not in rest:
                    raise TypeError(f"{type(self).__name__} needs the field {field!r}")
                put(self, rest[field])
            if named and not named.keys() <= set(fields[len(values) :]):
                unknown = sorted(named.keys() - set(fields[len(values) :]))
                raise TypeError(f"{type(self).__name__} takes no such field here: {', '.join(unknown)}")

        def __setattr__(self, name, value):
            raise AttributeError(f"{type(self).__name__} is a fact: {name} cannot be set")

        def __delattr__(self, name):
            raise AttributeError(f"{type(self).__name__} is a fact: {name} cannot be deleted")

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(getattr(self, field) == getattr(other, field) for field in type(self)._fields)

    def __hash__(self) -> int:
        return hash(tuple(getattr(self, field) for field in type(self)._fields))

    def __repr__(self) -> str:
        values = ", ".join(f"{field}={getattr(self, field)!r}" for field in type(self)._fields)
        return f"{type(self).__name__}({values})"


def replace(fact: T, **changes: object) -> T:
    """A fact like `fact` with some fields changed."""
    fields = type(fact)._fields  # type: ignore[attr-defined]
    return type(fact)(**{field: changes.get(field, getattr(fact, field)) for field in fields})
