"""What `rtlinker watch` holds: a hot module of C and its kin, or a Haskell module, behind one face."""

from __future__ import annotations

import sys
import time

from rtlinker.bind.call import Function
from rtlinker.cli.call import converted, flush_c, print_result
from rtlinker.cli.load import is_haskell
from rtlinker.cli.watch import paths_of
from rtlinker.errors import LinkError, SignatureError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any, Protocol

    from rtlinker.bind.call import Data
    from rtlinker.cli.command import Words
    from rtlinker.cli.holder import Symbol
    from rtlinker.link.image import Image

    class Held(Protocol):
        """A module that can be called and reloaded."""

        @property
        def paths(self) -> tuple[str, ...]:
            """The files whose changes count."""

        @property
        def version(self) -> int:
            """The version that is current; the first is 1."""

        def call(self) -> str:
            """Call the symbol and print what it returns; what there is to say of it beside that."""

        def reload(self) -> dict[str, Any]:
            """Take what the files hold now; what has changed, as `told` has it."""

        def notes(self) -> Sequence[str]:
            """What the link wants its user to know."""

        def names(self) -> list[Symbol]:
            """The symbols of the linked images, for crash reports."""

        def close(self) -> None:
            """Run destructors."""


NAMES = 12
"""How many names of a list are told before the rest is only counted."""

LISTS = ("changed", "added", "removed", "kept", "fresh")
TEXTS = ("dropped", "in_flight", "unverified", "notes")


def told(report: Any) -> dict[str, Any]:
    """What a report of `rtlinker.hot` says, as short texts: a message that is sent in one piece."""
    numbers = {name: getattr(report, name) for name in ("version", "unchanged", "seconds")}
    lists = {name: some(getattr(report, name)) for name in LISTS}
    return numbers | lists | {name: some(getattr(report, name), "\n") for name in TEXTS}


def some(texts: Sequence[str], between: str = ", ") -> str:
    """The first of many texts, and how many more there are."""
    rest = len(texts) - NAMES
    return between.join([*texts[:NAMES], *([f"and {rest:,} more"] if rest > 0 else [])])


def open_held(words: Words) -> Held:
    """Link FILE and what goes with it. Raises the errors of loading."""
    return HeldHaskell(words) if is_haskell(words.one("FILE")) else HeldModule(words)


class HeldModule:
    """A hot module: functions in their newest version, variables that live on."""

    def __init__(self, words: Words) -> None:
        from rtlinker.hot import load

        self._words = words
        self._module = load(
            words.one("FILE"),
            *words.all("with"),
            libraries=words.all("l"),
            directories=words.all("L"),
            whole_archives=words.all("whole-archive"),
        )
        self._said = ""
        self._argv: object = None

    @property
    def paths(self) -> tuple[str, ...]:
        """Those of the command line."""
        return tuple(paths_of(self._words))

    @property
    def version(self) -> int:
        """The module's."""
        return self._module.version

    def notes(self) -> Sequence[str]:
        """Those of the link, but for what every C++ object brings with it."""
        from rtlinker.live.runtimes import is_usual

        return [note for note in self._module.current.linker.notes if not is_usual(note)]

    def call(self) -> str:
        """Call the newest version of the function, or show the variable."""
        name = self._words.one("SYMBOL")
        prototype = self._words.last("sig")
        bound = self._module.function(name, prototype) if prototype is not None else self._module[name]
        if not isinstance(bound, Function):
            return self._show(bound, name)
        if name == "main":
            return self._run_program(bound)
        arguments = converted(bound, self._words.arguments["ARG"])
        said = self._assumption(bound, arguments)
        value = bound(*arguments)
        flush_c()
        print_result(value, bound.ctype.result, name, bound.prototype, self._words)
        return said

    def reload(self) -> dict[str, Any]:
        """Take in what the files hold now."""
        words = self._words
        report = self._module.reload(
            allow=words.all("allow"),
            reset=words.all("reset"),
            assume_no_live=words.all("assume-no-live"),
            strict=words.has("strict"),
        )
        return told(report)

    def names(self) -> list[Symbol]:
        """Of every version that is still there."""
        return symbols_of([version.image for version in self._module.versions_kept if not version.text_freed])

    def close(self) -> None:
        """Run destructors and what was registered with atexit."""
        self._module.close()
        flush_c()

    def _assumption(self, function: Function, arguments: list[object]) -> str:
        """What is to be said of a type that nothing tells, once."""
        from rtlinker.bind.call import untyped
        from rtlinker.bind.ctype import UNTYPED, declare
        from rtlinker.host.demangle import readable

        if function.ctype is not UNTYPED:
            return ""
        assumed = f"{declare(untyped(arguments))} assumed, --sig says better"
        said = f"{readable(function.__name__)} has no debug information: {assumed}"
        self._said, before = said, self._said
        return said if said != before else ""

    def _show(self, data: Data, name: str) -> str:
        if self._words.arguments["ARG"]:
            raise SignatureError("data takes no arguments", name, "it is printed, not called")
        print_result(data.value, data.ctype, name, data.__doc__ or "", self._words)
        return ""

    def _run_program(self, main: Function) -> str:
        """Call `main` as a program's: argv is FILE and the ARGs, standard output is its own. It may end the process."""
        import ctypes

        words = [self._words.one("FILE"), *self._words.arguments["ARG"]]
        encoded = [word.encode("utf-8", "surrogateescape") for word in words]
        argv = self._argv = (ctypes.c_char_p * (len(encoded) + 1))(*encoded, None)  # a program may keep it
        environ = ctypes.c_void_p.in_dll(ctypes.CDLL(None), "environ").value
        given = (len(encoded), ctypes.addressof(argv), environ)
        from rtlinker.bind.ctype import UNTYPED

        code = main(*given[: 3 if main.ctype is UNTYPED else len(main.ctype.parameters)])
        flush_c()
        return f"main returned {code}"


class HeldHaskell:
    """A Haskell module, its runtime, and the modules of the same program that it needs."""

    def __init__(self, words: Words) -> None:
        from rtlinker.haskell.runtime import Runtime

        if words.has("whole-archive"):
            raise LinkError("--whole-archive does not go with haskell objects", (), "add what is needed with -w")
        self._words = words
        given = {"libraries": words.all("l"), "directories": words.all("L")}
        self._module = Runtime().load(words.one("FILE"), *words.all("with"), **given)
        self._version = 1
        self._called = False

    @property
    def version(self) -> int:
        """One more with each reload."""
        return self._version

    @property
    def paths(self) -> tuple[str, ...]:
        """The module's, those of its imports, and what was added."""
        return tuple(dict.fromkeys([*self._module.objects, *self._words.all("with")]))

    def notes(self) -> Sequence[str]:
        """None: packages come without a word."""
        return []

    def call(self) -> str:
        """Evaluate the closure; a program runs to its end, which may end the process."""
        from rtlinker.cli.haskell import prepare_call, prepare_program

        found = self._module.find(self._words.one("SYMBOL"))
        if found.name.qualified == "Main.main":
            prepare_program(self._module, found, self._words)()
        else:
            quiet, self._called = self._called, True
            prepare_call(self._module, found, self._words, quiet)()
        flush_c()
        sys.stdout.flush()
        return ""

    def reload(self) -> dict[str, Any]:
        """Link what the objects hold now."""
        began = time.monotonic()
        before, linked = self._names(), self._module.linked
        self._module.reload()
        unchanged = self._module.linked == linked
        self._version += not unchanged
        after = self._names()
        return {
            **dict.fromkeys(LISTS + TEXTS, ""),
            "version": self._version,
            "unchanged": unchanged,
            "seconds": {"reload": time.monotonic() - began},
            "added": some(sorted(after - before)),
            "removed": some(sorted(before - after)),
        }

    def names(self) -> list[Symbol]:
        """Of the module's own objects."""
        own = {*self._module.linked}
        images = [live.image for live in self._module.linker.images]
        return symbols_of([image for image in images if any(each.name in own for each in image.resolution.objects)])

    def close(self) -> None:
        """The runtime ends with the process."""
        flush_c()

    def _names(self) -> set[str]:
        return {name.qualified for one in self._module.found for name, _ in one.closures}


def symbols_of(images: Iterable[Image]) -> list[Symbol]:
    """The code of images, for `cli.holder.named`."""
    from rtlinker.live.describe import functions_of

    return [(start, end, f"{name}\t{file}") for image in images for start, end, name, file in functions_of(image)]
