"""The terms of callbacks: what asks Python, and what waits for it; `haskell.callbacks` says what for.

`events` is the variable that requests and results come through. All of it only allocates.
"""

from __future__ import annotations

from rtlinker.haskell.terms import Combinators, applied, build
from rtlinker.haskell.types import TypeCon, arguments_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from rtlinker.haskell.heap import Heap
    from rtlinker.haskell.terms import Term
    from rtlinker.haskell.types import Type


def home(heap: Heap, package: str) -> Callable[[str, str], int]:
    """The closures of a package, by module and name."""
    return lambda module, name: heap.closure(package, module, name)


def asking(heap: Heap, events: int, life: int, kind: Type, number: int) -> int:
    """The Haskell function that asks Python to call its function of that number; `life` ends with it."""
    base, prim = home(heap, "base"), home(heap, "ghc-prim")
    taken, result = arguments_of(kind)
    variables = tuple(f"argument{at}" for at in range(len(taken)))
    arguments: Term = prim("GHC.Types", "[]") + 1
    for variable in reversed(variables):
        arguments = applied(prim("GHC.Types", ":"), variable, arguments)
    request = applied(prim("GHC.Tuple", "(,,,)"), _boxed(heap, number), arguments, "answer", life)
    put = applied(base("GHC.MVar", "putMVar"), events, applied(base("Data.Either", "Right"), request))
    wait = applied(base("GHC.Base", "bindIO"), applied(base("GHC.MVar", "takeMVar"), "answer"))
    asked = applied(base("GHC.Base", "thenIO"), put, applied(wait, base("GHC.Base", "id")))
    combinators = Combinators(heap)
    action = applied(
        base("GHC.Base", "bindIO"), base("GHC.MVar", "newEmptyMVar"), combinators.abstract("answer", asked)
    )
    if not (type(result) is TypeCon and result.name == "IO"):
        action = applied(base("GHC.IO.Unsafe", "unsafePerformIO"), action)
    return build(heap, combinators.function(variables, action))


def starting(heap: Heap, events: int, closure: int, io: bool, number: int) -> int:
    """The action that starts a thread for a closure, which ends with that number, and waits for the first event."""
    base = home(heap, "base")
    action: Term = closure if io else applied(base("GHC.IO", "evaluate"), closure)
    tried = applied(base("Control.Exception.Base", "try"), base("GHC.Exception.Type", "$fExceptionSomeException"))
    result = applied(heap.closure("ghc-prim", "GHC.Tuple", "(,)"), _boxed(heap, number), "result")
    put = applied(base("GHC.MVar", "putMVar"), events)
    done = Combinators(heap).abstract("result", applied(put, applied(base("Data.Either", "Left"), result)))
    thread = applied(base("GHC.Conc.Sync", "forkIO"), applied(base("GHC.Base", "bindIO"), (tried, action), done))
    return build(heap, applied(base("GHC.Base", "thenIO"), thread, _wait(heap, events)))


def answering(heap: Heap, events: int, variable: int, action: int) -> int:
    """The action that gives an answer and waits for the next event."""
    put = applied(heap.closure("base", "GHC.MVar", "putMVar"), variable, action)
    return build(heap, applied(heap.closure("base", "GHC.Base", "thenIO"), put, _wait(heap, events)))


def waiting(heap: Heap, events: int) -> int:
    """The action that waits for the next event."""
    return build(heap, _wait(heap, events))


def _wait(heap: Heap, events: int) -> Term:
    return applied(heap.closure("base", "GHC.MVar", "takeMVar"), events)


def _boxed(heap: Heap, number: int) -> int:
    return heap.objects(heap.constructor("ghc-prim", "GHC.Types", "I#"), [[number]], 1)[0]
