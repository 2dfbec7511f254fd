"""Scopes over this process: its global names, one of its libraries, and the images of a linker."""

from __future__ import annotations

from rtlinker.elf.constants import STB_WEAK, STV_HIDDEN, STV_INTERNAL
from rtlinker.facts import replace
from rtlinker.host import dynamic
from rtlinker.link.layout import DATA, segment_of
from rtlinker.link.owners import shared_names
from rtlinker.link.resolution import Common, InObject
from rtlinker.link.scope import Definition, ThreadVariable
from rtlinker.live.startup import THREAD_EXIT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rtlinker.elf.object import Group, Object
    from rtlinker.host.loaded import LoadedLibrary
    from rtlinker.host.mappings import Mapping
    from rtlinker.link.image import Image


def examine(definition: Definition, mappings: tuple[Mapping, ...] | None = None) -> Definition:
    """The definition with kind, size, writability and the providing library, as the process's own tables tell them.

    `mappings` are the process's, where they were read just now.
    """
    if definition.kind == "constant":
        return definition
    from rtlinker.host.examine import examine as examine_address
    from rtlinker.host.examine import examine_in

    place = examine_in(mappings, definition.address) if mappings else examine_address(definition.address)
    return replace(
        definition,
        kind=definition.kind or place.kind,
        size=definition.size or place.size,
        writable=place.writable,
        provider=place.library or definition.provider,  # who was asked may have found it in a library that it needs
    )


PROCESS = "this process"


def _iterate() -> int:
    """What walks along what is loaded."""
    from rtlinker.live.listed import iterate_address

    return iterate_address()


def _register_exit() -> int:
    """What counts the destructors that threads run when they end."""
    from rtlinker.live.thread_exit import register_exit_address

    return register_exit_address()


REPLACED = {"dl_iterate_phdr": _iterate, THREAD_EXIT: _register_exit, f"{THREAD_EXIT}_impl": _register_exit}
"""Functions of libc that know loaded libraries only, each with the address of what linked code gets in its place."""


def _replacement(name: str) -> Definition | None:
    """Ours, for a name of REPLACED."""
    address = REPLACED.get(name)
    return Definition(name, address(), "rtlinker", "function") if address is not None else None


class ProcessScope:
    """Every name this process has: dlsym's global scope, the program's own .symtab, libraries loaded RTLD_LOCAL.

    The second is what makes a statically linked host work, whose own functions dlsym cannot see. A scope is for one
    link: what the process has mapped is read once, and again only for an address that was not mapped then.
    """

    name = PROCESS
    _mappings: tuple[Mapping, ...] = ()

    def find(self, name: str, version: str | None = None) -> Definition | None:
        """The definition of a name; a thread-local one has no address, and only thread-local sites can use it."""
        ours = _replacement(name)
        if ours is not None:
            return ours
        address = dynamic.find_symbol(name, version)
        if address is not None:
            return self._not_thread_local(Definition(name, address, PROCESS), version)
        from rtlinker.host.executable import find_in_executable
        from rtlinker.host.loaded import find_in_library, loaded_libraries

        found = None if version else find_in_executable(name)
        if found is not None and found.binding == "local":
            found = None  # another file's static function is nobody's to refer to
        if found is None:
            for library in loaded_libraries():
                found = find_in_library(library, name, version)
                if found is not None:
                    break
        if found is None or found.type == "tls" or not found.address:
            return None
        kind = {"function": "function", "ifunc": "function", "data": "data"}.get(found.type)
        return Definition(name, found.address, found.library, kind, found.size)

    def _not_thread_local(self, found: Definition, version: str | None) -> Definition:
        """The definition, but of a thread-local name, for which dlsym gives the address of this thread's copy."""
        if dynamic.is_in_library(found.address):
            return found
        return self.find_thread_local(found.name, version) or found

    def find_thread_local(self, name: str, version: str | None = None) -> Definition | None:
        """The first loaded library, in the dynamic linker's order, that defines a thread-local variable so.

        Of several, the first that is in the global scope.
        """
        from rtlinker.host.loaded import is_global, loaded_libraries

        having = [library for library in loaded_libraries() if _thread_local(library, name, version)]
        if not having:
            return None
        chosen = having[0] if len(having) == 1 else next(filter(is_global, having), having[0])
        return _thread_local(chosen, name, version)

    def unique(self, name: str) -> Definition | None:
        """The GNU_UNIQUE definition of a loaded library, whatever the scope it was opened in; the first of several."""
        from rtlinker.host.loaded import find_in_library, loaded_libraries

        for library in loaded_libraries():
            found = find_in_library(library, name)
            if found is not None and found.binding == "unique":
                if found.type == "tls":
                    return _thread_local(library, name, None)
                return Definition(name, found.address, found.library, "data", found.size)
        return None

    def examine(self, definition: Definition) -> Definition:
        """See `examine`."""
        if not any(row.start <= definition.address < row.end for row in self._mappings):
            from rtlinker.host.mappings import read_mappings

            self._mappings = read_mappings()
        return examine(definition, self._mappings)


def _thread_local(library: LoadedLibrary, name: str, version: str | None) -> Definition | None:
    from rtlinker.host.loaded import find_in_library

    found = find_in_library(library, name, version)
    if found is None or found.type != "tls":
        return None
    place = library.tls_module, found.address
    path = "" if library.is_program else library.path
    variable = ThreadVariable(path, name, 0, (path and found.version) or "", place)
    return Definition(name, 0, library.name, "tls", found.size, variable=variable)


class LibraryScope:
    """The names of one shared library and of those it needs, in the dynamic linker's order."""

    def __init__(self, name: str, handle: int) -> None:
        self.name = name
        self.handle = handle

    def find(self, name: str, version: str | None = None) -> Definition | None:
        """What dlsym says for this library."""
        ours = _replacement(name)
        if ours is not None:
            return ours
        address = dynamic.find_symbol(name, version, self.handle)
        if address is None:
            return None
        found = Definition(name, address, self.name)
        return found if dynamic.is_in_library(address) else self.find_thread_local(name, version) or found

    def find_thread_local(self, name: str, version: str | None = None) -> Definition | None:
        """The thread-local variable of that name in this library; what it needs is asked with the process."""
        from rtlinker.host.loaded import loaded_libraries

        for library in loaded_libraries():
            if library.base == dynamic.base_of(self.handle):
                return _thread_local(library, name, version)
        return None

    def examine(self, definition: Definition) -> Definition:
        """See `examine`."""
        return examine(definition)


def _holds_state(object: Object, group: Group) -> bool:
    """Whether a COMDAT group has data that changes; virtual tables and the like are only relocated."""
    sections = object.sections
    return group.comdat and any(segment_of(sections.names[at], sections.flags[at]) == DATA for at in group.sections)


class ImageScope:
    """What an image that is live shows to later links of the same linker. `hidden` are names that were taken back.

    What C++ has one of, such as inline variables and the statics of inline functions, is shown as long as the image is
    there: an object that is loaded again shares it with its users. Inline functions are taken back with the rest.

    `used` says whether a later link asked and was answered.
    """

    def __init__(self, image: Image) -> None:
        self.image = image
        self.name = image.resolution.objects[0].name if image.resolution.objects else "an empty link"
        self.hidden: set[str] = set()
        self.used = False

    def take_back(self, left: set[str]) -> None:
        """Show only what objects of these names define, and the state that COMDAT groups of the others hold."""
        resolution = self.image.resolution
        for name, owner in resolution.owners.items():
            object = resolution.objects[owner]
            if object.name not in left:
                section = object.symbols.section(resolution.indexes[owner].defined[name])
                if not any(section in group.sections and _holds_state(object, group) for group in object.groups):
                    self.hidden.add(name)

    def find(self, name: str, version: str | None = None) -> Definition | None:
        """The image's own definition of a name that it exports."""
        full = f"{name}@{version}" if version else name
        if name in self.hidden or self.image.resolution.exported(full) is None:
            return None
        return self._definition(full)

    def find_thread_local(self, name: str, version: str | None = None) -> Definition | None:
        """The image's own definition of a thread-local name that it exports."""
        found = self.find(name, version)
        return found if found is not None and found.variable is not None else None

    def _definition(self, name: str) -> Definition | None:
        resolution = self.image.resolution
        found = resolution.find(name)
        if found is None:
            return None
        size = found.size if isinstance(found, Common) else resolution.symbol(found).size
        place, threads = self.image.thread_place_of(found), self.image.addresses.threads
        if place is not None and threads and threads.own:
            self.used = True
            variable = replace(threads.own, offset=place[1])
            return Definition(name, 0, self._place(name), "tls", size, variable=variable)
        address = self.image.addresses.of_binding(found)
        if address is None:
            return None
        self.used = True
        return Definition(name, address, self._place(name), size=size)

    def _place(self, name: str) -> str:
        owner = self.image.resolution.owners.get(name)
        return self.image.resolution.objects[owner].name if owner is not None else f"{self.name} (COMMON)"

    def exports(self, name: str) -> bool:
        """Whether the name is for everybody: not hidden, not internal, not taken back."""
        return name not in self.hidden and self.image.resolution.exported(name) is not None

    def examine(self, definition: Definition) -> Definition:
        """See `examine`."""
        return examine(definition)

    def clashes(self, names: dict[str, int]) -> list[tuple[str, str, bool]]:
        """Those of the names that the image exports, each with the object that defines it and whether weakly."""
        resolution = self.image.resolution
        found = []
        for name in shared_names(resolution.owners, names) | {name for name in resolution.commons if name in names}:
            if self.exports(name):
                where = resolution.find(name)
                weak = isinstance(where, InObject) and resolution.symbol(where).bind == STB_WEAK
                found.append((name, self._place(name), weak))
        return found

    def groups(self) -> set[str]:
        """The signatures of its COMDAT groups that stand for those of later links.

        A group with a hidden name, such as DW.ref.__gxx_personality_v0, is each link's own: nobody else can refer to
        what it defines.
        """
        found = set()
        for number, object in enumerate(self.image.resolution.objects):
            own = self._own_sections(number) | self.image.resolution.discarded[number] if object.groups else set()
            found |= {group.signature for group in object.groups if group.comdat and own.isdisjoint(group.sections)}
        return found

    def _own_sections(self, number: int) -> set[int]:
        """The sections of an object that define a name which is not for others."""
        symbols = self.image.resolution.objects[number].symbols
        return {
            symbols.section(at)
            for name, at in self.image.resolution.indexes[number].defined.items()
            if name in self.hidden or symbols.visibility(at) in {STV_HIDDEN, STV_INTERNAL}
        }

    def of_member(self, member: Object, name: str) -> Definition | None:
        """What `member` defines under a name of any visibility, when it is part of the image."""
        owner = self.image.resolution.owners.get(name)
        if owner is None or name in self.hidden or self.image.resolution.objects[owner] is not member:
            return None
        return self._definition(name)
