"""GNU ld as a calculator: the bytes it writes when every section lies where our layout put it.

ld gets a script that places each input section at our address, absolute definitions for what is outside of the link,
and is told not to relax, merge or edit. What it cannot be told is where a GOT slot goes, so sites that name a slot are
compared by what they lead to.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from struct import iter_unpack, unpack_from

from elftools.elf.elffile import ELFFile

from rtlinker.elf.constants import SHF_ALLOC, SHF_WRITE, SHT_NOBITS, SHT_PROGBITS
from rtlinker.elf.reader import read_object
from rtlinker.elf.writer import ObjectWriter
from rtlinker.link.pipeline import link
from rtlinker.link.scope import Definition, Inputs, Table, ThreadVariable
from rtlinker.link.thread_block import ThreadAnswer
from rtlinker.x86_64.rules import RULES


class Pretended:
    """Memory at an address of the test's choice, in a bytearray."""

    def __init__(self, address):
        self.address = address
        self.view = memoryview(b"")

    def beyond(self, addresses, low):
        return {address for address in addresses if abs(address - self.address) >= 1 << 30}

    def reserve(self, size, align, low, reach, span):
        self.address = (self.address + align - 1) & -align
        self.view = memoryview(bytearray(size))
        return self

    def threads(self, request):
        return pretended_threads(request)


def pretended_threads(request):
    """Module 1 with its block right below the thread pointer, as in a program; others' variables are somewhere."""
    distance = -(-(-request.size // request.align) * request.align)
    words = []
    for want in request.wants:
        at = -0x1000 if want.variable else distance + want.offset
        pair = (2, 0x40) if want.variable else (1, want.offset)
        words.append({"pair": pair, "distance": (at, 0), "descriptor": (9, at % (1 << 64))}[want.kind])
    return ThreadAnswer(tuple(words), ThreadVariable("", "block", 0), 1, distance)


def link_at(paths, address, definitions=None, engine="auto", reader=read_object):
    """The image of some objects at a pretended address; what they leave undefined is `definitions`' to say."""
    objects = tuple(reader(Path(path).read_bytes(), str(path)) for path in paths)
    outside = {name: Definition(name, value, "outside", "function") for name, value in (definitions or {}).items()}
    inputs = Inputs(objects, Table("user", {}), (), Table("outside", outside), engine=engine)
    return link(inputs, Pretended(address))


def got_probe():
    """An object whose first word ld makes the address of its _GLOBAL_OFFSET_TABLE_."""
    writer = ObjectWriter()
    section = writer.section(".probe", bytes(16), SHT_PROGBITS, SHF_ALLOC | SHF_WRITE, 8)
    got = writer.undefined("_GLOBAL_OFFSET_TABLE_")
    writer.relocation(section, 0, 1, got)
    writer.relocation(section, 8, 29, got)
    return writer.bytes()


def ld_image(image, directory, definitions=None):
    """{(object number, section index): bytes} as GNU ld writes them at the image's addresses; also its ELFFile."""
    script, wanted = ["SECTIONS {"], {}
    for number, object in enumerate(image.resolution.objects):
        for index in object.sections.allocated:
            place = image.layout.sections[number][index]
            if place < 0 or not object.sections.sizes[index]:
                continue
            output = f".o{number}_{index}"
            name = object.sections.names[index]
            assert object.sections.names.count(name) == 1, f"{name} is ambiguous in {object.name}"
            script.append(f'  {output} {image.address + place:#x} : {{ KEEP("{object.name}"({name})) }}')
            wanted[output] = number, index
    for name, offset in image.layout.commons.items():
        script.append(f"  {name} = {image.address + offset:#x};")
    # apart, because ld adds .got.plt's offset in its output section to G where the psABI takes it away
    script.append(f"  .got {image.address + (1 << 20):#x} : {{ *(.got) *(.igot) }}")
    script.append(f"  .got.plt {image.address + (3 << 20):#x} : {{ *(.got.plt) *(.igot.plt) }}")
    script.append(f"  .probe {image.address + (2 << 20):#x} : {{ *(.probe) }}")
    script.append("  .rest 0 (INFO) : { *(.comment) }\n  /DISCARD/ : { *(*) }\n}")
    path, output = directory / "place.ld", directory / "ld.out"
    path.write_text("\n".join(script))
    command = ["ld", "-static", "--no-relax", "--traditional-format", "--no-check-sections", "-z", "norelro", "-e", "0"]
    command += ["--no-warn-rwx-segments", "-z", "max-page-size=4096", "-T", str(path), "-o", str(output)]
    symbols = directory / "symbols.ld"
    symbols.write_text("".join(f'"{name}" = {value:#x};\n' for name, value in (definitions or {}).items()))
    command += [str(symbols)] if definitions else []
    probe = directory / "probe.o"
    probe.write_bytes(got_probe())
    result = subprocess.run(
        command + [object.name for object in image.resolution.objects] + [str(probe)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr[:2000]
    with output.open("rb") as file:
        elf = ELFFile(file)
        found = {
            wanted[s.name]: s.data() for s in elf.iter_sections() if s.name in wanted and s["sh_type"] != "SHT_NOBITS"
        }
        got = elf.get_section_by_name(".got")
        where = unpack_from("<Q", elf.get_section_by_name(".probe").data())[0]
        slots = (got["sh_addr"], got.data(), where) if got else (0, b"", where)
    return found, slots


def differences(image, directory, definitions=None):
    """Every site or byte at which our image is not ld's, as texts; and how many bytes and sites were compared."""
    theirs, slots = ld_image(image, directory, definitions)
    wrong, compared, sites = [], 0, 0
    for number, object in enumerate(image.resolution.objects):
        for index in object.sections.allocated:
            place, size = image.layout.sections[number][index], object.sections.sizes[index]
            if place < 0 or not size or object.sections.types[index] == SHT_NOBITS:
                continue
            ours, other = bytearray(image.memory.view[place : place + size]), bytearray(theirs[number, index])
            for table in object.relocations:
                if table.section == index:
                    sites += len(table.table) // 24
                    wrong += _slot_sites(image, number, table, ours, other, slots)
            compared += size
            if ours != other:
                at = next(at for at in range(size) if ours[at] != other[at])
                rules = [
                    RULES[info & 255].name
                    for t in object.relocations
                    if t.section == index
                    for offset, info, _ in iter_unpack("<QQq", t.table)
                    if offset <= at < offset + 8
                ]
                wrong.append(
                    f"{object.name}:({object.sections.names[index]}+{at:#x}) {rules}: "
                    f"{ours[at : at + 8].hex(' ')} is not ld's {other[at : at + 8].hex(' ')}"
                )
    return wrong, compared, sites


def _slot_sites(image, number, table, ours, other, slots):
    """Compare the sites that name the GOT by what they lead to, and make their bytes equal in both."""
    wrong = []
    place = image.address + image.layout.sections[number][table.section]
    got, (start, words, their_got) = image.addresses.got, slots
    read_ours = lambda slot: unpack_from("<Q", image.memory.view, slot - image.address)[0]  # noqa: E731
    read_theirs = lambda slot: unpack_from("<Q", words, slot - start)[0]  # noqa: E731
    for offset, info, addend in iter_unpack("<QQq", table.table):
        rule = RULES[info & 0xFFFFFFFF]
        if not rule.terms.keys() & {"G", "GOT"}:
            continue
        mine = _relaxed(ours, offset, place, rule, addend)
        if mine is None:
            mine = _leads_to(ours, offset, place, rule, addend, got, read_ours)
        yours = _leads_to(other, offset, place, rule, addend, their_got, read_theirs)
        if rule.terms.keys() == {"GOT", "A", "P"}:
            mine, yours = mine - got, yours - their_got
        if mine != yours:
            wrong.append(f"{rule.name} at {offset:#x}: leads to {mine:#x}, with ld to {yours:#x}")
        first = max(offset - 2, 0) if rule.relaxable else offset
        ours[first : offset + rule.field.width] = other[first : offset + rule.field.width]
    return wrong


def _number(data, offset, width):
    return int.from_bytes(data[offset : offset + width], "little", signed=True)


def _relaxed(data, offset, place, rule, addend):
    """The target of a site that was relaxed; None for one that still reads its slot."""
    head = bytes(data[max(offset - 2, 0) : offset])
    if not rule.relaxable or addend != -4 or len(head) < 2:
        return None
    if head[0] == 0x8D or head == b"\x67\xe8":
        return place + offset + 4 + _number(data, offset, 4)
    if head[0] == 0xE9:
        return place + offset + 3 + _number(data, offset - 1, 4)
    return None


def _leads_to(data, offset, place, rule, addend, got, read):
    """What the formula's target is once A, P and GOT are taken off: an address, through the slot where there is one."""
    value = _number(data, offset, rule.field.width) - addend
    if "P" in rule.terms:
        value += place + offset
    elif rule.needs_slot or "GOT" in rule.terms:
        value += got
    return read(value) if rule.needs_slot else value & 0xFFFFFFFFFFFFFFFF
