"""Small objects without a compiler: what a test names, and nothing else."""

from rtlinker.elf.constants import (
    SHF_ALLOC,
    SHF_EXECINSTR,
    SHF_WRITE,
    SHT_NOBITS,
    SHT_PROGBITS,
    STB_GLOBAL,
    STB_WEAK,
    STT_FUNC,
    STV_DEFAULT,
)
from rtlinker.elf.reader import read_object
from rtlinker.elf.writer import ObjectWriter
from rtlinker.link.scope import Definition, Inputs, Table

CODE = SHF_ALLOC | SHF_EXECINSTR
DATA = SHF_ALLOC | SHF_WRITE


def make(name, defines=(), wants=(), weak=(), weakly_wants=(), commons=(), hidden_wants=(), sections=()):
    """An object. `commons` are (name, size, align), `sections` are (name, size or bytes, flags, type, align)."""
    writer = ObjectWriter()
    text = writer.section(".text", b"\xc3" * 64, SHT_PROGBITS, CODE, 16)
    for section, size, flags, kind, align in sections:
        content = size if isinstance(size, bytes) else b"" if kind == SHT_NOBITS else bytes(size)
        writer.section(section, content, kind, flags, align, size=len(content) or size)
    for at, symbol in enumerate(defines):
        writer.symbol(symbol, text, at, 1, bind=STB_GLOBAL, type=STT_FUNC)
    for at, symbol in enumerate(weak):
        writer.symbol(symbol, text, 32 + at, 1, bind=STB_WEAK, type=STT_FUNC)
    for symbol, size, align in commons:
        writer.common(symbol, size, align)
    offset = 0
    for symbol, bind, visibility in (
        *((symbol, STB_GLOBAL, STV_DEFAULT) for symbol in wants),
        *((symbol, STB_WEAK, STV_DEFAULT) for symbol in weakly_wants),
        *((symbol, STB_GLOBAL, 2) for symbol in hidden_wants),
    ):
        handle = writer.undefined(symbol, bind=bind, visibility=visibility)
        writer.relocation(text, offset, 4, handle, -4)
        offset += 8
    return read_object(writer.bytes(), name)


class Members:
    """An archive of objects, as a link sees one."""

    def __init__(self, name, *objects):
        self.name = name
        self.objects = objects

    def index(self):
        from rtlinker.elf.index import index_symbols

        found = {}
        for position, object in enumerate(self.objects):
            for name in (*index_symbols(object).defined, *index_symbols(object).commons):
                found.setdefault(name, position)
        return found

    def object_at(self, position):
        return self.objects[position]


def table(name="process", **addresses):
    """A scope that knows these names."""
    return Table(name, {key: Definition(key, value, name) for key, value in addresses.items()})


def inputs(*objects, user=None, providers=(), process=None, **named):
    """The inputs of a link, with empty scopes where none is given."""
    return Inputs(tuple(objects), user or table("user"), tuple(providers), process or table(), **named)
