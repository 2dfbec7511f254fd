"""Load, link and call ELF objects and archives in the running process, in pure Python.

    import rtlinker

    library = rtlinker.load("add.o")
    library.add(2, 3)

Names are imported when they are first used, so that importing the package costs next to nothing.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rtlinker import haskell as haskell
    from rtlinker import hot as hot
    from rtlinker.api import Linker as Linker
    from rtlinker.api import load as load
    from rtlinker.errors import BadObjectError as BadObjectError
    from rtlinker.errors import CrashError as CrashError
    from rtlinker.errors import DuplicateSymbolError as DuplicateSymbolError
    from rtlinker.errors import ForeignExceptionError as ForeignExceptionError
    from rtlinker.errors import LinkError as LinkError
    from rtlinker.errors import ReloadError as ReloadError
    from rtlinker.errors import RelocationError as RelocationError
    from rtlinker.errors import RelocationOverflowError as RelocationOverflowError
    from rtlinker.errors import SignatureError as SignatureError
    from rtlinker.errors import ThreadStorageError as ThreadStorageError
    from rtlinker.errors import UndefinedSymbolsError as UndefinedSymbolsError
    from rtlinker.errors import UnsupportedError as UnsupportedError
    from rtlinker.library import Library as Library

__version__ = "0.1.0"

_HOMES = {
    "load": "api",
    "Library": "library",
    "Linker": "api",
    "BadObjectError": "errors",
    "CrashError": "errors",
    "DuplicateSymbolError": "errors",
    "ForeignExceptionError": "errors",
    "LinkError": "errors",
    "RelocationError": "errors",
    "RelocationOverflowError": "errors",
    "ReloadError": "errors",
    "SignatureError": "errors",
    "ThreadStorageError": "errors",
    "UndefinedSymbolsError": "errors",
    "UnsupportedError": "errors",
}

__all__ = [  # noqa: RUF022  # the order in which people meet them
    "load",
    "Library",
    "Linker",
    "LinkError",
    "BadObjectError",
    "CrashError",
    "DuplicateSymbolError",
    "ForeignExceptionError",
    "RelocationError",
    "RelocationOverflowError",
    "ReloadError",
    "SignatureError",
    "ThreadStorageError",
    "UndefinedSymbolsError",
    "UnsupportedError",
    "haskell",
    "hot",
]

if not TYPE_CHECKING:

    def __getattr__(name):
        """Import a public name from its module on first use (PEP 562)."""
        if name in {"haskell", "hot"}:  # rooms of their own; importing one enters it here
            return getattr(__import__(f"rtlinker.{name}"), name)
        home = _HOMES.get(name)
        if home is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(__import__(f"rtlinker.{home}", fromlist=[name]), name)
        globals()[name] = value
        return value

    def __dir__():
        return sorted({*globals(), *_HOMES, "haskell", "hot"})
