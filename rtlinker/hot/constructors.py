"""Which constructors of a new version run: those that would not overwrite what lives on.

One that writes no variable of the old version runs each time. One all of whose variables live on is skipped: they have
been constructed. One that writes both is refused, since nothing but its author knows; `constructors=` decides then.
"""

from __future__ import annotations

from rtlinker.hot.constructed import constructors
from rtlinker.hot.errors import ConstructorPolicyError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

    from rtlinker.hot.constructed import Touched
    from rtlinker.hot.version import Version

    Place = tuple[int, int, int]
    """Object, section and offset of a variable."""


def to_run(version: Version, wanted: Collection[int]) -> tuple[int, ...]:
    """Those of a version's constructors, absolute addresses in their order, that a reload runs.

    Raises ConstructorPolicyError for those that write variables that live on, and others.
    """
    assert version.before is not None
    skipped: set[int] = set()
    refused: list[str] = []
    facts: list[tuple[str, str]] = []
    for number, object in enumerate(version.before.objects):
        for each in constructors(object):
            old, new = _sorted(version, number, each.touched)
            start = version.image.addresses.of_section(number, each.section)
            if start is None or not old:
                continue
            if new:
                refused.append(each.name)
                facts += [("constructor", f"{each.name} ({object.name})"), ("lives on", ", ".join(old))]
                facts.append(("new", ", ".join(new)))
            else:
                skipped.add(start + each.offset)
    if refused:
        raise ConstructorPolicyError(refused, facts)
    return tuple([address for address in wanted if address not in skipped])


def _sorted(version: Version, number: int, touched: Collection[Touched]) -> tuple[list[str], list[str]]:
    """Of what a constructor of object `number` writes, what lives on and what begins with this version."""
    assert version.carried is not None
    kept = {_place(new): new.name for new, _ in version.carried.kept if new.kind != "virtual"}
    fresh = {_place(new): new.name for new in version.carried.fresh}
    names = {new.symbol: new.name for new, _ in version.carried.kept if not new.local}
    fresh_names = {new.symbol: new.name for new in version.carried.fresh if not new.local}
    elsewhere = version.around.data if version.around is not None else {}
    old, begun = [], []
    for each in touched:
        place = number, each.section, each.offset
        if each.section > 0:
            if place in kept:
                old.append(kept[place])
            elif place in fresh:
                begun.append(fresh[place])
        elif each.name in names or each.name in elsewhere:
            old.append(names.get(each.name, each.name))
        elif each.name in fresh_names:
            begun.append(fresh_names[each.name])
    return sorted(set(old)), sorted(set(begun))


def _place(variable) -> Place:  # type: ignore[no-untyped-def]
    return variable.object, variable.section, variable.offset
