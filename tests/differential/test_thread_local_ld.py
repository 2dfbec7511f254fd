"""Thread-local sites lead where GNU ld's lead.

ld turns every access model into local exec when it makes a program: its sites hold the distance from the thread
pointer itself. Ours keep the model that the compiler chose; what they lead to, slots and offsets, must add up to that
distance too. Sites of local exec are equal to the byte.
"""

import subprocess
from struct import iter_unpack, unpack_from

import pytest
from elftools.elf.elffile import ELFFile

from rtlinker.elf.constants import SHF_TLS
from rtlinker.x86_64.rules import RULES
from tests.support.ld import link_at

SOURCE = """
static __thread int zero; __thread int seven = 7; __thread long many[4] __attribute__((aligned(64))) = {1, 2};
__thread char late[100]; static __thread short small = 3; __thread double half = 0.5;
int bump(void) { return ++zero; }
int get(void) { return seven; }
long *where(int i) { return many + i; }
char pick(int i) { return late[i] + small; }
double twice(void) { return 2 * half + zero + seven; }
"""
MODELS = {
    "local exec": "-fPIE -ftls-model=local-exec",
    "local exec, large": "-mcmodel=large",
    "initial exec": "-fPIC -ftls-model=initial-exec",
    "general and local dynamic": "-fPIC",
    "local dynamic": "-fPIC -ftls-model=local-dynamic",
    "descriptors": "-fPIC -mtls-dialect=gnu2",
}
BASE = 0x10000000


def ld_program(image, directory):
    """ld's program with the thread-local sections as ours lie, by section name: their bytes."""
    (object,), sections = image.resolution.objects, image.resolution.objects[0].sections
    script = ["SECTIONS {"]
    block = sorted(image.layout.block.sections.items(), key=lambda entry: entry[1])
    for (_, index), offset in block:
        name = sections.names[index]
        script.append(f"  {name} {image.address + image.layout.template + offset:#x} : {{ *({name}) }}")
    for index in sections.allocated:
        if not sections.flags[index] & SHF_TLS and sections.sizes[index]:
            place, name = image.address + image.layout.sections[0][index], sections.names[index]
            script.append(f"  {name} {place:#x} : {{ *({name}) }}")
    script.append(f"  .got {BASE + (1 << 20):#x} : {{ *(.got) *(.got.plt) }}\n  /DISCARD/ : {{ *(*) }}\n}}")
    (directory / "place.ld").write_text("\n".join(script))
    command = ["ld", "-static", "--no-check-sections", "-z", "norelro", "-e", "0", "--no-warn-rwx-segments"]
    command += ["-T", directory / "place.ld", "--defsym", "__tls_get_addr=0x10400000"]
    subprocess.run([*command, object.name, "-o", directory / "program"], check=True)
    with (directory / "program").open("rb") as file:
        elf = ELFFile(file)
        assert [segment for segment in elf.iter_segments() if segment["p_type"] == "PT_TLS"]
        return {section.name: section.data() for section in elf.iter_sections()}


def lead(image, rule, at, addend, distance):
    """The distance from the thread pointer to which the site at an image offset leads; `distance` is the block's."""
    view = image.memory.view
    if rule.name == "R_X86_64_TPOFF64":
        return unpack_from("<q", view, at)[0]
    value = unpack_from("<i", view, at)[0]
    if rule.name == "R_X86_64_TPOFF32":
        return value
    if rule.name == "R_X86_64_DTPOFF32":
        return value + distance
    slot = at + value - addend
    if rule.name == "R_X86_64_GOTTPOFF":
        return unpack_from("<q", view, slot)[0]
    first, second = unpack_from("<Qq", view, slot)
    if rule.name == "R_X86_64_GOTPC32_TLSDESC":
        return second
    assert first == 1  # the link's own module
    return second + distance


HELD_AT = {"R_X86_64_TLSGD": 8}
"""Where ld writes the distance, in bytes from the site: in the second instruction of the rewritten pair."""


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("optimise", ["-O0", "-O2"])
@pytest.mark.parametrize("engine", ["scalar", "native"])
def test_every_site_leads_where_lds_leads(tmp_path, model, optimise, engine):
    path = tmp_path / "thread.o"
    (tmp_path / "thread.c").write_text(SOURCE)
    command = ["gcc", "-c", optimise, "-fno-asynchronous-unwind-tables", *MODELS[model].split()]
    subprocess.run([*command, tmp_path / "thread.c", "-o", path], check=True)
    image = link_at([path], BASE, {"__tls_get_addr": 0x10400000}, engine)
    theirs = ld_program(image, tmp_path)
    object, compared = image.resolution.objects[0], 0
    for table in object.relocations:
        name, start = object.sections.names[table.section], image.layout.sections[0][table.section]
        for offset, info, addend in iter_unpack("<QQq", table.table):
            rule = RULES[info & 0xFFFFFFFF]
            if rule.sort != "tls" or not rule.field.width:
                continue
            if rule.name == "R_X86_64_TLSLD":
                slot = start + offset + unpack_from("<i", image.memory.view, start + offset)[0] - addend
                assert unpack_from("<QQ", image.memory.view, slot) == (1, 0)
                continue
            block = image.layout.block
            distance = -(-(-block.size // block.align) * block.align)
            width = "<q" if rule.field.width == 8 else "<i"
            held = unpack_from(width, theirs[name], offset + HELD_AT.get(rule.name, 0))[0]
            assert lead(image, rule, start + offset, addend, distance) == held, object.site_title(table.section, offset)
            compared += 1
    assert compared >= 7
