"""One object linked alone: at a pretended address, with a pretended address for every name that it leaves undefined."""

from __future__ import annotations

from itertools import count
from time import perf_counter
from typing import NamedTuple

from rtlinker.elf.constants import STT_TLS, STV_HIDDEN, STV_INTERNAL
from rtlinker.elf.index import index_symbols
from rtlinker.elf.reader import read_object
from rtlinker.errors import LinkError
from rtlinker.link.linker_symbols import is_linker_defined
from rtlinker.link.pipeline import link
from rtlinker.link.scope import Definition, Inputs, Table, ThreadVariable
from tests.corpus.inventory import Member
from tests.support.ld import Pretended

NEAR, LOW = 0x7F0000000000, 0x40000000
"""Where an image goes: near the libraries, or below 2 GiB when a site of it asks for that."""

LIBRARIES = NEAR + (1 << 24)
"""Where the undefined names are: within reach of an image that is near, beyond that of a low one."""

ENGINES = ("scalar", "native")


class Outcome(NamedTuple):
    """What became of a member: `error` is the kind and headline of the refusal or empty, `facts` are the rest of it."""

    member: str
    seconds: float
    error: str = ""
    facts: str = ""


class Memory(Pretended):
    """Pretended memory that is near the libraries or low, as the image asks."""

    def __init__(self):
        super().__init__(NEAR)

    def beyond(self, addresses, low):
        self.address = LOW if low else NEAR
        return super().beyond(addresses, low)


def attempt(member: Member, engines: tuple[str, ...] = ("auto",)) -> Outcome:
    """Link a member with each engine. More than one engine must come to the same bytes, or the same refusal."""
    start = perf_counter()
    results = [linked(member, engine) for engine in engines]
    error, facts, _ = results[0]
    for engine, result in zip(engines, results):
        if result != results[0]:
            error = "engines differ"
            facts = f"{engines[0]}: {results[0][0] or 'linked'}; {engine}: {result[0] or 'linked'}"
    return Outcome(member.label, perf_counter() - start, error, facts)


def linked(member: Member, engine: str) -> tuple[str, str, bytes]:
    """The error, its facts, and the image's bytes where there is none."""
    memory = Memory()
    try:
        object = read_object(member.read(), member.label)
        hidden, visible = pretended(object)
        link(Inputs((object,), hidden, (), visible, engine=engine), memory)
    except LinkError as error:
        facts = [f"{label} {text}" for label, text in error.facts if text != member.label]
        return f"{type(error).__name__}: {error.headline}", "; ".join(facts), b""
    return "", "", bytes(memory.view)


def pretended(object) -> tuple[Table, Table]:
    """Two scopes that know every undefined name of the object.

    A reference of hidden visibility means something in the same link, and is only found in what the user defined.
    """
    hidden, visible, addresses = {}, {}, count(LIBRARIES, 64)
    for name, at in index_symbols(object).undefined.items():
        if is_linker_defined(name, object.sections.names):
            continue
        scope = hidden if object.symbols.visibility(at) in {STV_HIDDEN, STV_INTERNAL} else visible
        if object.symbols.type(at) == STT_TLS:
            scope[name] = Definition(name, 0, "elsewhere", "tls", 16, variable=ThreadVariable("elsewhere", name, 0))
        else:
            scope[name] = Definition(name, next(addresses), "elsewhere", "function", 16)
    return Table("user", hidden), Table("elsewhere", visible)
