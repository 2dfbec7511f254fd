"""Laws of comparing types: nothing changes from a type to itself, and hashes say whether anything changes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rtlinker.bind.abi import (
    BREAK,
    NOTE,
    abi_hash,
    layout_changes,
    reachable_records,
    record_changes,
    signature_changes,
)
from rtlinker.bind.account import account
from rtlinker.bind.ctype import (
    VOID,
    Array,
    Enum,
    FunctionType,
    Member,
    Parameter,
    Pointer,
    Qualified,
    Record,
    Typedef,
    size_of,
)
from rtlinker.bind.spelling import SPELLINGS

NAMES = st.sampled_from(["a", "b", "c", "d"])
TAGS = st.sampled_from(["s", "t", None])
BASES = st.sampled_from([SPELLINGS[name] for name in ("int", "long", "char", "int unsigned", "double", "_Bool")])
VALUES = st.lists(st.tuples(st.sampled_from("ABC"), st.integers(0, 2)), max_size=3, unique_by=lambda pair: pair[0])
ENUMS = st.builds(lambda values: Enum("e", 4, tuple(values), False), VALUES)


def dressed(types):
    return types | st.builds(Typedef, NAMES, types) | st.builds(Qualified, st.just("const"), types)


def laid_out(kind, tag, parts):
    """A record with members one behind the other, each aligned to 8, or all at the start of a union."""
    members, offset = [], 0
    for name, ctype in parts:
        size = size_of(ctype) or 0
        if kind == "union":
            members.append(Member(name, ctype, 0))
            offset = max(offset, size)
        else:
            members.append(Member(name, ctype, offset))
            offset += -(-size // 8) * 8
    return Record(kind, tag, max(offset, 1), tuple(members))


def functions(types):
    parameters = st.lists(st.builds(Parameter, NAMES | st.none(), types), max_size=2).map(tuple)
    return st.builds(FunctionType, types | st.just(VOID), parameters, st.booleans())


def larger(types):
    parts = st.lists(st.tuples(NAMES, types), max_size=3, unique_by=lambda part: part[0])
    records = st.builds(laid_out, st.sampled_from(["struct", "union", "class"]), TAGS, parts)
    opaque = st.builds(Record, st.just("struct"), st.sampled_from(["s", "t"]), st.none())
    pointers = st.builds(Pointer, types | opaque | functions(types) | st.just(VOID))
    return dressed(records | pointers | st.builds(Array, types, st.integers(1, 2)))


TYPES = st.recursive(dressed(BASES | ENUMS), larger, max_leaves=5)
FUNCTIONS = functions(TYPES)


def varied(ctype, change):
    """The type made again, with what `change` makes of its parts."""
    if isinstance(ctype, Record):
        parts = [Member(change(m.name), varied(m.type, change), m.offset) for m in ctype.members]
        size = ctype.size
        return Record(ctype.kind, change(ctype.name), size, tuple(change(parts)) if size is not None else None)
    if isinstance(ctype, Pointer):
        return Pointer(varied(ctype.target, change))
    if isinstance(ctype, Array):
        return Array(varied(ctype.element, change), change(ctype.count))
    if isinstance(ctype, FunctionType):
        parameters = [Parameter(p.name, varied(p.type, change)) for p in ctype.parameters]
        return FunctionType(varied(ctype.result, change), tuple(change(parameters)), ctype.variadic)
    if isinstance(ctype, Typedef):
        return Typedef(change(ctype.name), varied(ctype.target, change))
    if isinstance(ctype, Qualified):
        return Qualified(ctype.qualifiers, varied(ctype.target, change))
    return change(ctype)


class Hand:
    """Leaves most parts alone, and changes some."""

    def __init__(self, random):
        self.random = random

    def __call__(self, part):
        if self.random.random() < 0.8:
            return part
        if isinstance(part, list):
            return self.random.sample(part, self.random.randint(0, len(part)))
        if isinstance(part, str):
            return self.random.choice("abst")
        if isinstance(part, int):
            return self.random.randint(1, 2)
        if isinstance(part, Enum):
            return Enum("e", 4, part.values[:-1], False)
        return part if part is None else self.random.choice([SPELLINGS["int"], SPELLINGS["double"], VOID])


def pairs(types):
    """Two types that differ in a few places, if at all."""
    near = st.builds(lambda ctype, random: (ctype, varied(ctype, Hand(random))), types, st.randoms())
    return near | st.tuples(types, types)


@given(pairs(TYPES))
def test_hashes_are_equal_where_nothing_changes(pair):
    assert (abi_hash(pair[0]) == abi_hash(pair[1])) == (layout_changes(*pair) == ())


@given(pairs(FUNCTIONS))
def test_hashes_of_functions_too(pair):
    assert (abi_hash(pair[0]) == abi_hash(pair[1])) == (signature_changes(*pair) == ())


@given(TYPES)
def test_a_type_made_again_has_no_changes(ctype):
    again = varied(ctype, lambda part: part)
    assert layout_changes(ctype, again) == ()
    assert record_changes(reachable_records(ctype), reachable_records(again)) == {}


@given(pairs(TYPES))
def test_there_is_a_change_back_where_there_is_one_forth(pair):
    assert bool(layout_changes(*pair)) == bool(layout_changes(*reversed(pair)))


@given(pairs(FUNCTIONS | TYPES))
def test_every_change_can_be_told(pair):
    found = layout_changes(*pair)
    assert all(change.text and change.severity in (BREAK, NOTE) for change in found)
    rows = account("v", *pair, found)
    assert all(label and text for label, text in rows)
    assert bool(found) == (rows[-1][0] in ("changes", "notes"))


@given(TYPES)
def test_a_size_that_differs_is_never_only_a_note(ctype):
    if size_of(ctype):
        padded = Record("struct", "s", size_of(ctype) + 8, (Member("a", ctype, 0),))
        tight = Record("struct", "s", size_of(ctype), (Member("a", ctype, 0),))
        assert any(change.severity == BREAK for change in layout_changes(tight, padded))
