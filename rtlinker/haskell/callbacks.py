r"""Python functions as Haskell functions, without a compiler and without C calling back into Python.

Haskell's threads make it possible. While callbacks are alive, every evaluation runs in a Haskell thread of its own, and
the thread that Python waits for does nothing but take the next event from a variable:

    python's evaluation     forkIO (try action >>= putMVar events . Left . (,) number) >> takeMVar events
    a callback              \a b -> do answer <- newEmptyMVar
                                      putMVar events (Right (number, [a, b], answer))
                                      join (takeMVar answer)

So a callback's request ends Python's evaluation as an ordinary result. Python runs the function, holding nothing of
Haskell, and goes on with `putMVar answer (return value) >> takeMVar events`. A Python exception is answered by
`throwIO` of an IOError with its text, which Haskell may catch like any other; if it comes out at the end, the Python
exception itself is raised. Python functions may call Haskell again, to any depth. A pure callback is the same under
`unsafePerformIO`, and should be pure. A callback that Haskell calls from a thread of its own waits until Python
evaluates something. When an interrupt ends Python's waiting, Haskell's thread goes on, and its result, which
nobody wants, is told from that of a later evaluation by the number.

The terms above are built in `haskell.asking`.

**Lifetimes.** Every such function holds a variable that nothing else refers to, and a weak pointer tells whether the
collector still finds that. When many Python functions were given to Haskell, a major collection is made, and those that
Haskell has forgotten are forgotten here as well.
"""

from __future__ import annotations

from _weakref import ref
from itertools import count

from rtlinker.haskell.asking import answering, asking, home, starting, waiting
from rtlinker.haskell.prepare import Preparation
from rtlinker.haskell.shape import WEAK
from rtlinker.haskell.types import TypeCon, arguments_of, list_of, substitute

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from rtlinker.haskell.heap import Heap
    from rtlinker.haskell.prepare import Build
    from rtlinker.haskell.types import Type
    from rtlinker.haskell.values import Values


MANY = 1_000
"""Python functions known at once before the forgotten ones are looked for."""


class Known:
    """A Python function that Haskell may call, as a value of some type.

    `weak` is the stable pointer to its weak pointer; `life`, while a call with it is built, that to its variable.
    `call` gives the call that it was made for, as long as there is one.
    """

    __slots__ = ("call", "function", "kind", "life", "weak")

    def __init__(self, function: Callable[..., object], kind: Type, preparation: Preparation) -> None:
        self.function = function
        self.kind = kind
        self.call = ref(preparation)
        self.life = 0
        self.weak = 0


class Callbacks:
    """The Python functions that Haskell knows, and the evaluations that serve them.

    A thread of Python keeps its turn while its callbacks run; a callback must not wait for another thread's call.
    """

    def __init__(self, values: Values) -> None:
        self.values = values
        self.functions: dict[int, Known] = {}
        self.count = count()
        self.many = MANY
        self.raised: list[tuple[int, BaseException]] = []
        self.events = 0
        self.depth = 0

    @property
    def alive(self) -> bool:
        """Whether Haskell may call a function of Python's."""
        return bool(self.events)

    def build(self, kind: Type, function: Callable[..., object], preparation: Preparation) -> Build:
        """What makes a Haskell function of that type, once the heap is held and `prepare` was called."""
        number = next(self.count)
        self.functions[number] = Known(function, kind, preparation)
        preparation.called.append(number)

        def made(heap: Heap) -> list[int]:
            life = heap.kept(self.functions[number].life)
            return [asking(heap, heap.kept(self.events), life, kind, number)]

        return made

    def prepare(self, heap: Heap, preparation: Preparation) -> None:
        """Make what the callbacks of a call need. It evaluates, so it has to come before anything is built."""
        if not preparation.called:
            return
        make = heap.closure("base", "GHC.MVar", "newEmptyMVar")
        if not self.events:
            self.events = heap.keep(heap.evaluate(make, io=True))
        if len(self.functions) > self.many:
            self._sweep(heap, preparation)
        nothing = heap.closure("base", "GHC.Base", "returnIO"), heap.closure("ghc-prim", "GHC.Tuple", "()") + 1
        for number in preparation.called:
            known = self.functions[number]
            known.kind = substitute(known.kind, preparation.bound)
            known.life = heap.keep(heap.evaluate(make, io=True))
            watch = heap.closure("base", "Control.Concurrent.MVar", "mkWeakMVar")
            action = heap.apply(watch, heap.kept(known.life), heap.apply(*nothing))
            known.weak = heap.keep(heap.evaluate(action, io=True))

    def built(self, heap: Heap, preparation: Preparation) -> None:
        """The call's arguments are built: from here on only Haskell keeps its callbacks alive."""
        for number in preparation.called:
            known = self.functions[number]
            heap.drop(known.life)
            known.life = 0

    def _sweep(self, heap: Heap, preparation: Preparation) -> None:
        """Forget the functions that Haskell has forgotten, and those whose call was refused."""
        self.values.run(heap.closure("base", "System.Mem", "performMajorGC"), io=True)
        for number, known in list(self.functions.items()):
            if known.life or (not known.weak and known.call() is not None):  # another thread's call may be about to
                continue
            if not known.weak or not self._is_alive(heap, known.weak):
                if known.weak:
                    heap.drop(known.weak)
                del self.functions[number]
        self.many = max(MANY, 2 * len(self.functions))

    def _is_alive(self, heap: Heap, weak: int) -> bool:
        pointer = heap.field(heap.forced(weak), 0)
        return heap.table(heap.word(pointer & -8)).kind == WEAK  # a dead one has another info table

    def run(self, closure: int, io: bool) -> int:
        """The closure evaluated, with every request served that comes meanwhile."""
        self.depth += 1
        try:
            return self._run(self.values.heap, closure, io)
        finally:
            self.depth -= 1
            if not self.depth:
                self._forget(self.values.heap)

    def _run(self, heap: Heap, closure: int, io: bool) -> int:
        number = next(self.count)
        action = starting(heap, heap.kept(self.events), closure, io, number)
        while True:
            event = heap.keep(heap.evaluate(action, io=True))
            at = heap.forced(event)
            field = heap.keep(heap.field(at, 0))
            heap.drop(event)
            if heap.table(heap.word(at)).name == "Data.Either.Right":
                action = self._next(heap, self._serve(heap, field))
            elif self._is_end_of(heap, field, number):
                return self._result(heap, field)
            else:
                heap.drop(field)
                action = waiting(heap, heap.kept(self.events))

    def _is_end_of(self, heap: Heap, ended: int, number: int) -> bool:
        """Whether it was the evaluation of that number that ended, and not one that was left alone."""
        return heap.field(heap.settled(heap.field(heap.forced(ended), 0)), 0) == number

    def _forget(self, heap: Heap) -> None:
        """Let go of the exceptions that Haskell caught."""
        for stable, _ in self.raised:
            heap.drop(stable)
        self.raised.clear()

    def _next(self, heap: Heap, answered: tuple[int, int]) -> int:
        """The action that gives an answer and waits for the next event. Lets go of both stable pointers."""
        variable, action = (heap.kept(each) for each in answered)
        for each in answered:
            heap.drop(each)
        return answering(heap, heap.kept(self.events), variable, action)

    def _result(self, heap: Heap, ended: int) -> int:
        """What the thread ended with: its value, or the exception raised anew. Lets go of the stable pointer."""
        result = heap.keep(heap.field(heap.forced(ended), 1))
        heap.drop(ended)
        at = heap.forced(result)
        heap.drop(result)
        field = heap.field(at, 0)
        if heap.table(heap.word(at)).name == "Data.Either.Right":
            return field
        exception = heap.keep(field)
        try:
            self._raise_own(heap, exception)
            field = heap.kept(exception)
        finally:
            heap.drop(exception)
        throw = heap.closure("base", "GHC.IO", "throwIO")
        proof = heap.closure("base", "GHC.Exception.Type", "$fExceptionSomeException")
        return heap.evaluate(heap.apply(throw, proof, field), io=True)

    def _raise_own(self, heap: Heap, exception: int) -> None:
        """Raise the Python exception that a kept Haskell one stands for, if it does."""
        if not self.raised:
            return
        # a SomeException: the dictionary, then the exception itself; who caught and threw it again kept the latter
        inner = heap.settled(heap.field(heap.forced(exception), 1))
        for stable, error in self.raised:
            if inner and heap.settled(heap.kept(stable)) == inner:
                raise error

    def _serve(self, heap: Heap, request: int) -> tuple[int, int]:
        """Call the function that a request names; stable pointers of the answer's variable and of the answer.

        Lets go of the request's stable pointer.
        """
        at = heap.forced(request)
        heap.drop(request)
        number = heap.field(heap.settled(heap.field(at, 0)), 0)
        answer = heap.keep(heap.field(at, 2))
        known = self.functions[number]
        taken, result = arguments_of(known.kind)
        io = type(result) is TypeCon and result.name == "IO"
        given = result.arguments[0] if io and isinstance(result, TypeCon) else result
        try:
            arguments = self._arguments(heap, heap.field(at, 1), taken)
            preparation = Preparation(self.build)
            with heap.released():
                part = preparation.build(given, [known.function(*arguments)], "a callback's result")
            self.prepare(heap, preparation)
            action = heap.apply(heap.closure("base", "GHC.Base", "returnIO"), part(heap)[0])
            self.built(heap, preparation)
        except BaseException as error:  # Haskell waits for an answer: an interrupt, too, passes through it first
            action = self._thrown(heap, error)
        return answer, heap.keep(action)

    def _arguments(self, heap: Heap, pointer: int, taken: tuple[Type, ...]) -> list[Any]:
        """The arguments of a request: each is forced, which may ask for callbacks in its turn."""
        rest = heap.keep(pointer)
        found = []
        try:
            for kind in taken:
                at = heap.forced(rest)
                following = heap.keep(heap.field(at, 1))
                heap.drop(rest)
                rest = following
                found.append(self.values.fetch(heap.field(at, 0), kind))
        finally:
            heap.drop(rest)
        return found

    def _thrown(self, heap: Heap, error: BaseException) -> int:
        """The action that throws an IOError with the exception's text."""
        base = home(heap, "base")
        text = _text_of(error).encode("utf-8", "replace").decode()
        message = Preparation(self.build).build(list_of(TypeCon("Char")), [text], "")(heap)[0]
        failure = heap.apply(base("GHC.IO.Exception", "userError"), message)
        stable = heap.keep(failure)
        failure = heap.evaluate(failure)
        heap.drop(stable)
        self.raised.append((heap.keep(failure), error))
        return heap.apply(base("GHC.IO", "throwIO"), base("GHC.IO.Exception", "$fExceptionIOException"), failure)


def _text_of(error: BaseException) -> str:
    """`KeyError: 'name'`, or the type's name alone where the exception cannot say more: Haskell waits for an answer."""
    name = type(error).__name__
    try:
        return f"{name}: {error}"
    except Exception:
        return name
