"""What a crash is told as: from written facts, without a process that dies."""

import struct
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtlinker.errors import CrashError
from rtlinker.host.mappings import Mapping
from rtlinker.isolate.crash import Crash, follows_call, signal_name, untraced_crash
from rtlinker.isolate.report import caller_rows, crash_error, crash_report, instruction_text

STACK = 0x7000


def crash(**fields):
    registers = {"rip": 0x1004, "rsp": STACK, "rbp": STACK + 16, "rax": 0}
    usual = {
        "signal": 11,
        "signal_name": "SIGSEGV",
        "code_text": "address not mapped",
        "fault_address": 0x8,
        "rip": 0x1004,
        "registers": registers,
        "instruction": bytes.fromhex("c7000100000090"),
        "thread": 42,
    }
    return Crash(**usual | fields)


def symbolise(address):
    return f"draw+{address - 0x1000:#x} (plot.o)" if 0x1000 <= address < 0x2000 else None


def row(text, label):
    return next(line for line in text.splitlines() if line.startswith(f"  {label} "))


def test_the_first_line_names_signal_and_cause():
    first = crash_report(crash(), symbolise).splitlines()[0]
    assert first == "error: the called code died of SIGSEGV (address not mapped)"


def test_the_place_is_named():
    assert row(crash_report(crash(), symbolise), "at").endswith("0x1004 draw+0x4 (plot.o)")


def test_a_null_pointer_is_called_one():
    assert row(crash_report(crash(), symbolise), "fault").endswith("0x8 (a null pointer)")


def test_an_access_at_the_stack_pointer_suggests_an_overflow():
    assert "the stack is used up" in row(crash_report(crash(fault_address=STACK - 8), symbolise), "fault")


def test_an_address_that_is_mapped_shows_its_permissions():
    mappings = (Mapping(0x5000, 0x6000, "r--p", 0, "/x/libc.so.6"),)
    text = row(crash_report(crash(fault_address=0x5010, mappings=mappings), symbolise), "fault")
    assert text.endswith("0x5010 libc.so.6+0x10 (mapped r--)")


def test_registers_stand_four_in_a_row():
    lines = crash_report(crash(), symbolise).splitlines()
    at = lines.index(row("\n".join(lines), "registers"))
    assert [len(line.split()) for line in lines[at : at + 5]] == [9, 8, 8, 8, 4]


def test_the_instruction_is_disassembled():
    assert row(crash_report(crash(), symbolise), "instruction").endswith("mov dword ptr [rax], 1    c7 00 01 00 00 00")


def test_without_capstone_the_instruction_s_bytes_are_shown(monkeypatch):
    monkeypatch.setitem(sys.modules, "capstone", None)
    assert instruction_text(b"\xc7\x00\x01", 0) == "c7 00 01"


def test_bytes_that_are_no_instruction_are_shown():
    assert instruction_text(b"\x06\x06", 0) == "(no instruction)    06 06"


def test_an_unnamed_place_is_told_by_file_and_offset():
    mappings = (Mapping(0x9000, 0xA000, "r-xp", 0x2000, "/x/libfoo.so"),)
    assert row(crash_report(crash(rip=0x9010, mappings=mappings), symbolise), "at").endswith("0x9010 libfoo.so+0x2010")


def test_after_an_exec_our_symbols_are_not_asked():
    text = crash_report(crash(program="/bin/sh"), symbolise)
    assert "draw" not in text
    assert row(text, "program").endswith("/bin/sh")


def test_an_untraced_crash_is_one_line():
    assert crash_report(untraced_crash(11), symbolise) == "error: the called code died of SIGSEGV"


def test_the_exception_carries_signal_and_place():
    error = crash_error(crash(), symbolise)
    assert (type(error), error.signal, error.address) == (CrashError, 11, 0x1004)


def with_stack(words, returns):
    return crash(stack=struct.pack(f"<{len(words)}Q", *words), return_addresses=tuple(returns))


def test_callers_on_the_chain_of_frame_pointers_are_certain():
    words = [0x1500, 0, STACK + 32, 0x1100, 0, 0x1200]
    chain = with_stack(words, [(STACK, 0x1500), (STACK + 24, 0x1100), (STACK + 40, 0x1200)])
    assert [line[0] for line in caller_rows(chain, symbolise)] == ["?", " ", " "]


def test_a_caller_is_named_by_its_call_and_not_by_what_follows():
    assert caller_rows(with_stack([0x1500], [(STACK, 0x1500)]), symbolise) == ["? draw+0x4ff (plot.o)"]


def test_a_frame_pointer_that_leads_backwards_ends_the_chain():
    words = [0, 0, STACK + 16, 0x1100]
    assert caller_rows(with_stack(words, [(STACK + 24, 0x1100)]), symbolise) == ["  draw+0xff (plot.o)"]


def test_a_word_that_has_no_name_is_no_caller():
    assert caller_rows(with_stack([0x9999], [(STACK, 0x9999)]), symbolise) == []


def test_a_long_chain_is_cut_and_counted():
    words = [0x1100] * 20
    rows = caller_rows(with_stack(words, [(STACK + 8 * row, 0x1100) for row in range(20)]), symbolise)
    assert (len(rows), rows[-1]) == (13, "  and 8 more")


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("e8 00 00 00 00", "call rel32"),
        ("ff d0", "call rax"),
        ("41 ff d2", "call r10"),
        ("ff 10", "call [rax]"),
        ("ff 50 08", "call [rax+8]"),
        ("ff 54 24 08", "call [rsp+8]"),
        ("ff 14 24", "call [rsp]"),
        ("ff 90 00 01 00 00", "call [rax+0x100]"),
        ("ff 94 24 00 01 00 00", "call [rsp+0x100]"),
        ("ff 15 00 00 00 00", "call [rip]"),
        ("ff 14 c5 00 00 00 00", "call [rax*8]"),
    ],
)
def test_every_form_of_call_is_recognised(code, text):
    assert follows_call(bytes.fromhex(code).rjust(8, b"\x90")), text


@pytest.mark.parametrize("code", ["90 90 90 90 90 90 90 90", "ff e0", "ff 25 00 00 00 00", "c3", "00 00 00 ff d0 90"])
def test_what_is_no_call_is_not_taken_for_one(code):
    assert not follows_call(bytes.fromhex(code).rjust(8, b"\x90"))


def test_fewer_than_eight_bytes_are_no_call():
    assert not follows_call(b"\xff\xd0")


@given(st.integers(0, 3), st.integers(0, 7), st.binary(min_size=5, max_size=5))
def test_every_indirect_call_capstone_knows_is_recognised(mode, register, rest):
    capstone = pytest.importorskip("capstone")
    code = bytes([0xFF, mode << 6 | 2 << 3 | register]) + rest
    decoder = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)
    ((_, size, mnemonic, _),) = decoder.disasm_lite(code, 0, 1)
    assert mnemonic == "call"
    assert follows_call(code[:size].rjust(8, b"\0"))


@pytest.mark.parametrize(("number", "name"), [(11, "SIGSEGV"), (31, "SIGSYS"), (36, "SIGRTMIN+2"), (32, "signal 32")])
def test_a_signal_has_its_name(number, name):
    assert signal_name(number) == name
