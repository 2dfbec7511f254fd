"""Functions of a new version that do not fit their callers: their type changed, or they are gone.

Callers that are replaced together with a function need nothing: those in other objects of its module. Who stays as it
is, another module or a handle in Python, would call the wrong thing, or the old one in silence.
"""

from __future__ import annotations

import sys

from rtlinker.bind.ctype import declare
from rtlinker.host.demangle import readable
from rtlinker.hot.described import functions_by_symbol
from rtlinker.hot.errors import IncompatibleSignatureError, RemovedError
from rtlinker.hot.findings import Findings, shortened

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from rtlinker.bind.abi import Change
    from rtlinker.dwarf.program import NamedFunction
    from rtlinker.hot.module import Module
    from rtlinker.hot.version import Version

HELD = 3
"""References to a function's handle that only the module's table has: the table's, a local name's, the question's."""


class Signatures:
    """The comparison of functions; `changed` are those with another type, each with its declarations, old and new."""

    def __init__(self, old: Version | None, new: Version, allow: frozenset[str], findings: Findings) -> None:
        self._old = old
        self._new = new
        self._allow = allow
        self._findings = findings
        self.changed: dict[str, tuple[str, str]] = {}

    def check(self, module: Module, others: list[Version]) -> None:
        """Find functions whose type changed. Raises IncompatibleSignatureError for those that somebody may call."""
        if self._old is None:
            return
        refused: list[str] = []
        rows: list[tuple[str, str]] = []
        before, after = functions_by_symbol(self._old), functions_by_symbol(self._new)
        for name in self._new.where:
            if name not in self._old.where:
                continue
            was, now = before.get(name), after.get(name)
            if was is None or now is None:
                if now is not None and not module.fits_by_hand(name, now.type):
                    refused.append(now.name)
                    rows += [("typed", module.handles[name].prototype), ("now", declare(now.type, now.name))]
                self._findings.cannot_tell(name, "function")
                continue
            if was is now:
                continue
            from rtlinker.bind.abi import signature_changes

            changes = [change for change in signature_changes(was.type, now.type) if change.severity != "note"]
            if not changes:
                continue
            self.changed[name] = declare(was.type, was.name), declare(now.type, now.name)
            callers = self._callers(module, name, others)
            if self._allowed(name):
                continue
            if not callers and (self._called_inside(name) or self._called_by_replaced(module, name, others)):
                self._findings.notes.append(f"{now.name} has another signature now; all its callers are new, too")
                continue
            refused.append(now.name)
            rows += _signature_rows(was, now, changes, callers)
        if refused:
            raise IncompatibleSignatureError(refused, shortened(rows))

    def _callers(self, module: Module, name: str, others: Iterable[Version]) -> list[str]:
        """Who calls a function from outside of the module and stays as it is."""
        found = [f"module {other.module}" for other in others if self._uses(other, module, name)]
        handle = module.handles.get(name)
        if handle is not None and sys.getrefcount(handle) > HELD + (name in module.__dict__):
            found.append("a Python handle")
        return found

    def _uses(self, other: Version, module: Module, name: str) -> bool:
        if other.around is None or name not in {*other.around.functions, *other.around.latest}:
            return False
        return other.around.functions.get(name, module.name) == module.name

    def _called_inside(self, name: str) -> bool:
        """Whether another object of the old version refers to it: such callers are replaced together with it."""
        assert self._old is not None
        assert self._old.before is not None
        owner = self._old.where[name].object
        indexes = self._old.before.indexes
        return any(name in index.undefined for number, index in enumerate(indexes) if number != owner)

    def _called_by_replaced(self, module: Module, name: str, others: Iterable[Version]) -> bool:
        """Whether another module refers to it that is replaced in the same reload."""
        staying = {id(version) for version in others}
        return any(
            id(other.current) not in staying and self._uses(other.current, module, name)
            for other in module.domain.modules
            if other is not module
        )

    def check_removed(self, module: Module, others: list[Version]) -> None:
        """Raise RemovedError for functions that are gone while somebody refers to them."""
        if self._old is None:
            return
        rows = []
        names = []
        for name in self._old.where:
            if name in self._new.where or not self._old.visible(name) or self._allowed(name):
                continue
            if module.domain_has_other(name):
                continue
            callers = [*self._callers(module, name, others), *module.calls_of(name)]
            if callers:
                names.append(readable(name))
                rows.append((readable(name), "\n".join(f"referred to by {caller}" for caller in callers)))
        if names:
            raise RemovedError(names, shortened(rows))

    def _allowed(self, name: str) -> bool:
        return name in self._allow or (bool(self._allow) and readable(name) in self._allow)


def _signature_rows(
    was: NamedFunction, now: NamedFunction, changes: list[Change], callers: list[str]
) -> list[tuple[str, str]]:
    rows = [
        ("was", f"{declare(was.type, was.name)}   {was.file}:{was.line}"),
        ("now", f"{declare(now.type, now.name)}   {now.file}:{now.line}"),
    ]
    rows += [("change", change.text) for change in changes]
    return rows + [("called by", caller) for caller in callers]
