"""Byte for byte: what we write is what GNU ld writes at the same addresses, for every rule and code model."""

import shutil
import subprocess
from pathlib import Path

import pytest

from rtlinker.elf.constants import (
    SHF_ALLOC,
    SHF_EXECINSTR,
    SHF_WRITE,
    SHT_PROGBITS,
    STB_LOCAL,
    STB_WEAK,
    STT_OBJECT,
    STT_SECTION,
)
from rtlinker.elf.writer import ObjectWriter
from rtlinker.errors import UndefinedSymbolsError
from rtlinker.x86_64.rules import RULES, UNSIGNED32
from tests.support.ld import differences, link_at

C_SOURCE = """
struct node { struct node *next; int value; };
extern int outside_data; extern int outside_function(int);
static int hidden_counter = 3; int shared_counter = 4; int tentative[20]; static int zeroes[100];
const char *const words[] = {"one", "two", "three"};
struct node first = {0, 1}, second = {&first, 2};
static int helper(int x) { return x * hidden_counter + zeroes[x & 63]; }
int (*table[])(int) = {helper, outside_function};
double scale(double x) { return x * 2.5 + 1e10; }
int work(int x) {
  shared_counter += x; zeroes[x & 63]++; tentative[x & 15]--;
  switch (x & 7) { case 0: return 1; case 1: return helper(x); case 2: return outside_data; case 3: return x * 7;
    case 4: return words[x % 3][0]; case 5: return table[x & 1](x); case 6: return second.next->value; }
  return outside_function(x) + *(&outside_data) + (int)(long)&outside_function + (int)scale(x);
}
"""

MODELS = [
    ("-fno-pic", 0x10000000),
    ("-fno-pic -mcmodel=medium", 0x10000000),
    ("-fno-pic -mcmodel=large", 0x7F0000000000),
    ("-fpie", 0x10000000),
    ("-fPIC", 0x10000000),
    ("-fPIC -fno-plt", 0x10000000),
    ("-fPIC -mcmodel=medium", 0x7F0000000000),
    ("-fPIC -mcmodel=large", 0x7F0000000000),
    ("-fno-pic -ffunction-sections -fdata-sections -fcommon", 0x20000000),
    ("-fPIC -Wa,-mrelax-relocations=no", 0x10000000),
]


@pytest.mark.parametrize(("flags", "address"), MODELS)
@pytest.mark.parametrize("optimise", ["-O0", "-O2"])
@pytest.mark.parametrize("engine", ["scalar", "native"])
def test_every_byte_of_a_code_model_is_lds(tmp_path, flags, address, optimise, engine):
    source, object = tmp_path / "model.c", tmp_path / "model.o"
    source.write_text(C_SOURCE)
    subprocess.run(["gcc", "-c", optimise, *flags.split(), str(source), "-o", str(object)], check=True)
    definitions = {"outside_data": address + 0x100000, "outside_function": address + 0x200010}
    wrong, compared, sites = differences(link_at([object], address, definitions, engine), tmp_path, definitions)
    assert not wrong
    assert compared > 500
    assert sites > 20


STATIC = [rule for rule in RULES.values() if rule.sort == "object" and rule.field.width and rule.number <= 42]
OUTSIDE = {"outside": 0x10300000}


def write_sites(path, rule):
    """An object with sites of one rule: against local, global, sized, absolute, section and outside symbols."""
    writer = ObjectWriter()
    writer.section(".text", b"\x90" * 512, SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, 16)
    data = writer.section(".data", bytes(64), SHT_PROGBITS, SHF_ALLOC | SHF_WRITE, 16)
    writer.undefined("_GLOBAL_OFFSET_TABLE_")  # so that ld says where it is
    holes = writer.section(".holes", bytes(16 * 64), SHT_PROGBITS, SHF_ALLOC | SHF_WRITE, 16)
    symbols = [
        writer.symbol("local", data, 8, 4, bind=STB_LOCAL, type=STT_OBJECT),
        writer.symbol("target", data, 16, 8, type=STT_OBJECT),
        writer.symbol("sized", data, 24, 24, type=STT_OBJECT),
        writer.symbol("", data, 0, bind=STB_LOCAL, type=STT_SECTION),
    ]
    addends = (0, -4, 17, 300)
    if rule.field.width < 4:
        symbols = [writer.symbol("near", holes, 20)] if "P" in rule.terms else [writer.absolute("small", 0x22)]
        addends = (0, 5, -3)
    elif "Z" not in rule.terms:
        symbols.append(writer.undefined("outside"))
        if "GOT" not in rule.terms:
            symbols += [writer.absolute("number", 0x1234), writer.undefined("missing", bind=STB_WEAK)]
    sites = [(symbol, addend) for symbol in symbols for addend in addends]
    if rule.needs_slot:  # ld reads a slot's neighbour for other addends, and relaxes nothing here
        sites = [(symbol, -4) for symbol in symbols]
    if "Z" in rule.terms or rule.field is UNSIGNED32:
        sites = [(symbol, addend) for symbol, addend in sites if addend >= 0]
    for number, (symbol, addend) in enumerate(sites):
        near = 2 if rule.field.width < 4 and "P" in rule.terms else 16
        writer.relocation(holes, near * number + 3 * near, rule.number, symbol, addend)
    path.write_bytes(writer.bytes())
    return len(sites)


@pytest.mark.parametrize("rule", STATIC, ids=lambda rule: rule.name)
@pytest.mark.parametrize("engine", ["scalar", "native"])
def test_every_site_of_a_rule_is_lds(tmp_path, rule, engine):
    if rule.number in {39, 40}:
        pytest.skip("expected: GNU ld no longer knows the deprecated numbers")
    object = tmp_path / "rule.o"
    count = write_sites(object, rule)
    wrong, _, compared = differences(link_at([object], 0x10000000, OUTSIDE, engine), tmp_path, OUTSIDE)
    assert not wrong
    assert compared == count >= 3


def ghc_packages():
    """ghc-prim, ghc-bignum and base as GHC ships them for its own linker."""
    if shutil.which("ghc") is None:
        pytest.skip("ghc is missing")
    home = Path(subprocess.run(["ghc", "--print-libdir"], capture_output=True, text=True, check=True).stdout.strip())
    return [next(home.rglob(name)) for name in ("HSghc-prim-*.o", "HSghc-bignum-*.o", "HSbase-4*.o")]


def test_every_byte_of_ghcs_base_is_lds(tmp_path):
    paths = ghc_packages()
    with pytest.raises(UndefinedSymbolsError) as caught:
        link_at(paths, 0x10000000)
    phony = {symbol.name: 0x8000000 + 64 * at for at, symbol in enumerate(caught.value.symbols)}
    wrong, compared, sites = differences(link_at(paths, 0x10000000, phony), tmp_path, phony)
    assert not wrong
    assert compared > 6_000_000
    assert sites > 300_000
