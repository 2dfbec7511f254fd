"""Going back: the version before becomes the current one again, in the same way in which it was replaced."""

from __future__ import annotations

from time import perf_counter

from rtlinker.errors import ReloadError
from rtlinker.hot.migrating import call_text
from rtlinker.hot.report import Report
from rtlinker.live.undo import UndoStack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rtlinker.hot.module import Module
    from rtlinker.hot.options import Options
    from rtlinker.hot.version import Version
    from rtlinker.link.scope import Definition


def roll_back(module: Module, options: Options) -> Report:
    """Let the version before the current one be current. Raises ReloadError when there is none any more, or when
    variables were migrated since and no function is given that makes their old values.
    """
    module.admit()
    began = perf_counter()
    current = module.current
    there = [version for version in module.versions_kept if not version.text_freed]
    older = [version for version in there if version.number < current.number]
    if not older:
        freed = "it was freed" if current.number > 1 else "there was none"
        raise ReloadError("rollback", "no version to go back to", [("module", module.name), ("reason", freed)])
    previous = max(older, key=lambda version: version.number)
    _refuse_lost_names(module, current, previous)
    undo = UndoStack()
    domain, done = module.domain, [False]
    try:
        kept, fresh = _restore_state(module, current, previous, options, undo)
        targets = _targets(module, current, previous)
        domain.switch(targets, done)
        _make_current(module, current, previous)
    except BaseException:
        if done[0]:  # interrupted behind the store: what follows from it must not be missing
            _make_current(module, current, previous)
        else:
            undo.run()
        raise
    in_flight = tuple([call_text(thread, mark) for thread, mark in domain.calls.before(domain.epoch).items()])
    dropped = tuple(
        placed.variable.name for key, placed in current.placed.items()
        if key not in previous.placed and placed.variable.kind != "virtual"
    )  # fmt: skip
    return Report(
        module.name, previous.number, False, kept, fresh, dropped, in_flight, (), (),
        {"switch": perf_counter() - began}, (previous, current),
    )  # fmt: skip


def _make_current(module: Module, current: Version, previous: Version) -> None:
    """Note what the switch has made true; doing it again does no harm.

    Functions whose signature is the old one again have its entry again.
    """
    module.domain.open_gates()
    others = [version for version in module.versions_kept if version is not previous]
    module.versions_kept[:] = [*others, previous]
    previous.retired = None
    previous.reasons = ()
    for number, name in previous.renewed.items():
        module.domain.numbers[_called(module, previous, name)] = number
    module.after_rollback(previous, current, set(previous.renewed.values()))
    previous.renewed.clear()


def _called(module: Module, version: Version, name: str) -> str:
    """What the entry of a function is called in the domain."""
    return name if version.visible(name) else f"{module.name}\0{name}"


def _targets(module: Module, current: Version, previous: Version) -> dict[int, int]:
    """Where entries lead when the version before is current again."""
    domain = module.domain
    targets = {}
    retyped = {name: number for number, name in previous.renewed.items()}
    for name, address in previous.functions.items():
        number = retyped.get(name, domain.numbers.get(_called(module, previous, name)))
        if number is not None:
            targets[number] = address
    gone = {}
    for name in current.where.keys() - (previous.where.keys() - retyped.keys()):
        number = domain.numbers.get(_called(module, current, name))
        if number is not None:
            gone[number] = f"{name} was taken back with version {current.number} of {module.name}"
    targets.update(domain.traps(gone))
    return targets


def _refuse_lost_names(module: Module, current: Version, previous: Version) -> None:
    """Raise for functions and variables that only the current version has and that other modules refer to."""
    lost = []
    for other in module.domain.modules:
        if other is module or other.current.around is None:
            continue
        around = other.current.around
        lost += [
            f"{name}, called by {other.name}"
            for name, owner in around.functions.items()
            if owner == module.name and name in current.where and name not in previous.where
        ]
        lost += [
            f"{name} with its new signature, called by {other.name}"
            for name in sorted(set(previous.renewed.values()))
            if other.current.entries_used.get(name) == module.domain.numbers.get(name)
        ]
        for name, (owner, known) in around.data.items():
            if owner == module.name:
                was = previous.exported_datum(name)
                if was is None or _place(was) != _place(known):
                    lost.append(f"{name}, used by {other.name}")
    if lost:
        facts = [("module", module.name), ("needed", "\n".join(lost))]
        raise ReloadError("rollback", "others need what the version before lacks", facts)


def _restore_state(
    module: Module, current: Version, previous: Version, options: Options, undo: UndoStack
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Make the old values of variables that were migrated; the names of those kept, and of those made."""
    moved, kept = [], []
    for key, placed in current.placed.items():
        old = previous.placed.get(key)
        if old is None or placed.variable.kind == "virtual":
            continue
        if _place(old.definition) == _place(placed.definition):
            kept.append(placed.variable.name)
        elif (
            placed.variable.kind != "thread" and {placed.variable.name, placed.variable.symbol} & options.migrate.keys()
        ):
            moved.append((placed, old))
        elif placed.variable.name not in options.reset and placed.variable.symbol not in options.reset:
            facts = [("module", module.name), ("variable", placed.variable.name)]
            hint = "give migrate={name: function(old, new)} that goes back, or reset=[name] for its last old value"
            raise ReloadError("rollback", "variable was migrated since", facts, hint)
    if moved:
        from rtlinker.hot.migrating import close_gate, migrate_one, wait_for_calls

        close_gate(module.domain, undo)
        wait_for_calls(module.domain, module.name, options.timeout)
        for placed, old in moved:
            named = options.migrate.get(placed.variable.name) or options.migrate[placed.variable.symbol]
            migrate_one(module, named, placed, old, undo)
    return tuple(kept), tuple(old.variable.name for _, old in moved)


def _place(definition: Definition) -> tuple[object, ...]:
    """Where a variable is: its address, or, if each thread has its own, where in a thread's block."""
    return definition.address, definition.variable
