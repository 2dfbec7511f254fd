"""Why a reload was refused, or why code that is gone cannot be reached; what ran before still runs."""

from __future__ import annotations

from rtlinker.errors import LinkError, ReloadError, SignatureError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class IncompatibleSignatureError(ReloadError):
    """Functions whose type changed while others call them by the old one. `functions` are their names."""

    def __init__(self, functions: Sequence[str], facts: Iterable[tuple[str, str]]) -> None:
        count = len(functions)
        headline = "signature changed" if count == 1 else f"{count:,} signatures changed"
        hint = "reload its callers in the same call, or name it in allow= (old callers then keep the old function)"
        super().__init__("check", headline, facts, hint)
        self.functions = tuple(functions)


class IncompatibleLayoutError(ReloadError):
    """Variables or types whose layout changed while data of the old layout lives. `names` says which."""

    def __init__(self, names: Sequence[str], facts: Iterable[tuple[str, str]], hint: str) -> None:
        count = len(names)
        super().__init__("check", "layout changed" if count == 1 else f"{count:,} layouts changed", facts, hint)
        self.names = tuple(names)


class RemovedError(ReloadError):
    """Functions or variables that the new version lacks and that somebody still refers to. `names` says which."""

    def __init__(self, names: Sequence[str], facts: Iterable[tuple[str, str]]) -> None:
        count = len(names)
        headline = "name removed that others refer to"
        if count > 1:
            headline = f"{count:,} names removed that others refer to"
        super().__init__("check", headline, facts, "reload who refers to it in the same call, or name it in allow=")
        self.names = tuple(names)


class UnverifiedError(ReloadError):
    """A strict reload of something that debug information does not describe. `unverified` are texts."""

    def __init__(self, unverified: Sequence[str]) -> None:
        shown = "\n".join([*unverified[:8], *([f"and {len(unverified) - 8:,} more"] if len(unverified) > 8 else [])])
        super().__init__("check", "not verified", [("unverified", shown)], "compile with -g, or leave strict out")
        self.unverified = tuple(unverified)


class UnsafeRebindError(ReloadError):
    """Calls within an object that must not be redirected: its compiler knew the body of what it called."""

    def __init__(self, facts: Iterable[tuple[str, str]]) -> None:
        hint = "compile with -fPIC, or gcc's -flive-patching=inline-clone"
        super().__init__("check", "calls within an object cannot be redirected", facts, hint)


class ConstructorPolicyError(ReloadError):
    """Constructors that write variables that live on and others that do not. `constructors` are their names."""

    def __init__(self, constructors: Sequence[str], facts: Iterable[tuple[str, str]]) -> None:
        hint = 'say constructors="run" or constructors="skip"'
        super().__init__("check", "constructor writes old and new variables", facts, hint)
        self.constructors = tuple(constructors)


class StickyError(ReloadError):
    """A module that was made to stay as it is. `module` is its name."""

    def __init__(self, module: str) -> None:
        super().__init__("check", "module is sticky", [("module", module)], "module.unstick() allows reloads again")
        self.module = module


class StillInUseError(ReloadError):
    """Old versions that cannot be freed yet. `reasons` are texts: who is in which function, since when."""

    def __init__(self, module: str, reasons: Sequence[str]) -> None:
        super().__init__("purge", "old code is still in use", [("module", module), ("in use", "\n".join(reasons))])
        self.reasons = tuple(reasons)


class NotPurgedError(ReloadError):
    """Too many old versions are kept. `reasons` says why each one is."""

    def __init__(self, module: str, limit: int, reasons: Sequence[str]) -> None:
        facts = [("module", module), ("kept", f"{limit:,} versions"), ("because", "\n".join(reasons[:8]))]
        super().__init__("check", "too many old versions are kept", facts, "purge() says who holds them")
        self.reasons = tuple(reasons)


class SymbolRemovedError(LinkError):
    """A function that the newest version does not have was called or looked up; the old one is never run instead."""

    def __init__(self, module: str, name: str, removed: int, last: int) -> None:
        facts = [
            ("module", module),
            ("symbol", name),
            ("removed", f"in version {removed}"),
            ("last", f"version {last}"),
        ]
        super().__init__("function was removed by a reload", facts)
        self.module, self.name, self.removed, self.last = module, name, removed, last


class StaleSignatureError(SignatureError):
    """A handle of a function whose signature a reload changed; ask the module for it again."""

    def __init__(self, name: str, old: str, new: str) -> None:
        super().__init__("signature was changed by a reload", old, f"it is now {new}; ask the module for it again")
        self.name = name


class ClosedModuleError(LinkError):
    """A handle of a module that was closed."""

    def __init__(self, module: str, name: str) -> None:
        super().__init__("module was closed", [("module", module), ("symbol", name)], "load it again")
        self.module, self.name = module, name
