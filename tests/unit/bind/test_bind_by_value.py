"""Records of random shape go by value and come back, among other arguments, through both compilers."""

from __future__ import annotations

import random

import pytest

from rtlinker.bind.ctype import Array, Pointer, Record, plain
from rtlinker.bind.home import Home
from rtlinker.bind.records import StructValue, new_struct
from rtlinker.errors import UnsupportedError

SCALARS = ["char", "signed char", "short", "int", "unsigned", "long", "unsigned long", "float", "double", "_Bool",
           "void *", "long double", "__int128", "float _Complex", "double _Complex"]  # fmt: skip
OFTEN = [3, 3, 3, 5, 3, 5, 2, 6, 6, 1, 2, 0.4, 0.4, 1, 0.5]
COUNT = 60


def members(chance, depth, prefix):
    found = []
    for place in range(chance.choice([1, 1, 2, 2, 3, 4, 5])):
        name, kind = f"{prefix}{place}", chance.random()
        if kind < 0.1 and depth < 2:
            found.append(f"{chance.choice(['struct', 'union'])} {{ {members(chance, depth + 1, name)} }} n{name};")
        elif kind < 0.2:
            found.append(f"{chance.choice(['int', 'unsigned', 'long'])} b{name} : {chance.randint(1, 31)};")
        elif kind < 0.35:
            found.append(f"{chance.choice(SCALARS[:9])} a{name}[{chance.randint(1, 4)}];")
        else:
            found.append(f"{chance.choices(SCALARS, OFTEN)[0]} f{name};")
    return " ".join(found)


def source(seed):
    chance, text, shapes = random.Random(seed), "", []
    for number in range(COUNT):
        before = [chance.choice(["int", "double", "float", "long"]) for _ in range(chance.randint(0, 9))]
        after = [chance.choice(["int", "double"]) for _ in range(chance.randint(0, 2))]
        first = [f"{kind} p{place}" for place, kind in enumerate(before)]
        last = [f"{kind} q{place}" for place, kind in enumerate(after)]
        record = f"struct s{number}"
        parameters = ", ".join([*first, f"{record} s", *last])
        terms = [f"p{n} * {n + 1}" for n in range(len(before))] + [f"q{n} * 100" for n in range(len(after))]
        total = " + ".join(["0.0", *terms])
        text += f"{record} {{ {members(chance, 0, '')} }}; {record} g{number};\n"
        text += f"double take{number}({parameters}) {{ g{number} = s; return {total}; }}\n"
        text += f"{record} give{number}({parameters}) {{ return s; }}\n"
        shapes.append((len(before), len(after)))
    return text, shapes


def example(chance, ctype):
    ctype = plain(ctype)
    if isinstance(ctype, Record):
        return {member.name: number(chance, member) for member in ctype.members}
    if isinstance(ctype, Array):
        return [example(chance, ctype.element) for _ in range(ctype.count)]
    if isinstance(ctype, Pointer):
        return chance.randrange(1 << 47)
    if ctype.encoding in ("float", "complex"):
        return chance.randrange(10000) / 4
    return chance.randrange(2 if ctype.encoding == "bool" else 1 << (8 * ctype.size - 1))


def number(chance, member):
    return example(chance, member.type) if member.bit_size is None else chance.randrange(1 << (member.bit_size - 1))


@pytest.mark.parametrize("seed", [1, 4])
def test_records_of_any_shape_arrive_and_return_or_are_refused(build, seed):
    text, shapes = source(seed)
    native, chance, refused = build(text), random.Random(seed), 0
    for place, (before, after) in enumerate(shapes):
        variable = getattr(native, f"g{place}")
        record = plain(variable.ctype)
        value = new_struct(record, **example(chance, record))
        first = [chance.randrange(100) for _ in range(before)]
        last = [chance.randrange(100) for _ in range(after)]
        try:
            total = getattr(native, f"take{place}")(*first, value, *last)
            assert total == sum(n * (i + 1) for i, n in enumerate(first)) + 100 * sum(last)
            assert repr(StructValue(record, variable.address, Home())) == repr(value)
            assert repr(getattr(native, f"give{place}")(*first, value, *last)) == repr(value)
        except UnsupportedError:
            refused += 1
    assert refused <= COUNT // 10
