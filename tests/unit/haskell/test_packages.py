"""The package databases, as we read them and as ghc-pkg does."""

from pathlib import Path

import pytest

from rtlinker.errors import BadObjectError, LinkError
from rtlinker.haskell import packages
from rtlinker.haskell.names import parse_symbol
from rtlinker.haskell.packages import find_packages, parse_fields, read_database
from tests.support.compile import run


def test_the_packages_are_those_of_ghc_pkg():
    listed = run("ghc-pkg", "list", "--global", "--simple-output").split()
    assert sorted(f"{one.name}-{one.version}" for one in find_packages().by_id.values()) == sorted(listed)


@pytest.mark.parametrize("field", ["id", "depends", "library-dirs", "hs-libraries", "hidden-modules"])
def test_fields_are_those_of_ghc_pkg(field):
    for package in find_packages().by_id.values():
        told = run("ghc-pkg", "--global", "field", package.id, field, "--simple-output").replace(",", " ").split()
        ours = {
            "id": [package.id], "depends": package.depends, "library-dirs": package.directories,
            "hs-libraries": package.libraries, "hidden-modules": package.hidden_modules,
        }[field]  # fmt: skip
        assert sorted(ours) == sorted(told), package.id


def test_a_name_leads_to_its_package_and_its_files():
    package_of = find_packages().package_of
    base = package_of(parse_symbol("base_GHCziBase_zlzg_info"))
    assert (base.name, base.unit, base.id) == ("base", "base", f"base-{base.version}")
    assert all(Path(path).is_file() for path in (base.shared, base.archive, base.object))
    assert package_of(parse_symbol("textzm1zi2zi5zi0_DataziText_append_closure")).name == "text"
    assert package_of(parse_symbol("Test_maFonction_closure")) is None
    assert package_of(parse_symbol("nowherezm1zi0_NoziWhere_f_closure")) is None


def test_a_package_comes_after_what_it_needs():
    known = find_packages()
    units = [package.unit for package in known.closure([known.unit("text-1.2.5.0")])]
    assert units.index("rts") < units.index("ghc-prim") < units.index("base") < units.index("text-1.2.5.0")
    assert len(units) == len(set(units))


def test_a_module_leads_to_its_packages():
    assert [package.name for package in find_packages().with_module("Data.Map.Strict")] == ["containers"]


def test_fields_go_on_in_indented_lines():
    fields = parse_fields("Name: one\n-- a comment\ndepends:\n    a b\n\n    c\nid: one-1")
    assert fields == {"name": "one", "depends": "a b\n\nc", "id": "one-1"}


def test_a_database_may_lie_anywhere(tmp_path):
    database = tmp_path / "package.conf.d"
    database.mkdir()
    (database / "own.conf").write_text(
        "name: own\nversion: 1\nid: own-1-inplace\nlibrary-dirs: ${pkgroot}/lib\nhs-libraries: HSown-1-inplace\n"
    )
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib/libHSown-1-inplace-ghc9.0.2.so").touch()
    (own,) = read_database(str(database), "9.0.2")
    assert own.unit == "own-1-inplace"
    assert own.shared == str(tmp_path / "lib/libHSown-1-inplace-ghc9.0.2.so")
    assert own.archive is own.object is None


def test_a_package_that_needs_a_missing_one_is_refused(tmp_path):
    (tmp_path / "own.conf").write_text("name: own\nid: own-1\ndepends: other-2\n")
    known = packages.Packages(find_packages().compiler, read_database(str(tmp_path), "9.0.2"))
    with pytest.raises(LinkError, match="haskell package is not installed") as caught:
        known.closure([known.unit("own-1")])
    assert ("needs", "other-2") in caught.value.facts


def test_a_missing_compiler_is_named(monkeypatch):
    monkeypatch.setenv("GHC", "ghc-that-is-not-there")
    with pytest.raises(LinkError, match="no GHC was found"):
        find_packages()


def test_package_path_of_the_environment_is_honoured(monkeypatch, tmp_path):
    (tmp_path / "own.conf").write_text("name: own\nid: own-1\nversion: 1\n")
    monkeypatch.setenv("GHC_PACKAGE_PATH", f"{tmp_path}:")
    assert {"own-1", "rts"} <= find_packages().by_id.keys()
    monkeypatch.delenv("GHC_PACKAGE_PATH")
    assert "own-1" not in find_packages().by_id


@pytest.mark.parametrize("content", [b"", b"name: acme\n", b"id: acme-1\n", b"\xff\xfe\n"])
def test_a_file_that_describes_no_package_is_named(tmp_path, content):
    (tmp_path / "acme.conf").write_bytes(content)
    with pytest.raises(BadObjectError, match="not the description of a package") as caught:
        read_database(str(tmp_path), "9.0.2")
    assert "acme.conf" in str(caught.value)


@pytest.mark.parametrize("said", ["echo no list", 'echo \'[("a","b")]\'', "exit 3"])
def test_a_program_that_is_no_ghc_is_named(tmp_path, monkeypatch, said):
    program = tmp_path / "ghc"
    program.write_text(f"#!/bin/sh\n{said}\n")
    program.chmod(0o755)
    monkeypatch.setenv("GHC", str(program))
    with pytest.raises(LinkError, match="ghc does not answer") as caught:
        find_packages()
    assert ("program", str(program)) in caught.value.facts


def test_of_one_package_in_two_databases_the_first_of_the_path_counts(monkeypatch, tmp_path):
    for version in ("1", "2"):
        (tmp_path / version).mkdir()
        (tmp_path / version / "own.conf").write_text(f"name: own\nid: own-same\nversion: {version}\n")
    for order in ("12", "21"):
        monkeypatch.setenv("GHC_PACKAGE_PATH", ":".join(str(tmp_path / version) for version in order))
        assert find_packages().by_id["own-same"].version == order[0]


def test_versions_are_compared_as_numbers():
    versions = [package.numbers for package in find_packages().by_id.values() if package.name == "text"]
    assert versions == [(1, 2, 5, 0)]
