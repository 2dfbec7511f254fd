"""Sections lie as they ask to: any power of two, 2 MiB at least."""

import pytest

import rtlinker


@pytest.mark.parametrize("align", [1, 16, 4096, 65536, 2 << 20, 16 << 20])
@pytest.mark.parametrize("flags", ["-fPIC", "-fno-pic"])
def test_data_and_zeroes_and_code_are_aligned(compile, in_child, align, flags):
    path = compile(
        f"__attribute__((aligned({align}))) char data[3] = {{ 1 }}, zero[3];"
        f"__attribute__((aligned({align}))) const char constant[3] = {{ 2 }};"
        f"__attribute__((aligned({align}))) int code(void) {{ return data[0] + constant[0]; }}",
        flags=flags,
    )

    def call():
        library = rtlinker.load(path)
        return [library.address(name) % align for name in ("data", "zero", "constant", "code")], library.code()

    assert in_child(call) == ([0, 0, 0, 0], 3)
