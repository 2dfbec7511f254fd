"""Whatever is in a file, reading and linking it ends in a result or in an error of ours, never in another exception."""

import subprocess

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rtlinker.elf.reader import read_object
from rtlinker.errors import BadObjectError, LinkError
from rtlinker.link.pipeline import link
from rtlinker.link.scope import Definition, Inputs, Table
from rtlinker.units import MIB
from tests.support.ld import Pretended

SOURCE = """
#include <stdio.h>
static int counter; int table[40]; const char *name = "name"; extern int other; int common_one[3];
__attribute__((constructor)) static void start(void) { counter = 1; }
inline int twice(int x) { return 2 * x; } int (*pointer)(int) = twice;
int work(int x) { table[x & 31] += counter + other; return printf("%s %d", name, twice(x)); }
"""


@pytest.fixture(scope="module")
def valid(tmp_path_factory):
    """A plain object with data, code, relocations, groups and constructors."""
    directory = tmp_path_factory.mktemp("valid")
    (directory / "valid.cc").write_text(SOURCE)
    subprocess.run(["g++", "-c", "-O1", "-g1", "-gz", "valid.cc", "-o", "valid.o"], cwd=directory, check=True)
    return (directory / "valid.o").read_bytes()


class Everything(Table):
    """A scope that knows every name."""

    def find(self, name, version=None):
        return Definition(name, 0x7F0000400000, "everything", "function")


class Modest(Pretended):
    """A place that refuses what no test needs."""

    def reserve(self, size, align, low, reach, span):
        if size > 64 * MIB:
            raise MemoryError(size)
        return super().reserve(size, min(align, MIB), low, reach, span)


def attempt(data, engine="scalar"):
    """Read and link; the error, or None."""
    try:
        object = read_object(data, "mutant.o")
        link(
            Inputs((object,), Table("user", {}), (), Everything("everything", {}), engine=engine),
            Modest(0x7F0000000000),
        )
    except (LinkError, MemoryError) as error:
        assert str(error)
        return error
    return None


def test_the_valid_object_links(valid):
    assert attempt(valid) is None
    assert attempt(valid, "native") is None


def test_every_truncation_is_refused(valid):
    for length in range(len(valid)):
        with pytest.raises(BadObjectError) as caught:
            read_object(valid[:length], "cut.o")
        assert caught.value.file == "cut.o"


@given(st.data())
@settings(max_examples=1500, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_changed_end_in_a_result_or_an_error_of_ours(valid, data):
    mutant = bytearray(valid)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(mutant) - 1))
        mutant[at] = data.draw(st.integers(0, 255))
    attempt(bytes(mutant), data.draw(st.sampled_from(["scalar", "native"])))


@given(st.data())
@settings(max_examples=1500, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_section_header_field_changed_ends_in_a_result_or_an_error_of_ours(valid, data):
    mutant = bytearray(valid)
    table = int.from_bytes(valid[40:48], "little")
    count = int.from_bytes(valid[60:62], "little")
    section = data.draw(st.integers(0, count - 1))
    offset, width = data.draw(
        st.sampled_from([(0, 4), (4, 4), (8, 8), (24, 8), (32, 8), (40, 4), (44, 4), (48, 8), (56, 8)])
    )
    value = data.draw(
        st.one_of(st.integers(0, 40), st.integers(0, (1 << 8 * width) - 1), st.sampled_from([1 << 31, 1 << 20]))
    )
    at = table + 64 * section + offset
    mutant[at : at + width] = (value % (1 << 8 * width)).to_bytes(width, "little")
    attempt(bytes(mutant), data.draw(st.sampled_from(["scalar", "native"])))


@given(st.data())
@settings(max_examples=1500, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_table_record_changed_ends_in_a_result_or_an_error_of_ours(valid, data):
    object = read_object(valid, "valid.o")
    tables = [index for index, kind in enumerate(object.sections.types) if kind in {2, 4, 17}]
    section = data.draw(st.sampled_from(tables))
    start, size = object.sections.offsets[section], object.sections.sizes[section]
    mutant = bytearray(valid)
    at = start + data.draw(st.integers(0, size // 4 - 1)) * 4
    mutant[at : at + 4] = data.draw(st.one_of(st.integers(0, 64), st.integers(0, (1 << 32) - 1))).to_bytes(4, "little")
    attempt(bytes(mutant), data.draw(st.sampled_from(["scalar", "native"])))
