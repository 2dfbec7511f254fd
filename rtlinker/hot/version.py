"""One version of a module: what it defines, where that is, and what of it must stay."""

from __future__ import annotations

from time import monotonic

from rtlinker.elf.constants import SHF_EXECINSTR, STB_WEAK, STV_HIDDEN, STV_INTERNAL
from rtlinker.facts import Fact, replace
from rtlinker.hot.carry import PROVIDER, Carry, Placed, literal_sections
from rtlinker.hot.linking import VersionLinker
from rtlinker.link.resolution import InObject
from rtlinker.link.scope import Definition

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from rtlinker.bind.ctype import CType
    from rtlinker.dwarf.program import NamedFunction, Program
    from rtlinker.elf.object import Object
    from rtlinker.hot.scope import Neighbourhood
    from rtlinker.hot.variables import Key, Variable
    from rtlinker.link.image import Image
    from rtlinker.link.resolution import Resolution
    from rtlinker.live.startup import Startup


SWITCHING = frozenset(("swapcontext", "setcontext", "_setjmp", "setjmp", "__sigsetjmp", "sigsetjmp"))
"""What keeps places in code where they are mangled, or in stacks that no thread is on."""

_MACHINERY = (
    ".eh_frame", ".gcc_except_table", ".init_array", ".fini_array", ".preinit_array", ".ctors", ".dtors", ".note",
)  # fmt: skip


class VersionState(Fact):
    """A version as `module.versions()` tells it.

    `state` is `current`, `old` (kept for a rollback), `retained` (old, and `reasons` say what still needs it) or
    `freed`. `path` is the first file of it; `seconds` how long ago it became current.
    """

    number: int
    state: str
    reasons: tuple[str, ...]
    path: str
    seconds: float


class Version:
    """A version that is linked, or about to be.

    `functions` are the addresses of its code by name, `exported` the names among them that other modules see;
    `placed` are its variables, those of earlier versions included. `retired` is the epoch that began when it was
    replaced, None while it is current. `content` identifies the files that it was made of.
    """

    def __init__(self, module: str, number: int, linker: VersionLinker, content: bytes, path: str) -> None:
        self.module = module
        self.number = number
        self.linker = linker
        self.content = content
        self.path = path
        self.before: Resolution | None = None
        self.where: dict[str, InObject] = {}
        self.functions: dict[str, int] = {}
        self.placed: dict[Key, Placed] = {}
        self.carried: Carry | None = None
        self.programs: dict[int, Program] = {}
        self.sources: dict[int, bytes] = {}
        self.units: dict[str, str] = {}
        self.around: Neighbourhood | None = None
        self.literals: dict[tuple[bytes, int], tuple[int, int]] = {}
        self.startup: Startup | None = None
        self.retired: int | None = None
        self.since = monotonic()
        self.text_freed = False
        self.body_freed = False
        self.reasons: tuple[str, ...] = ()
        self.described: dict[str, NamedFunction] | None = None
        self.records: dict[str, CType] | None = None
        self._escapes: frozenset[int] | None = None
        self._tables: tuple[tuple[int, int], ...] | None = None
        self._visible: dict[str, bool] = {}
        self._waiting: dict[str, tuple[str, str | None]] | None = None
        self.entries_used: dict[str, int] = {}
        self.renewed: dict[int, str] = {}

    @property
    def image(self) -> Image:
        """The image of a version that is linked."""
        assert self.linker.live is not None
        return self.linker.live.image

    @property
    def span(self) -> tuple[int, int]:
        """Where its image starts and ends, absolute."""
        return self.image.address, self.image.address + self.image.layout.size

    @property
    def text(self) -> tuple[int, int]:
        """Where its code starts and ends, absolute."""
        code = self.image.layout.segments[0]
        return self.image.address + code.offset, self.image.address + code.offset + code.size

    @property
    def body_span(self) -> tuple[int, int]:
        """Where its constants and variables start and end, absolute."""
        return self.text[1], self.span[1]

    @property
    def escapes(self) -> frozenset[int]:
        """Where functions local to their objects are that memory may point to, in bytes from the start of `text`."""
        if self._escapes is None:
            from rtlinker.hot.escapes import escaping

            self._escapes = escaping(self)
        return self._escapes

    @property
    def tables(self) -> tuple[tuple[int, int], ...]:
        """Where constants are that may hold addresses of those, start and end, in bytes from the start of `text`."""
        if self._tables is None:
            from rtlinker.hot.escapes import tables

            self._tables = tables(self)
        return self._tables

    @property
    def switches(self) -> bool:
        """Whether its code may wait on stacks that no thread is on."""
        return any(not index.undefined.keys().isdisjoint(SWITCHING) for index in self.image.resolution.indexes)

    @property
    def bodies(self) -> frozenset[int]:
        """The versions whose bodies it uses, but for its own."""
        return self.carried.bodies if self.carried is not None else frozenset()

    @property
    def bare(self) -> bool:
        """Whether its body holds nothing that memory could point to: no variables, no constants of its own."""
        assert self.carried is not None
        if self.carried.fresh:
            return False
        resolution, layout = self.image.resolution, self.image.layout
        return not any(
            layout.sections[number][section] >= 0 and not _is_code_only(object, section)
            for number, object in enumerate(resolution.objects)
            for section in object.sections.allocated
            if object.sections.sizes[section]
        )

    # what neighbours see: before it is linked, its objects tell; afterwards its resolution does

    @property
    def name(self) -> str:
        """The module's name."""
        return self.module

    def exports_function(self, name: str) -> bool:
        """Whether other modules can call a function of that name."""
        if self.before is None:
            return self._waiting_names().get(name, ("", None))[0] == "function"
        return name in self.where and self.visible(name)

    def exported_datum(self, name: str) -> Definition | None:
        """Where the variable or constant of that name is that other modules can use."""
        if self.before is None or self.linker.live is None or not self.visible(name) or name in self.where:
            return None
        placed = self.placed.get(("", name))
        if placed is not None:
            return placed.definition
        found = self.before.find(name)
        if isinstance(found, InObject):
            carried = self.carried.symbols.get((found.object, found.symbol)) if self.carried else None
            address = self.image.addresses.of_place(found)
            size = self.before.symbol(found).size
            return carried or (Definition(name, address, self.module, "data", size) if address is not None else None)
        return None

    def strong_place(self, name: str) -> str | None:
        """The object that defines the name for everybody, not weakly."""
        if self.before is None:
            return self._waiting_names().get(name, ("", None))[1]
        found = self.before.exported(name)
        if not isinstance(found, InObject) or self.before.symbol(found).bind == STB_WEAK:
            return None
        return self.before.objects[found.object].name

    def visible(self, name: str) -> bool:
        """Whether a name is for other modules, too."""
        if self.before is None:
            return False
        found = self._visible.get(name)
        if found is None:
            found = self._visible[name] = self.before.exported(name) is not None
        return found

    def _waiting_names(self) -> dict[str, tuple[str, str | None]]:
        """What the objects that wait define for others: `function` or `data`, and the object that does not weakly."""
        if self._waiting is None:
            self._waiting = {}
            for object in self.linker.waiting:
                for name, kind, weak in _shown(object):
                    known, owner = self._waiting.get(name, (kind, None))
                    self._waiting[name] = min(kind, known), owner or (None if weak else object.name)
        return self._waiting

    # after the link

    def resolved(self, found: Resolution) -> None:
        """Note how its names were resolved."""
        self.before = found
        self._visible = {}

    def settle(self) -> None:
        """Note where everything is, now that the image has an address."""
        image, resolution = self.image, self.image.resolution
        for name, where in self.where.items():
            self.functions[name] = image.addresses.of_place(where) or 0
        assert self.carried is not None
        self.placed = {new.key: Placed(new, old.definition, old.body) for new, old in self.carried.kept}
        for variable in self.carried.fresh:
            self.placed[variable.key] = Placed(variable, self._definition(variable), self.number)
        for (number, section), content in literal_sections(resolution).items():
            address = image.addresses.of_section(number, section)
            if address is not None and (number, section) not in self.carried.sections:
                self.literals.setdefault(content, (address, self.number))

    def _definition(self, variable: Variable) -> Definition:
        """Where a variable of this version's own body is."""
        image = self.image
        found = InObject(variable.object, variable.symbols[0]) if variable.symbols else None
        where = found or image.resolution.commons[variable.name]
        place, threads = image.thread_place_of(where), image.addresses.threads
        if place is not None and threads and threads.own:
            own = replace(threads.own, offset=place[1])
            return Definition(variable.symbol, 0, PROVIDER, "tls", variable.size, variable=own)
        address = image.addresses.of_binding(where) or 0
        return Definition(variable.symbol, address, PROVIDER, "data", variable.size)

    def state(self, current: Version) -> VersionState:
        """What `module.versions()` tells."""
        kind = "freed" if self.text_freed else "old"
        if self is current:
            kind = "current"
        elif self.reasons and not self.text_freed:
            kind = "retained"
        return VersionState(self.number, kind, self.reasons, self.path, monotonic() - self.since)


def _is_code_only(object: Object, section: int) -> bool:
    """Code, and what only the unwinder and the loader read."""
    name, flags = object.sections.names[section], object.sections.flags[section]
    return bool(flags & SHF_EXECINSTR) or name.startswith(_MACHINERY)


def _shown(object: Object) -> Iterator[tuple[str, str, bool]]:
    """What an object shows to others: the name, `function` or `data`, and whether it is weak."""
    symbols, flags = object.symbols, object.sections.flags
    for at in range(symbols.first_global, len(symbols)):
        section = symbols.sections[at]
        if section and symbols.visibility(at) not in {STV_HIDDEN, STV_INTERNAL}:
            kind = "function" if section > 0 and flags[section] & SHF_EXECINSTR else "data"
            yield symbols.name(at), kind, symbols.bind(at) == STB_WEAK or section < 0
