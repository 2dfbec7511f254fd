"""Which type a value of a module is called with: its own, as its interface tells, or one that was given as text."""

from __future__ import annotations

from rtlinker.haskell.parse import parse_type
from rtlinker.haskell.seeing import exported_type, monomorphic, represented
from rtlinker.haskell.types import Forall, Function, Qualified, TypeCon, TypeVar, signature_error, write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from rtlinker.haskell.interface import Interface
    from rtlinker.haskell.names import Name
    from rtlinker.haskell.types import Type


def signature_of(name: Name, interfaces: Iterable[Interface], text: str | None = None) -> Type | None:
    """The type of a value, or the one in `text`; None where there is neither a text nor the module's interface.

    Raises SignatureError for a text that cannot be read, and for one that is not the value's type, with both.
    """
    known = tuple(interfaces)
    own = next((exported_type(one, name.name) for one in known if one.module == name.module), None)
    if text is None:
        return own if own is None else monomorphic(own, name.qualified)
    wanted = parse_type(text)
    if own is not None:
        general = monomorphic(own, name.qualified)
        if not is_instance(represented(wanted, known), represented(general, known)):
            rows = [("name", name.qualified), ("its type", write(own)), ("given", write(wanted))]
            raise signature_error("the signature is not the value's type", rows)
    return monomorphic(wanted, name.qualified)


def is_instance(kind: Type, general: Type) -> bool:
    """Whether a type is the general one with each of its variables replaced by some type."""
    return _matches(kind, general, {})


def _matches(kind: Type, general: Type, values: dict[str, Type]) -> bool:
    if isinstance(general, TypeVar):
        count = len(general.arguments)
        if not count:
            return values.setdefault(general.name, kind) == kind
        if not isinstance(kind, (TypeCon, TypeVar)) or len(kind.arguments) < count:
            return False
        head = type(kind)(kind.name, kind.arguments[:-count])
        pairs = zip(kind.arguments[-count:], general.arguments)
        return values.setdefault(general.name, head) == head and all(_matches(*pair, values) for pair in pairs)
    if isinstance(general, Function):
        return (
            isinstance(kind, Function)
            and _matches(kind.argument, general.argument, values)
            and _matches(kind.result, general.result, values)
        )
    if isinstance(general, (Forall, Qualified)):
        return kind == general
    return (
        isinstance(kind, TypeCon)
        and kind.name == general.name
        and len(kind.arguments) == len(general.arguments)
        and all(_matches(*pair, values) for pair in zip(kind.arguments, general.arguments))
    )
