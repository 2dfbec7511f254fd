"""What a reload did, or would do: the facts, and the text that people read."""

from __future__ import annotations

from rtlinker.facts import Fact, derived
from rtlinker.host.demangle import readable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rtlinker.elf.object import Object
    from rtlinker.hot.version import Version
    from rtlinker.link.resolution import InObject, Resolution


def _changes(report: Report) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    new, old = report.versions
    if old is None or report.unchanged:
        return (), (), ()
    added = [name for name in new.where if name not in old.where]
    removed = [name for name in old.where if name not in new.where]
    changed = [name for name in new.where if name in old.where and _differs(new, old, name)]
    return tuple(sorted(changed)), tuple(sorted(added)), tuple(sorted(removed))


class Report(Fact):
    """The outcome of a reload for one module.

    `version` is the number of the version that is current afterwards; `unchanged` says that the files held what runs
    already. `kept` are variables that live on, `fresh` those that begin, `dropped` those that are gone, each with what
    is known of its value. `in_flight` says who is still in old code, `unverified` what nothing could check, `notes`
    the rest. `seconds` are how long the steps took, by their names. Names are as people read them.
    """

    module: str
    version: int
    unchanged: bool
    kept: tuple[str, ...]
    fresh: tuple[str, ...]
    dropped: tuple[str, ...]
    in_flight: tuple[str, ...]
    unverified: tuple[str, ...]
    notes: tuple[str, ...]
    seconds: dict[str, float]
    versions: tuple[Version, Version | None]

    functions = derived(_changes)

    @property
    def changed(self) -> tuple[str, ...]:
        """Functions whose code is not what it was, sorted."""
        return tuple(map(readable, self.functions[0]))

    @property
    def added(self) -> tuple[str, ...]:
        """Functions that the version before did not have, sorted."""
        return tuple(map(readable, self.functions[1]))

    @property
    def removed(self) -> tuple[str, ...]:
        """Functions that only the version before has, sorted."""
        return tuple(map(readable, self.functions[2]))

    def __str__(self) -> str:
        if self.unchanged:
            return f"{self.module}: unchanged, version {self.version}"
        rows = [
            ("changed", self.changed),
            ("added", self.added),
            ("removed", self.removed),
            ("kept", self.kept),
            ("fresh", self.fresh),
            ("dropped", self.dropped),
            ("in flight", self.in_flight),
            ("unverified", self.unverified),
            ("note", self.notes),
        ]
        total = sum(self.seconds.values())
        lines = [f"{self.module}: version {self.version}, in {total * 1000:.1f} ms"]
        for title, texts in rows:
            if texts:
                separator = ", " if title in {"changed", "added", "removed", "kept", "fresh"} else "\n" + " " * 13
                lines.append(f"  {title:<10} {separator.join(texts)}")
        return "\n".join(lines)


def _differs(new: Version, old: Version, name: str) -> bool:
    """Whether a function's bytes, or what they refer to, are not the same."""
    assert new.before is not None
    assert old.before is not None
    return _content(new.before, new.where[name]) != _content(old.before, old.where[name])


def _content(resolution: Resolution, where: InObject) -> tuple[bytes, list[tuple[int, int, str, int]]]:
    from struct import iter_unpack

    object: Object = resolution.objects[where.object]
    symbol = object.symbols.symbol(where.symbol)
    start, end = symbol.value, symbol.value + symbol.size
    references = []
    for table in object.relocations:
        if table.section == symbol.section:
            for offset, info, addend in iter_unpack("<QQq", table.table):
                if start <= offset < end:
                    references.append((offset - start, info & 0xFFFFFFFF, object.symbol_title(info >> 32), addend))
    return bytes(object.content(symbol.section)[start:end]), references
