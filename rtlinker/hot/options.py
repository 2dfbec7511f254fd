"""What a caller of a reload may ask for, and what a module is loaded with."""

from __future__ import annotations

from rtlinker.facts import Fact

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class Options(Fact):
    """How one reload is to be done.

    `allow` are functions whose signature may change or that may go although others refer to them; `migrate` gives
    variables a function that makes their new value from the old one; `reset` are variables that begin anew;
    `assume_no_live` are structs of which no object of the old layout is left. `strict` refuses what cannot be
    verified. `constructors` is `auto`, `run` or `skip`. `timeout` is how many seconds a migration waits for calls.
    `forced` reloads unchanged files.
    """

    allow: frozenset[str] = frozenset()
    migrate: Mapping[str, Callable[..., object]] = {}
    reset: frozenset[str] = frozenset()
    assume_no_live: frozenset[str] = frozenset()
    strict: bool = False
    constructors: str = "auto"
    timeout: float = 10.0
    forced: bool = False


class Settings(Fact):
    """What a module is made of, beside its files.

    `symbols` are names that its objects refer to, `self_calls` is `version` or `latest`, `keep` is how many old
    versions stay for a rollback, `max_retained` how many may be kept because they are in use.
    """

    libraries: tuple[str, ...] = ()
    symbols: Mapping[str, object] = {}
    directories: tuple[str, ...] = ()
    whole_archives: tuple[object, ...] = ()
    self_calls: str = "version"
    keep: int = 1
    max_retained: int = 100


def options(**given: object) -> Options:
    """Options from keywords, each checked. Raises TypeError for what is not one."""
    sets = {"allow", "reset", "assume_no_live"}
    made: dict[str, object] = {}
    for name, value in given.items():
        if name not in Options._fields:
            raise TypeError(f"reload has no option {name!r}; there are {', '.join(Options._fields)}")
        if name in sets:
            if isinstance(value, (str, bytes)):
                raise TypeError(f"{name} must be several names, not the text {value!r}: {name}=[{value!r}]")
            made[name] = frozenset(value)  # type: ignore[call-overload]
        else:
            made[name] = value
    if made.get("constructors", "auto") not in {"auto", "run", "skip"}:
        raise TypeError(f"constructors must be 'auto', 'run' or 'skip', not {made['constructors']!r}")
    return Options(**made)  # type: ignore[arg-type]  # whose fields they are was checked
