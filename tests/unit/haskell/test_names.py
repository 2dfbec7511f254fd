"""GHC's symbols: z-encoding there and back, and what a symbol says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtlinker.haskell.names import Name, decode, encode, parse_symbol, symbol_of
from rtlinker.haskell.packages import find_packages
from tests.support.compile import run

ENCODED = {
    "System.IO": "SystemziIO",
    "ghc-prim": "ghczmprim",
    "$fSemigroup[]": "zdfSemigroupZMZN",
    "<>": "zlzg",
    "foldl'": "foldlzq",
    "unpackCString#": "unpackCStringzh",
    "zZ_": "zzZZzu",
    "()": "Z0T",
    "(,)": "Z2T",
    "(,,)": "Z3T",
    "(# #)": "Z1H",
    "(#,#)": "Z2H",
    "été": "z0e9Utz0e9U",
    "λ": "z3bbU",
}


@pytest.mark.parametrize(("text", "encoded"), ENCODED.items())
def test_names_are_encoded_as_by_ghc(text, encoded):
    assert encode(text) == encoded
    assert decode(encoded) == text


@given(st.text())
def test_any_name_comes_back(text):
    assert decode(encode(text)) == text


@given(st.text(alphabet="zZU0aTHn_(,#"))
def test_any_text_can_be_decoded(text):
    assert isinstance(decode(text), str)


@given(st.text())
def test_what_is_encoded_is_letters_and_digits(text):
    assert all(character.isascii() and character.isalnum() for character in encode(text))


SYMBOLS = {
    "base_GHCziBase_zlzg_info": Name("base", "GHC.Base", "<>", "info"),
    "ghczmprim_GHCziTypes_TrNameS_con_info": Name("ghc-prim", "GHC.Types", "TrNameS", "con_info"),
    "textzm1zi2zi5zi0_DataziText_append_closure": Name("text-1.2.5.0", "Data.Text", "append", "closure"),
    "Test_maFonction_closure": Name("main", "Test", "maFonction", "closure"),
    "ghczmprim_GHCziTuple_Z2T_con_info": Name("ghc-prim", "GHC.Tuple", "(,)", "con_info"),
    "A_Color_closure_tbl": Name("main", "A", "Color", "closure_tbl"),
}


@pytest.mark.parametrize(("symbol", "name"), SYMBOLS.items())
def test_a_symbol_says_package_module_and_name(symbol, name):
    assert parse_symbol(symbol) == name
    assert symbol_of(name) == symbol


@pytest.mark.parametrize(
    "symbol", ["", "_", "puts", "main", "stg_ap_n_fast", "stg_SRT_1_info", "stg_CAF_BLACKHOLE_info", "a_b_c", "X_info"]
)
def test_other_symbols_say_nothing(symbol):
    assert parse_symbol(symbol) is None


def test_every_closure_of_base_is_understood():
    table = run("nm", "-D", "--defined-only", find_packages().unit("base").shared)
    symbols = [line.split()[2] for line in table.splitlines() if line.endswith(("_closure", "_info"))]
    names = {symbol: parse_symbol(symbol) for symbol in symbols if symbol.startswith("base_")}
    assert len(names) > 10_000
    assert [symbol for symbol, name in names.items() if name is None or symbol_of(name) != symbol] == []


def test_a_name_shows_its_parts():
    assert str(parse_symbol("base_GHCziBase_zlzg_info")) == "(<>) of the module GHC.Base in the package base"
    assert parse_symbol("base_SystemziIO_putStrLn_closure").qualified == "System.IO.putStrLn"


@pytest.mark.parametrize("text", ["Z1000T", "Z99999H", "z110000U", "z0ffffffffU"])
def test_a_code_for_what_cannot_be_stands_for_itself(text):
    assert decode(text) == text
