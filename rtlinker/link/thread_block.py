"""Thread-local variables: the block that every thread has a copy of (psABI 3.8.1 and "ELF Handling for TLS").

All thread-local sections of a link form one block: first those with initial values (.tdata), then the zero ones
(.tbss). The image holds the initial values only, as a template. Who makes the image live hands the relocated template
to the dynamic linker, which gives each thread its copy, and tells what code needs to know to find it:

    module       a number; with the variable's offset in the block it is what __tls_get_addr takes (general dynamic)
    distance     from the thread pointer to the block, the same in every thread; only a *static* block has one, and
                 room for such is scarce (initial and local exec)
    descriptor   16 bytes: a function to call and its argument (TLSDESC)

The same three are asked for variables outside of the link, each by the name under which the dynamic linker knows it.
"""

from __future__ import annotations

from rtlinker.elf.constants import SHF_TLS, SHT_NOBITS
from rtlinker.facts import Fact, derived
from rtlinker.link.linker_symbols import TLS_BASE
from rtlinker.link.resolution import Common, InObject, Key, LinkerDefined, Resolution
from rtlinker.link.scope import Definition, ThreadVariable
from rtlinker.units import align_up, signed64

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rtlinker.link.resolution import Binding


class ThreadDemand(Fact):
    """What the thread-local relocations of a link ask for, each with one (object, symbol) that stands for the key.

    `pairs` need two words {module, offset in the block}, `distances` a word, `descriptors` two words. `local` is set
    when somebody wants the pair of the link's own module, `static` is a site that needs the own block at a fixed
    distance from the thread pointer, as (object, r_info).
    """

    pairs: dict[Key, tuple[int, int]]
    distances: dict[Key, tuple[int, int]]
    descriptors: dict[Key, tuple[int, int]]
    local: bool
    static: tuple[int, int] | None
    elsewhere: Key | None = None
    """A variable of an earlier link in whose block local dynamic code looks, in place of the link's own."""

    def __bool__(self) -> bool:
        return bool(self.pairs or self.distances or self.descriptors or self.local or self.static)


NO_DEMAND = ThreadDemand({}, {}, {}, False, None)


class ThreadBlock(Fact):
    """The block of a link: offsets in bytes from its start. `filled` bytes have initial values, the rest is zero."""

    sections: dict[tuple[int, int], int]
    commons: dict[str, int]
    filled: int
    size: int
    align: int

    @derived
    def sections_of(self) -> dict[int, list[int]]:
        """The sections of each object."""
        found: dict[int, list[int]] = {}
        for number, index in self.sections:
            found.setdefault(number, []).append(index)
        return found

    def offset_of(self, resolution: Resolution, where: Binding) -> int | None:
        """The offset of a variable of the link; None when its section is not in the block."""
        if isinstance(where, Common):
            return self.commons.get(where.name)
        if not isinstance(where, InObject):
            return 0 if isinstance(where, LinkerDefined) and where.name == TLS_BASE else None
        symbols = resolution.objects[where.object].symbols
        start = self.sections.get((where.object, symbols.section(where.symbol)))
        return None if start is None else signed64(start + symbols.value(where.symbol))


def lay_out_threads(resolution: Resolution) -> ThreadBlock | None:
    """The block of the link's thread-local sections and COMMON blocks; None when it has none."""
    pieces = [
        (sections.types[index] == SHT_NOBITS, number, index, sections.sizes[index], sections.aligns[index] or 1)
        for number, object in enumerate(resolution.objects)
        for sections in (object.sections,)
        for index in sections.allocated
        if sections.flags[index] & SHF_TLS and index not in resolution.discarded[number]
    ]
    blocks = [block for block in resolution.commons_in_order if block.thread]
    if not pieces and not blocks:
        return None
    places: dict[tuple[int, int], int] = {}
    filled, at, largest = 0, 0, 1
    for zero, number, index, size, align in sorted(pieces):
        places[number, index] = at = align_up(at, align)
        at += size
        filled, largest = filled if zero else at, max(largest, align)
    commons = {}
    for block in blocks:
        commons[block.name] = at = align_up(at, max(block.align, 1))
        at, largest = at + block.size, max(largest, block.align)
    return ThreadBlock(places, commons, filled, max(at, 1), largest)  # even an empty variable has an address


class Want(Fact):
    """One question to the dynamic linker. `kind` is `pair`, `distance` or `descriptor`.

    `variable` is one outside of the link, or None for the own block; `offset` is bytes from there.
    """

    kind: str
    variable: ThreadVariable | None
    offset: int


class ThreadRequest(Fact):
    """What is asked of the place: room for a block in every thread (`size` 0: none), and answers to `wants`."""

    initial: bytes
    size: int
    align: int
    wants: tuple[Want, ...]


class ThreadAnswer(Fact):
    """For each want two words: {module, offset}, {distance, 0} or {function, argument}.

    `variable` names the start of the block for later links; `module` and `distance` are the own block's, 0 and None
    where there is none.
    """

    words: tuple[tuple[int, int], ...]
    variable: ThreadVariable | None
    module: int
    distance: int | None


class Threads(Fact):
    """What is known of the thread-local variables of a link once the dynamic linker has answered, by key.

    `own` is how the dynamic linker knows the link's own block.
    """

    own: ThreadVariable | None
    module: int
    distance: int | None
    pairs: dict[Key, tuple[int, int]]
    distances: dict[Key, int]
    descriptors: dict[Key, tuple[int, int]]


def questions(resolution: Resolution, demand: ThreadDemand, block: ThreadBlock | None) -> dict[tuple[str, Key], Want]:
    """All that a link has to ask, by kind and key. The own block's pairs and distances follow from its first byte's."""
    wants: dict[tuple[str, Key], Want] = {}
    for kind, keys in (
        ("pair", demand.pairs),
        ("distance", demand.distances),
        ("descriptor", demand.descriptors),
    ):
        for key, (number, symbol) in keys.items():
            meaning = resolution.bound[number].get(symbol) or InObject(number, symbol)
            if isinstance(meaning, Definition):
                wants[kind, key] = Want(kind, meaning.variable, 0)
            elif kind == "descriptor" and block is not None:
                wants[kind, key] = Want(kind, None, block.offset_of(resolution, meaning) or 0)
    return wants


def answered(keys: list[tuple[str, Key]], answer: ThreadAnswer) -> Threads:
    """The answers by kind and key; `keys` are those of `questions` in the order in which they were asked."""
    found: dict[str, dict[Key, tuple[int, int]]] = {"pair": {}, "distance": {}, "descriptor": {}}
    for (kind, key), words in zip(keys, answer.words):
        found[kind][key] = words
    distances = {key: signed64(first) for key, (first, _) in found["distance"].items()}
    return Threads(answer.variable, answer.module, answer.distance, found["pair"], distances, found["descriptor"])
