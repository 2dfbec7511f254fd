"""Every error rtlinker raises on purpose, each carrying its facts as attributes.

The text of an error is a first line of at most 72 characters, then aligned facts, then a hint where the remedy is
known. Tests assert the attributes; programs read them; people read `str(error)`.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

SHOWN = 10
"""How many items of a long list an error text shows before it only counts the rest."""


class LinkError(Exception):
    """Base of all errors of reading, resolving, placing, relocating and calling.

    `headline` is the first line, `facts` the (label, text) pairs below it, `hint` the remedy or None.
    """

    def __init__(self, headline: str, facts: Iterable[tuple[str, str]] = (), hint: str | None = None) -> None:
        super().__init__(headline)
        self.headline = headline
        self.facts = tuple(facts)
        self.hint = hint

    def __reduce__(self) -> tuple[object, ...]:
        return _remake, (type(self), self.args), self.__dict__

    def __str__(self) -> str:
        rows = [*self.facts, *((("hint", self.hint),) if self.hint else ())]
        width = max((len(label) for label, _ in rows), default=0)
        lines = [self.headline]
        for label, text in rows:
            first, *rest = text.split("\n")
            lines.append(f"  {label.ljust(width)}  {first}".rstrip())
            lines += [f"  {' ' * width}  {line}" for line in rest]
        return "\n".join(lines)


def _remake(kind: type[LinkError], args: tuple[object, ...]) -> LinkError:
    """An error as it came out of pickle, before its attributes are put back; its __init__ wants other arguments."""
    error = kind.__new__(kind)
    error.args = args
    return error


class BadObjectError(LinkError):
    """The file is not what it claims to be: broken, truncated, or of another kind.

    `file` names it (`libz.a(crc32.o)` for a member), `found` says what was there, `where` at which place.
    """

    def __init__(self, file: str, headline: str, found: str = "", where: str = "", hint: str | None = None) -> None:
        facts = [("file", file), ("found", found), ("where", where)]
        super().__init__(headline, [fact for fact in facts if fact[1]], hint)
        self.file = file
        self.found = found
        self.where = where


class UnsupportedError(LinkError):
    """The input is valid, and this version cannot do what it asks for. `feature` names that."""

    def __init__(
        self, feature: str, headline: str, facts: Iterable[tuple[str, str]] = (), hint: str | None = None
    ) -> None:
        super().__init__(headline, facts, hint)
        self.feature = feature


class UndefinedSymbol:
    """One name nobody defines: `name`, `referrers` (texts such as `a.o:(.text+0x1a) in draw`), `hint` or None.

    `name` is the symbol; `readable` makes of it what people write, or None, when somebody reads the text.
    """

    __slots__ = ("hint", "name", "readable", "referrers")

    def __init__(self, name: str, referrers: Sequence[str], hint: str | None = None) -> None:
        self.name = name
        self.referrers = tuple(referrers)
        self.hint = hint
        self.readable: Callable[[str], str | None] | None = None

    def __repr__(self) -> str:
        return f"UndefinedSymbol({self.name!r}, {self.referrers!r}, {self.hint!r})"

    def __str__(self) -> str:
        full = self.readable(self.name) if self.readable else None
        lines = [f"{full}  ({self.name})" if full else self.name]
        lines += [f"  referred to by {self._with_cxx_name(referrer)}" for referrer in self.referrers[:3]]
        if len(self.referrers) > 3:
            lines.append(f"  and {len(self.referrers) - 3:,} more places")
        if self.hint:
            lines.append(f"  {self.hint}")
        return "\n".join(lines)

    def _with_cxx_name(self, referrer: str) -> str:
        place, within, function = referrer.rpartition(") in ")
        return place + within + ((self.readable and within and self.readable(function)) or function)


class UndefinedSymbolsError(LinkError):
    """Names that neither the link nor the process defines. `symbols` holds all of them, as UndefinedSymbol.

    `library` is set when somebody asked a loaded library for a name that it does not have.
    """

    def __init__(self, symbols: Sequence[UndefinedSymbol], library: str | None = None) -> None:
        count = len(symbols)
        headline = "undefined symbol" if count == 1 else f"{count:,} undefined symbols"
        if library is not None:
            headline = "no such symbol"
        self.symbols = tuple(symbols)
        self.library = library
        super().__init__(headline, self._rows())

    def __str__(self) -> str:
        self.facts = self._rows()  # what has been learnt of the symbols since
        return super().__str__()

    def _rows(self) -> tuple[tuple[str, str], ...]:
        rows = [("symbol", str(symbol)) for symbol in self.symbols[:SHOWN]]
        if len(self.symbols) > SHOWN:
            rows.append(("", f"and {len(self.symbols) - SHOWN:,} more"))
        if self.library is not None:
            rows.append(("library", self.library))
        return tuple(rows)


class DuplicateSymbolError(LinkError):
    """Strong definitions of one name in two places. `duplicates` holds (name, first place, second place)."""

    def __init__(self, duplicates: Sequence[tuple[str, str, str]]) -> None:
        count = len(duplicates)
        facts = []
        for name, first, second in duplicates[:SHOWN]:
            facts += [("symbol", name), ("first", first), ("second", second)]
        if count > SHOWN:
            facts.append(("", f"and {count - SHOWN:,} more"))
        super().__init__("duplicate symbol" if count == 1 else f"{count:,} duplicate symbols", facts)
        self.duplicates = tuple(duplicates)
        self.name, self.first, self.second = duplicates[0]


class RelocationError(LinkError):
    """A relocation that cannot be applied. `site` is the place, `rule` the psABI rule's name, `target` the symbol."""

    def __init__(
        self,
        headline: str,
        site: str,
        rule: str,
        target: str = "",
        facts: Iterable[tuple[str, str]] = (),
        hint: str | None = None,
    ) -> None:
        rows = [("site", site), ("rule", rule), ("target", target), *facts]
        super().__init__(headline, [row for row in rows if row[1]], hint)
        self.site = site
        self.rule = rule
        self.target = target


class RelocationOverflowError(RelocationError):
    """The value does not fit the field. The first site is shown; `count` says how many there are."""

    def __init__(
        self,
        site: str,
        rule: str,
        target: str,
        value: int,
        count: int = 1,
        hint: str | None = None,
    ) -> None:
        facts = [("value", hex(value))]
        if count > 1:
            facts.append(("also", f"{count - 1:,} more like it"))
        super().__init__("relocation out of reach", site, rule, target, facts, hint)
        self.value = value
        self.count = count


class ThreadStorageError(LinkError):
    """The process has no room for thread-local variables. `size` and `align` are those of the block, in bytes.

    `static` says whether code needs the block at a fixed distance from the thread pointer, for which room is scarce.
    """

    def __init__(
        self, size: int, align: int, static: bool, facts: Iterable[tuple[str, str]] = (), hint: str | None = None
    ) -> None:
        rows = [*([("needed", f"{size:,} bytes, aligned to {align:,}")] if size else []), *facts]
        super().__init__("no room for thread-local variables", rows, hint)
        self.size = size
        self.align = align
        self.static = static


class SignatureError(LinkError, TypeError):
    """The arguments or the prototype do not fit the function. `prototype` is the C declaration."""

    def __init__(self, headline: str, prototype: str = "", hint: str | None = None) -> None:
        super().__init__(headline, [("prototype", prototype)] if prototype else (), hint)
        self.prototype = prototype


class ReloadError(LinkError):
    """A reload that was refused; the version that ran before still runs. `stage` says which step refused."""

    def __init__(
        self, stage: str, headline: str, facts: Iterable[tuple[str, str]] = (), hint: str | None = None
    ) -> None:
        super().__init__(headline, facts, hint)
        self.stage = stage


class ForeignExceptionError(LinkError):
    """An exception of another language left a native function; it has been freed, and this stands for it.

    `language` is C++, Rust, D, Ada, Haskell or `unknown`; `type` the C++ type as people write it, or empty; `what` the
    text of std::exception::what() or of displayException, or a thrown number or string as text, or empty; `function`
    the function that was called.
    """

    def __init__(self, language: str, type: str = "", what: str = "", function: str = "") -> None:
        whole = f"{'foreign' if language == 'unknown' else language} exception{' ' * bool(type)}{type}"
        whole += f": {what}" if what else ""
        headline = whole.partition("\n")[0]
        if len(headline) > 72:
            headline = headline[:69].rstrip() + "..."
        facts = [] if whole == headline else [("type", type), ("what", what)]
        super().__init__(headline, [fact for fact in [*facts, ("function", function)] if fact[1]])
        self.language = language
        self.type = type
        self.what = what
        self.function = function


class CrashError(LinkError):
    """The called code died. `signal` is the number, `address` the faulting instruction (absolute) or None."""

    def __init__(
        self, signal: int, headline: str, facts: Iterable[tuple[str, str]] = (), address: int | None = None
    ) -> None:
        super().__init__(headline, facts)
        self.signal = signal
        self.address = address
