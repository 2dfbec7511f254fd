"""The library that `load` gives back: names to typed functions and data."""

from __future__ import annotations

import os

from rtlinker.elf.constants import STT_FUNC, STT_GNU_IFUNC, STT_NOTYPE
from rtlinker.errors import LinkError, UndefinedSymbol, UndefinedSymbolsError
from rtlinker.link.resolution import Common, InObject
from rtlinker.live.collect import LOCK
from rtlinker.live.found import Found, Named, room
from rtlinker.live.linker import leave

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from types import TracebackType
    from typing import Any

    from rtlinker.bind.call import Data, Function
    from rtlinker.bind.ctype import CType, FunctionType
    from rtlinker.dwarf.reader import Declarations
    from rtlinker.elf.object import Object
    from rtlinker.live.install import LiveImage
    from rtlinker.live.linker import LinkerCore


class Library(Named):
    """What `load` gives back: functions and data of the loaded objects, by name.

    `library.add(2, 3)` calls a function with the types that its debug information tells; `library["counter"].value`
    reads and writes data; `dir(library)` lists what there is; `unload()` gives everything back, after which functions
    and data raise LinkError instead of reaching into memory that is gone.
    """

    def __init__(self, linker: LinkerCore, name: str) -> None:
        self._linker = linker
        self._name = name
        self._bound: dict[str, tuple[Found, Function | Data]] = {}
        self._declarations: dict[str, Declarations] = {}

    @property
    def linker(self) -> LinkerCore:
        """The linker behind the library."""
        return self._linker

    @property
    def closed(self) -> bool:
        """Whether the library was unloaded."""
        return self._linker.closed

    @property
    def kept(self) -> dict[object, object]:
        """What must live as long as the library: callbacks that C code may still call."""
        return self._linker.kept

    @property
    def pinned(self) -> tuple[str, ...]:
        """Why memory of the library is still there after `unload`, a text for each reason; else empty."""
        return self._linker.pinned

    @property
    def notes(self) -> tuple[str, ...]:
        """What the link wants its user to know, such as data that is read through a copy."""
        return tuple(self._linker.notes)

    def __getitem__(self, name: str) -> Any:
        """The function or datum of that name; raises UndefinedSymbolsError when there is none."""
        found, bound = self._bound.get(name, (None, None))
        if found is None or not found.stands:
            found = self.find(name)
            bound = self._function(found, None) if found.kind == "function" else self._data(found)
            self._bound[name] = found, bound
        return bound

    def __contains__(self, name: str) -> bool:
        try:
            self.find(name)
        except LinkError:
            return False
        return True

    def function(self, name: str, prototype: str | None = None) -> Function:
        """The function of that name, typed by `prototype` (`"int(int, const char *)"`), else by debug information.

        Static functions are found too; `file.o:name` chooses among several. Raises UndefinedSymbolsError when there
        is none, SignatureError for a prototype that is not C.
        """
        return self._function(self.find(name), prototype)

    def address(self, name: str) -> int:
        """The absolute address of a name of the library, valid until `unload`.

        Of a thread-local variable it is that of the calling thread's copy, valid as long as the thread lives.
        """
        return self.find(name).address

    def declaration(self, found: Found) -> FunctionType | CType | None:
        """The C type of what was found, as the debug information of its object tells it; None where it does not."""
        if found.object is None:
            return None
        declarations = self._declarations.get(found.object.name)
        if declarations is None:
            from rtlinker.dwarf.reader import read_declarations

            declarations = read_declarations(found.object.data, found.object.name)
            self._declarations[found.object.name] = declarations
            self._linker.notes += declarations.notes
        name = found.name.partition("@")[0]
        return declarations.function(name) if found.kind == "function" else declarations.variable(name)

    def _function(self, found: Found, prototype: str | None) -> Function:
        from rtlinker.bind.call import Function
        from rtlinker.bind.ctype import UNTYPED, FunctionType

        if prototype is not None:
            from rtlinker.bind.prototype import parse_prototype

            kind = parse_prototype(prototype)
        else:
            declared = self.declaration(found)
            kind = declared if isinstance(declared, FunctionType) else UNTYPED
        return Function(found.address, kind, found.name, found.live)

    def _data(self, found: Found) -> Data:
        from rtlinker.bind.call import Data
        from rtlinker.bind.ctype import UNSIGNED_CHAR, Array

        declared = self.declaration(found)
        return Data(found.place, declared or Array(UNSIGNED_CHAR, found.size), found.name, found.live)

    def find(self, name: str) -> Found:
        """Where a name is: of any visibility, static ones included, or of an archive's member, which is then linked.

        Raises UndefinedSymbolsError when there is none, LinkError when several static ones have the name. Does not
        wait for what other threads load, but for constructors of the image that has the name.
        """
        found = self._settled(name)
        if found is not None:
            return found
        with LOCK:
            if self.closed:
                raise LinkError("library was unloaded", [("symbol", name)], "load it again")
            found = self._global(name) or self._local(name)
            if found is None and self._linker.offered(name):
                self._linker.resolve((name,))
                found = self._global(name)
            mangled = None if found is not None else self._mangled(name)
        if mangled is not None:
            return self.find(mangled)
        if found is None:
            raise UndefinedSymbolsError([UndefinedSymbol(name, (), self._suggestion(name))], self._name)
        return found

    def _mangled(self, name: str) -> str | None:
        """The symbol whose C++ name is `name`, with or without parameters. Raises LinkError when there are several.

        A static one's, or one in an unnamed namespace, has the file before it where `name` has.
        """
        from rtlinker.live.mangled import file_and_name, symbol_called

        found = symbol_called(name, [*self.names(), *self.offers()])
        if found is not None:
            return found
        file, base = file_and_name(name)
        static = symbol_called(base, {name for live in self._linker.images for name in _cxx_statics(live)})
        return f"{file}:{static}" if file and static else static

    def _settled(self, name: str) -> Found | None:
        """What `find` gives, where that needs no lock, since the image's constructors have run; else None."""
        found = self._global(name)
        if found is None and all(live.ready for live in list(self._linker.images)):
            found = self._local(name)
        return found if found is not None and found.live.ready else None

    def _global(self, name: str) -> Found | None:
        for live in list(self._linker.images):
            where = live.image.resolution.find(name)
            if where is not None and name not in live.scope.hidden:
                return self._found(name, live, where)
        return None

    def _local(self, name: str) -> Found | None:
        before, _, base = name.rpartition(":")
        name, file = (base, before) if before else (name, None)
        places = [
            (live, where)
            for live in list(self._linker.images)
            for where in live.image.resolution.locals_named(name, file)
            if live.image.resolution.objects[where.object].name in live.wanted
        ]
        if len(places) > 1:
            objects = [live.image.resolution.objects[where.object].name for live, where in places]
            short = [os.path.basename(object) for object in objects]  # noqa: PTH119
            shown = short if len(set(short)) == len(short) else objects
            choices = "\n".join(f"{object}:{name}" for object in shown)
            raise LinkError("several static symbols have this name", [("symbol", name), ("choose", choices)])
        return self._found(name, *places[0]) if places else None

    def _found(self, name: str, live: LiveImage, where: InObject | Common) -> Found | None:
        image = live.image
        if live.address_of(where) is None:
            return None
        if isinstance(where, Common):
            return Found(name, "data", where, where.size, self._declaring(image.resolution.objects, name), live)
        object = image.resolution.objects[where.object]
        symbol = image.resolution.symbol(where)
        function = symbol.type in {STT_FUNC, STT_GNU_IFUNC}
        if symbol.type == STT_NOTYPE and symbol.section > 0:
            function = "x" in object.sections.letters(symbol.section)
        size = symbol.size or (0 if function else room(object, symbol))
        return Found(name, "function" if function else "data", where, size, object, live)

    @staticmethod
    def _declaring(objects: Sequence[Object], name: str) -> Object | None:
        encoded = name.encode("utf-8", "surrogateescape")
        return next((object for object in objects if encoded in object.symbols.strings), None)

    def names(self) -> list[str]:
        """Every name the linked objects define for others, sorted."""
        found: set[str] = set()
        for live in self._linker.images:
            found |= (live.image.resolution.owners.keys() | live.image.resolution.commons.keys()) - live.scope.hidden
        return sorted(found)

    def offers(self) -> list[str]:
        """Every name that archives of the library have, linked or not, sorted."""
        return self._linker.offers()

    def _suggestion(self, name: str) -> str | None:
        from difflib import get_close_matches

        close = get_close_matches(name, [*self.names(), *self.offers()], 3)
        return f"did you mean {' or '.join(close)}?" if close else None

    def __dir__(self) -> Iterable[str]:
        names = [name for name in {*self.names(), *self.offers()} if name.isidentifier()]
        return sorted({*super().__dir__(), *names})

    def __repr__(self) -> str:
        if self.closed:
            return f"<rtlinker.Library {self._name}, unloaded>"
        spans = [f"{live.image.address:#x}" for live in self._linker.images]
        return f"<rtlinker.Library {self._name} at {', '.join(spans) or 'no address yet'}>"

    def unload(self) -> None:
        """Run destructors, give the memory back and forget every name; a second call does nothing.

        Raises LinkError while a call of one of its functions runs; nothing has changed then. What a destructor raised,
        and a CrashError for one that died, is raised when all else is done.
        """
        try:
            self._linker.close()
        finally:
            if self.closed:
                self._bound.clear()

    def __enter__(self) -> Library:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Unload; an exception on its way out goes on, with a note if unloading is refused."""
        leave(self.unload, error)


def _cxx_statics(live: LiveImage) -> Iterable[str]:
    """The mangled names among an image's local symbols."""
    for object in live.image.resolution.objects:
        if b"\0_Z" in object.symbols.strings:
            names = map(object.symbols.name, range(1, object.symbols.first_global))
            yield from [name for name in names if name.startswith("_Z")]
