r"""Small Haskell functions made without a compiler: lambda terms as combinators that base already has compiled.

A term is a closure's address, a variable (text), or a pair (function, argument). `abstract` takes a variable out of a
term by the rules of Curry and Turner: `const`, `id`, `.`, `flip`, and `<*>` of functions are their K, I, B, C and S. So
`\x -> f (g x)` becomes `(.) f g`, and what the collector and the debugger see are base's own functions.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeAlias

    from rtlinker.haskell.heap import Heap

    Term: TypeAlias = "int | str | tuple[Term, Term]"


class Combinators:
    """The five combinators of base, at their addresses."""

    def __init__(self, heap: Heap) -> None:
        self.constant = heap.closure("base", "GHC.Base", "const")
        self.identity = heap.closure("base", "GHC.Base", "id")
        self.compose = heap.closure("base", "GHC.Base", ".")
        self.swap = heap.closure("base", "GHC.Base", "flip")
        self.share = heap.closure("base", "GHC.Base", "$fApplicativeFUN_$c<*>")

    def abstract(self, variable: str, term: Term) -> Term:
        r"""`\variable -> term`, with the variable gone."""
        if term == variable:
            return self.identity
        if not _mentions(term, variable):
            return (self.constant, term)
        assert isinstance(term, tuple)
        function, argument = term
        if not _mentions(function, variable):
            if argument == variable:
                return function
            return ((self.compose, function), self.abstract(variable, argument))
        if not _mentions(argument, variable):
            return ((self.swap, self.abstract(variable, function)), argument)
        return ((self.share, self.abstract(variable, function)), self.abstract(variable, argument))

    def function(self, variables: tuple[str, ...], term: Term) -> Term:
        r"""`\a b c -> term`."""
        for variable in reversed(variables):
            term = self.abstract(variable, term)
        return term


def applied(function: Term, *arguments: Term) -> Term:
    """`function argument ...`."""
    for argument in arguments:
        function = (function, argument)
    return function


def build(heap: Heap, term: Term) -> int:
    """The closure of a term without variables, in the held heap."""
    if isinstance(term, tuple):
        return heap.apply(build(heap, term[0]), build(heap, term[1]))
    assert isinstance(term, int)
    return term


def _mentions(term: Term, variable: str) -> bool:
    if isinstance(term, tuple):
        return _mentions(term[0], variable) or _mentions(term[1], variable)
    return term == variable
