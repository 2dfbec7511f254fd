"""One pass over a unit: where its functions, scopes and variables lie, without reading what nobody asks for.

A compiler describes every parameter, automatic variable and inlined call; of these only functions, what encloses them,
and variables with storage of their own matter to who wants to find storage again. Which is which, the tag and the first
byte of the location tell.
"""

from __future__ import annotations

from rtlinker.dwarf import constants as c
from rtlinker.dwarf.abbreviations import Abbreviation, uleb

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rtlinker.dwarf.entries import Unit

    Plan = tuple[int, bool, int, list[int]]

STATIC_OPERATIONS = frozenset((0x03, 0x0C, 0x0E, 0xA1, 0xA2, 0xFB, 0xFC))
"""DW_OP_addr, const4u, const8u, addrx, constx, GNU_addr_index, GNU_const_index: how a place begins that never moves."""

_PASS, _PRUNE, _SCOPE, _FUNCTION, _DECLARED, _MEMBER, _LISTED, _VARIABLE = range(8)
_SCOPES = frozenset((c.TAG_NAMESPACE, c.TAG_STRUCTURE_TYPE, c.TAG_CLASS_TYPE, c.TAG_UNION_TYPE))
_PRUNED = frozenset((
    c.TAG_ENUMERATION_TYPE, c.TAG_ARRAY_TYPE, c.TAG_SUBROUTINE_TYPE, c.TAG_INLINED_SUBROUTINE, c.TAG_CALL_SITE,
    c.TAG_GNU_CALL_SITE,
))  # fmt: skip
_LEB = frozenset((0x0D, 0x0F, 0x15, 0x1A, 0x1B, 0x22, 0x23, 0x1F01, 0x1F02))
_EXPRESSIONS = frozenset((0x18, 0x0A, 0x09))  # exprloc; before DWARF 4 block1 and block
_NUMBER, _TEXT, _EXPRESSION, _BLOCK, _VALUE = -1, -2, -3, -4, -10


class Rows:
    """Where things lie in a unit, by their offsets in its section.

    `functions` are defined or abstract ones, `declared` the rest. `storage` holds variables that seem to have an
    address, `unplaced` those of files and classes without a location, `local` those of functions without one. `parents`
    has the offset of the scope around each of them, 0 for the unit.
    """

    __slots__ = ("declared", "functions", "local", "parents", "storage", "unplaced")

    def __init__(self) -> None:
        self.functions: list[int] = []
        self.declared: list[int] = []
        self.storage: list[int] = []
        self.unplaced: list[int] = []
        self.local: list[int] = []
        self.parents: dict[int, int] = {}


def walk(unit: Unit) -> Rows:
    """The rows of one unit, in the order of its entries."""
    rows, data, end = Rows(), unit.data, unit.end
    plans: dict[int, Plan] = {}
    place, scope, inside = unit.top.end, 0, False
    outer: list[tuple[int, bool]] = []
    while place < end:
        start, code = place, data[place]
        place += 1
        if code >= 0x80:
            code, place = uleb(data, start)
        elif not code:
            if not outer:
                break
            scope, inside = outer.pop()
            continue
        action, children, sibling, steps = plans.get(code) or _plan(unit, code, plans)
        located = 0
        for step in steps:
            if step >= 0:
                place += step
            elif step >= _BLOCK and step <= _EXPRESSION:
                size, place = uleb(data, place) if step == _EXPRESSION else (data[place], place + 1)
                located, place = place if size else 0, place + size
            else:
                place = _after(unit, place, step)
        if action > _PRUNE:
            _note(rows, (start, scope, action), inside, data[located] if located else 0)
        if children:
            if action == _PRUNE and sibling:
                place = max(_sibling(unit, place - sibling), place)
            else:
                outer.append((scope, inside))
                if _SCOPE <= action <= _DECLARED:
                    scope, inside = start, inside or action >= _FUNCTION
    return rows


def _note(rows: Rows, row: tuple[int, int, int], inside: bool, first: int) -> None:
    """Add one entry; `first` is the first operation of its location, 0 without one."""
    start, scope, action = row
    if action >= _LISTED:
        if first in STATIC_OPERATIONS:
            rows.storage.append(start)
        elif not inside:
            rows.unplaced.append(start)
        elif first or action == _LISTED:
            return  # on the stack or in registers
        else:
            rows.local.append(start)
    elif action == _FUNCTION:
        rows.functions.append(start)
    elif action == _DECLARED:
        rows.declared.append(start)
    rows.parents[start] = scope


def _plan(unit: Unit, code: int, plans: dict[int, Plan]) -> Plan:
    """What to do at entries of one abbreviation: action, children, bytes back to a sibling or 0, steps to skip it."""
    abbreviation = unit.abbreviations[code]
    steps = [0]
    behind = 0
    for attribute, form, _ in abbreviation.attributes:
        if attribute == c.AT_SIBLING and form == 0x13:  # ref4, as gcc writes it
            behind = 4
            steps[-1:] = [steps[-1] + 4] if steps[-1] >= 0 else [steps[-1], 4]
            continue
        step = _step(unit, attribute, form)
        if step < 0:
            steps.append(step)
        elif steps[-1] >= 0:
            steps[-1] += step
        else:
            steps.append(step)
        behind = behind + step if behind and step >= 0 else 0
    plan = plans[code] = _action(unit, abbreviation), abbreviation.children, behind, steps
    return plan


def _step(unit: Unit, attribute: int, form: int) -> int:
    """Bytes of an attribute, or how to find them."""
    if form in _LEB:
        return _NUMBER
    if form == 0x08:
        return _TEXT
    if form in _EXPRESSIONS and (attribute == c.AT_LOCATION or form == 0x18):
        return _BLOCK if form == 0x0A else _EXPRESSION
    if form in (0x0A, 0x03, 0x04, 0x09, 0x16):
        return _VALUE - form
    return unit.size_of(form)


def _action(unit: Unit, abbreviation: Abbreviation) -> int:
    """What entries of an abbreviation are to who looks for storage."""
    tag = abbreviation.tag
    forms = {attribute: form for attribute, form, _ in abbreviation.attributes}
    if tag == c.TAG_VARIABLE:
        return _LISTED if forms.get(c.AT_LOCATION, 0x18) not in _EXPRESSIONS else _VARIABLE
    if tag == c.TAG_SUBPROGRAM:
        return _DECLARED if c.AT_DECLARATION in forms else _FUNCTION
    if tag in _PRUNED or (tag in _SCOPES and unit.top.number(c.AT_LANGUAGE) in c.C_LANGUAGES):
        return _PRUNE
    if tag in _SCOPES:
        return _SCOPE
    return _MEMBER if tag == c.TAG_MEMBER and c.AT_DECLARATION in forms else _PASS


def _after(unit: Unit, place: int, step: int) -> int:
    """Where an attribute ends whose size is not fixed."""
    if step == _NUMBER:
        while unit.data[place] & 0x80:
            place += 1
        return place + 1
    if step == _TEXT:
        return unit.data.index(0, place) + 1
    return unit.value(_VALUE - step, 0, place)[1]


def _sibling(unit: Unit, place: int) -> int:
    """Where the next entry of the level starts."""
    return unit.start + int.from_bytes(unit.data[place : place + 4], "little")
