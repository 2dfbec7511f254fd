"""From debugging entries to C types (DWARF 5 chapter 5), one at a time, as they are asked for."""

from __future__ import annotations

from rtlinker.bind.ctype import (
    VOID,
    Array,
    Base,
    CType,
    Enum,
    FunctionType,
    Member,
    Parameter,
    Pointer,
    Record,
    Refused,
    Typedef,
    declare,
    plain,
    qualify,
    size_of,
)
from rtlinker.bind.spelling import NO_REGISTER
from rtlinker.dwarf import constants as c
from rtlinker.dwarf.abbreviations import uleb
from rtlinker.dwarf.aliases import is_passed
from rtlinker.dwarf.entries import Entry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Find = Callable[[object], Entry | None]
    Guard = Callable[[Callable[[], tuple[Member, ...]]], tuple[Member, ...]]

_KINDS = {c.TAG_STRUCTURE_TYPE: "struct", c.TAG_UNION_TYPE: "union", c.TAG_CLASS_TYPE: "class"}
_SIGILS = {c.TAG_POINTER_TYPE: "*", c.TAG_REFERENCE_TYPE: "&", c.TAG_RVALUE_REFERENCE_TYPE: "&&"}
_FOREIGN = "a type of this kind has no counterpart in C"


class TypeReader:
    """Makes types of entries, each entry once. `find` resolves a reference, `guard` names what is broken."""

    def __init__(self, find: Find, guard: Guard) -> None:
        self.find = find
        self.guard = guard
        self.made: dict[object, CType] = {}
        self.making: set[object] = set()
        self.enclosing: Callable[[Entry], str] = lambda entry: ""

    def of(self, entry: Entry) -> CType:
        """The type that DW_AT_type of this entry, or of what it specifies, refers to; void without one."""
        holder = self.holder(entry, c.AT_TYPE)
        return VOID if holder is None else self.at(holder.attributes[c.AT_TYPE])

    def holder(self, entry: Entry, attribute: int) -> Entry | None:
        """The entry with the attribute, along DW_AT_abstract_origin and DW_AT_specification, or None."""
        step: Entry | None = entry
        for _ in range(8):
            if step is None or attribute in step.attributes:
                return step
            step = self.origin(step)
        return None

    def origin(self, entry: Entry) -> Entry | None:
        """What the entry completes or is an instance of."""
        link = entry.attributes.get(c.AT_ABSTRACT_ORIGIN) or entry.attributes.get(c.AT_SPECIFICATION)
        return self.find(link) if link else None

    def at(self, reference: object) -> CType:
        """The type at a reference. Raises ValueError for one that leads nowhere or into a circle."""
        found = self.made.get(reference)
        if found is not None:
            return found
        if reference in self.making:
            raise ValueError("a type is made of itself")
        entry = self.find(reference)
        if entry is None:
            raise ValueError("a reference leads to no type")
        self.making.add(reference)
        try:
            found = self.made[reference] = self.make(entry)
        finally:
            self.making.discard(reference)
        return found

    def make(self, entry: Entry) -> CType:
        """The type that an entry describes."""
        tag = entry.tag
        if tag == c.TAG_BASE_TYPE:
            return base_type(entry)
        if tag in _SIGILS:
            return Pointer(self.of(entry), _SIGILS[tag])
        if tag in (c.TAG_TYPEDEF, c.TAG_TEMPLATE_ALIAS):
            return Typedef(entry.text(c.AT_NAME) or "", self.of(entry))
        if tag in (c.TAG_CONST_TYPE, c.TAG_VOLATILE_TYPE):
            return qualify("const" if tag == c.TAG_CONST_TYPE else "volatile", self.of(entry))
        if tag in (c.TAG_RESTRICT_TYPE, c.TAG_ATOMIC_TYPE):
            return self.of(entry)
        if tag in _KINDS:
            return self.record(entry)
        if tag == c.TAG_ENUMERATION_TYPE:
            return self.enumeration(entry)
        if tag == c.TAG_ARRAY_TYPE:
            return self.array(entry)
        if tag in (c.TAG_SUBROUTINE_TYPE, c.TAG_SUBPROGRAM):
            return self.function(entry)
        name = entry.text(c.AT_NAME) or f"<DW_TAG {tag:#x}>"
        if tag == c.TAG_UNSPECIFIED_TYPE and "nullptr" in name:
            return Typedef("nullptr_t", Pointer(VOID))
        return Refused(name, entry.number(c.AT_BYTE_SIZE), _FOREIGN)

    def record(self, entry: Entry, scope: str = "") -> CType:
        """A struct, union or class, whose members are read when somebody asks."""
        if c.AT_SIGNATURE in entry.attributes:  # DWARF 5 section 5.7.1: the type is in a type unit
            full = self.find(entry.attributes[c.AT_SIGNATURE])
            if full is not None and full.tag in _KINDS:
                return self.record(full, self.enclosing(entry))
        name, kind = entry.text(c.AT_NAME), _KINDS[entry.tag]
        scope = scope or self.enclosing(entry)
        if c.AT_DECLARATION in entry.attributes:
            return Record(kind, name, None, scope=scope)
        size = entry.number(c.AT_BYTE_SIZE) or 0
        return Record(kind, name, size, lambda: self.guard(lambda: self.members(entry)), is_trivial(entry, name), scope)

    def members(self, entry: Entry) -> tuple[Member, ...]:
        """Members and base classes, with their offsets."""
        found: list[Member] = []
        for child in entry.children():
            if child.tag not in (c.TAG_MEMBER, c.TAG_INHERITANCE) or c.AT_EXTERNAL in child.attributes:
                continue  # static members of a class have storage of their own
            offset = location(child.attributes.get(c.AT_DATA_MEMBER_LOCATION, 0))
            if offset is None:  # a virtual base: its place is known at run time only
                continue
            ctype = self.of(child)
            width = child.number(c.AT_BIT_SIZE)
            start = None if width is None else bit_start(child, ctype, offset, width)
            if start is not None:
                offset = start // 8
            found.append(Member(child.text(c.AT_NAME), ctype, offset, start, width))
        return tuple(found)

    def enumeration(self, entry: Entry) -> CType:
        """An enumeration with its values."""
        full = self.find(entry.attributes.get(c.AT_SIGNATURE))
        if full is not None and full.tag == c.TAG_ENUMERATION_TYPE:
            return self.enumeration(full)
        size = entry.number(c.AT_BYTE_SIZE)
        base = plain(self.of(entry))
        size = size if size is not None else (size_of(base) or 4)
        pairs = [
            (child.text(c.AT_NAME) or "", child.number(c.AT_CONST_VALUE) or 0)
            for child in entry.children()
            if child.tag == c.TAG_ENUMERATOR
        ]
        signed = base.encoding == "signed" if isinstance(base, Base) else any(value < 0 for _, value in pairs)
        top = 1 << 8 * size
        if signed:  # a fixed-size form holds the bits only
            pairs = [(name, value - top if value >= top // 2 else value) for name, value in pairs]
        else:
            pairs = [(name, value % top) for name, value in pairs]
        return Enum(entry.text(c.AT_NAME), size, tuple(pairs), signed)

    def array(self, entry: Entry) -> CType:
        """An array of one or more dimensions, or a vector."""
        counts: list[int | None] = []
        for child in entry.children():
            if child.tag == c.TAG_SUBRANGE_TYPE:
                bound, count = child.number(c.AT_UPPER_BOUND), child.number(c.AT_COUNT)
                if count is None and bound is not None:
                    count = 0 if bound in (0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF) else max(bound + 1, 0)
                counts.append(count)
        ctype = self.of(entry)
        for count in reversed(counts or [None]):
            ctype = Array(ctype, count)
        if c.AT_GNU_VECTOR in entry.attributes and isinstance(ctype, Array):
            size = entry.number(c.AT_BYTE_SIZE) or size_of(ctype) or 0
            name = f"{declare(ctype.element)} __attribute__((vector_size({size})))"
            return Refused(name, size, f"a vector: {NO_REGISTER}")
        return ctype

    def function(self, entry: Entry) -> FunctionType:
        """The type of a function: of a subprogram, or behind a pointer."""
        parameters: list[Parameter] = []
        more = False
        source = self.abstract(entry)
        symbol = entry.text(c.AT_LINKAGE_NAME) or ""
        if source.abbreviation.children:
            for offset, tag in source.unit.below(source.end):
                if tag == c.TAG_FORMAL_PARAMETER:
                    child = Entry(source.unit, offset)
                    named = self.holder(child, c.AT_NAME)
                    name = named.text(c.AT_NAME) if named else None
                    if not name or name[:2] != "__" or is_passed(name, symbol):
                        parameters.append(Parameter(name, self.of(child)))
                elif tag == c.TAG_UNSPECIFIED_PARAMETERS:
                    more = True
        language = source.unit.top.number(c.AT_LANGUAGE)
        prototyped = language not in c.C_LANGUAGES or self.holder(entry, c.AT_PROTOTYPED) is not None
        variadic = more and (prototyped or bool(parameters))
        return FunctionType(self.of(entry), tuple(parameters), variadic, prototyped)

    def abstract(self, entry: Entry) -> Entry:
        """The entry that lists all parameters: an instance of an inlined function may lack some."""
        for _ in range(8):
            link = entry.attributes.get(c.AT_ABSTRACT_ORIGIN)
            origin = self.find(link) if link else None
            if origin is None:
                break
            entry = origin
        return entry


def base_type(entry: Entry) -> CType:
    """A base type, or the refusal of one that calls cannot carry."""
    name = entry.text(c.AT_NAME) or "int"
    size = entry.number(c.AT_BYTE_SIZE) or 0
    encoding = c.ENCODINGS.get(entry.number(c.AT_ENCODING) or 0)
    if name == "char" and size == 1:
        return Base(name, size, "char")
    if encoding == "complex" and size in (8, 16):
        return Base("float _Complex" if size == 8 else "double _Complex", size, encoding)
    odd = "_BitInt" in name or (encoding == "float" and ("128" in name or size not in (4, 8, 16)))
    if encoding is None or encoding == "complex" or odd:
        return Refused("long double _Complex" if encoding == "complex" else name, size, NO_REGISTER)
    return Base(name, size, encoding)


def is_trivial(entry: Entry, name: str | None) -> bool:
    """Whether a class travels by value as a C struct does: no copy constructor or destructor of its own.

    DW_AT_calling_convention says so (DWARF 5 section 5.7.1), but gcc writes it rarely, so its member functions are
    asked as well (Itanium C++ ABI 1.1, "non-trivial for the purposes of calls"). Bases and members are for the
    caller to ask.
    """
    convention = entry.number(c.AT_CALLING_CONVENTION)
    if convention is not None or entry.unit.top.number(c.AT_LANGUAGE) in c.C_LANGUAGES:
        return convention != c.CC_PASS_BY_REFERENCE
    own = (name or "").partition("<")[0]
    if not entry.abbreviation.children or not own:
        return True
    for offset, tag in entry.unit.below(entry.end):
        if tag == c.TAG_SUBPROGRAM:
            child = Entry(entry.unit, offset)
            if c.AT_VIRTUALITY in child.attributes:
                return False
            implicit = c.AT_ARTIFICIAL in child.attributes or child.number(c.AT_DEFAULTED) == 1
            called = child.text(c.AT_NAME)
            if not implicit and (called == "~" + own or (called == own and takes_itself(child, entry))):
                return False
    return True


def takes_itself(constructor: Entry, owner: Entry) -> bool:
    """Whether a constructor copies or moves: its one parameter beside `this` is a reference to its own class."""
    given = [child for child in constructor.children() if child.tag == c.TAG_FORMAL_PARAMETER]
    given = [child for child in given if c.AT_ARTIFICIAL not in child.attributes]
    step = follow(given[0]) if given else None
    if step is None or step.tag not in (c.TAG_REFERENCE_TYPE, c.TAG_RVALUE_REFERENCE_TYPE):
        return False
    step = follow(step)
    while step is not None and step.tag in (c.TAG_CONST_TYPE, c.TAG_VOLATILE_TYPE):
        step = follow(step)
    return step is not None and step.offset == owner.offset


def follow(entry: Entry) -> Entry | None:
    """The entry that DW_AT_type refers to, if it is of the same unit."""
    target = entry.attributes.get(c.AT_TYPE)
    inside = isinstance(target, tuple) and target[0] == entry.unit.section
    return Entry(entry.unit, target[1]) if inside and isinstance(target, tuple) else None


def location(value: object) -> int | None:
    """Bytes from the start of the record; DWARF 2 wrote an expression, DW_OP_plus_uconst. None if it must be run."""
    if isinstance(value, int):
        return value
    if isinstance(value, memoryview) and len(value) > 1 and value[0] == 0x23:
        return uleb(bytes(value), 1)[0]
    return None


def bit_start(entry: Entry, ctype: CType, offset: int, width: int) -> int:
    """Bits from the start of the record to a bit-field (DWARF 5 section 5.7.6; before DWARF 4 counted from the top)."""
    start = entry.number(c.AT_DATA_BIT_OFFSET)
    if start is not None:
        return start
    from_top = entry.number(c.AT_BIT_OFFSET)
    if from_top is None:
        return 8 * offset
    storage = entry.number(c.AT_BYTE_SIZE) or size_of(ctype) or 4
    if from_top >> 63:
        from_top -= 1 << 64
    return 8 * (offset + storage) - from_top - width


def is_static(entry: Entry) -> bool:
    """Whether a variable in a function has an address of its own: DW_OP_addr or DW_OP_addrx begins its location."""
    place = entry.attributes.get(c.AT_LOCATION)
    return isinstance(place, memoryview) and len(place) > 0 and place[0] in (0x03, 0xA1)
