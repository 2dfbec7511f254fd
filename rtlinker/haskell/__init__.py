"""Haskell: GHC's objects, the packages they need, and the runtime that evaluates their closures.

    import rtlinker

    with rtlinker.haskell.Runtime() as haskell:
        test = haskell.load("Test.o")
        test.maFonction("Haskell")

Names are imported when they are first used.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rtlinker.haskell.handles import Handle as Handle
    from rtlinker.haskell.handles import HaskellFunction as HaskellFunction
    from rtlinker.haskell.handles import Just as Just
    from rtlinker.haskell.handles import Left as Left
    from rtlinker.haskell.handles import Right as Right
    from rtlinker.haskell.module import Module as Module
    from rtlinker.haskell.runtime import Runtime as Runtime

_HOMES = {
    "Runtime": "runtime",
    "Module": "module",
    "Just": "handles",
    "Left": "handles",
    "Right": "handles",
    "Handle": "handles",
    "HaskellFunction": "handles",
}

__all__ = ["Handle", "HaskellFunction", "Just", "Left", "Module", "Right", "Runtime"]

if not TYPE_CHECKING:

    def __getattr__(name):
        """Import a public name from its module on first use (PEP 562)."""
        home = _HOMES.get(name)
        if home is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(__import__(f"rtlinker.haskell.{home}", fromlist=[name]), name)
        globals()[name] = value
        return value

    def __dir__():
        return sorted({*globals(), *_HOMES})
