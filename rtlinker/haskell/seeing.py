"""What types stand for: synonyms expanded, newtypes seen through, and whether a reload must compile a module again."""

from __future__ import annotations

from rtlinker.haskell.interface import Stale
from rtlinker.haskell.types import (
    SYNONYMS,
    Forall,
    Function,
    Qualified,
    TypeCon,
    signature_error,
    substitute,
    with_parts,
    write,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from rtlinker.errors import SignatureError
    from rtlinker.haskell.declarations import Newtype, Synonym
    from rtlinker.haskell.interface import Interface
    from rtlinker.haskell.types import Type


def represented(kind: Type, interfaces: Iterable[Interface] = ()) -> Type:
    """The type that a value has at run time, with synonyms expanded and newtypes seen through.

    A newtype is seen through when its module exports the constructor; a module that hides it has a reason, and a
    recursive newtype has no end: both stay as they are, and are opaque to Python.
    """
    known = list(interfaces)
    meanings: dict[str, Synonym | Newtype] = {}
    for one in known:
        meanings |= one.synonyms
        meanings |= {name: each for name, each in one.newtypes.items() if each.constructor in one.exports}
    return _represented(kind, meanings)


def _represented(kind: Type, known: Mapping[str, Synonym | Newtype]) -> Type:
    if type(kind) is TypeCon and kind.name in SYNONYMS and not kind.arguments:
        return _represented(SYNONYMS[kind.name], known)
    body = _meaning(kind, known) if type(kind) is TypeCon else None
    return with_parts(kind, lambda part: _represented(part, known)) if body is None else _represented(body, known)


def _meaning(kind: TypeCon, known: Mapping[str, Synonym | Newtype]) -> Type | None:
    """What a synonym or a newtype stands for, with its arguments put in; None for a type that stands for itself."""
    meant = known.get(kind.name)
    if meant is None or len(meant.variables) > len(kind.arguments):
        return None
    extra = kind.arguments[len(meant.variables) :]
    body = substitute(meant.meaning, dict(zip(meant.variables, kind.arguments)))
    if extra:
        if not isinstance(body, TypeCon):
            return None
        body = TypeCon(body.name, body.arguments + extra)
    return None if _mentions(meant.meaning, kind.name, known, set()) else body


def _mentions(kind: Type, name: str, known: Mapping[str, Synonym | Newtype], seen: set[str]) -> bool:
    """Whether a type leads back to a name, through any synonym or newtype."""
    if isinstance(kind, Function):
        return _mentions(kind.argument, name, known, seen) or _mentions(kind.result, name, known, seen)
    if isinstance(kind, (Forall, Qualified)):
        return _mentions(kind.body, name, known, seen)
    if kind.name == name:
        return True
    if kind.name in known and kind.name not in seen:
        seen.add(kind.name)
        if _mentions(known[kind.name].meaning, name, known, seen):
            return True
    return any(_mentions(each, name, known, seen) for each in kind.arguments)


def exported_type(interface: Interface, name: str) -> Type:
    """The type of an exported value; SignatureError, with what is exported, for any other name."""
    kind = interface.exports.get(name)
    if kind is None:
        shown = ", ".join(sorted(interface.exports)[:12]) or "nothing"
        rows = [("module", interface.module), ("name", name), ("exports", shown)]
        raise signature_error("the module exports no such value", rows)
    if isinstance(kind, str):
        raise signature_error("a type that cannot be read", [("name", name), ("type", kind)], "give it as text")
    return kind


def monomorphic(kind: Type, name: str) -> Type:
    """The type without its foralls, refused with a SignatureError when it is under a class context.

    A function under a context takes a dictionary for each class first, and Python has none to give.
    """
    body = kind
    while isinstance(body, Forall):
        body = body.body
    if isinstance(body, Qualified):
        raise _needs_dictionaries(name, kind)
    return body


def _needs_dictionaries(name: str, kind: Type) -> SignatureError:
    hint = f"add a definition of one type to the module, such as {name}Int = {name} with Int for the variables"
    return signature_error(
        "a function of class context needs dictionaries", [("name", name), ("type", write(kind))], hint
    )


def stale_usages(interface: Interface, others: Mapping[str, Interface]) -> tuple[Stale, ...]:
    """What `interface`'s module used of the others that is not any more what it was compiled against.

    Empty when its code is still right: GHC's hash of a declaration covers its type, its strictness and whatever of it
    may have been inlined.
    """
    found = []
    for usage in interface.usages:
        other = others.get(usage.module)
        if other is None or other.abi_hash == usage.hash:
            continue
        for name, then in usage.names.items():
            now = other.hashes.get(name, "")
            if now != then:
                found.append(Stale(usage.module, name, then, now))
    return tuple(found)
