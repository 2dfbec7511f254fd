"""The same archives, asked of binutils and of us."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from rtlinker.elf.archive import Archive, Member, read_archive
from tests.support.archives import defined_symbols, write_archive

pytestmark = pytest.mark.skipif(
    not (shutil.which("ar") and shutil.which("as") and shutil.which("nm")), reason="needs ar, as and nm of binutils"
)

LIBRARIES = [
    Path("/usr/lib/x86_64-linux-gnu", name) for name in ("libz.a", "libc.a", "libc_nonshared.a", "libpthread.a")
]
present = pytest.mark.parametrize("path", [path for path in LIBRARIES if path.exists()], ids=lambda path: path.name)


def run(*command: object, cwd: Path | None = None) -> bytes:
    return subprocess.run([str(word) for word in command], check=True, capture_output=True, cwd=cwd).stdout


def opened(path: Path) -> Archive:
    return read_archive(path.read_bytes(), str(path), str(path.parent))


@pytest.fixture
def objects(tmp_path: Path) -> list[str]:
    """Four objects in tmp_path, with odd sizes, a long name, a subdirectory and a suffix that is not .o."""
    (tmp_path / "sub").mkdir()
    names = ["a.o", "sub/a_member_with_a_long_name.o", "no_suffix", "z.obj"]
    for number, name in enumerate(names):
        source = (
            f".globl f{number}, same\nf{number}: ret\nsame: ret\n.weak w{number}\nw{number}: ret\n.comm c{number}, 8\n"
        )
        source += f".local hidden{number}\nhidden{number}: ret\n.globl outside\ncall outside\n"
        subprocess.run(["as", "-o", name, "-"], input=source.encode(), check=True, cwd=tmp_path)
    return names


MODES = {"GNU": "rc", "thin": "rcT", "without index": "rcS", "absolute thin": "rcT", "deterministic": "rcD"}


@pytest.fixture(params=MODES)
def archive(request: pytest.FixtureRequest, objects: list[str], tmp_path: Path) -> Path:
    path = tmp_path / "x.a"
    names = [tmp_path / name for name in objects] if request.param == "absolute thin" else objects
    run("ar", MODES[request.param], path, *names, cwd=tmp_path)
    return path


def index_of(archive: Archive) -> dict[str, int]:
    def define(archive: Archive, member: Member) -> list[str]:
        return defined_symbols(bytes(archive.contents(member)))

    return archive.index() if archive.has_index else archive.index_with(define)


def nm_index(path: Path) -> dict[str, str]:
    """What `nm -s` prints above the members: name to member name, the first line of each name."""
    index: dict[str, str] = {}
    for name, member in re.findall(r"^(\S+) in (.+)$", run("nm", "-s", path).decode(), re.M):
        index.setdefault(name, member)
    return index


def test_members_are_those_of_ar(archive: Path) -> None:
    listed = run("ar", "t", archive).decode().splitlines()
    assert [Path(member.name).name for member in opened(archive).members] == [Path(name).name for name in listed]


def test_contents_are_those_of_ar(archive: Path) -> None:
    ours = b"".join(bytes(opened(archive).contents(member)) for member in opened(archive).members)
    assert ours == run("ar", "p", archive)


def test_the_index_made_from_members_is_the_one_ranlib_writes(archive: Path) -> None:
    made = index_of(opened(archive))
    names = {name: Path(opened(archive).member_at(offset).name).name for name, offset in made.items()}
    run("ranlib", archive)
    assert names == {name: Path(member).name for name, member in nm_index(archive).items()}


def test_a_thin_archive_may_contain_an_archive(objects: list[str], tmp_path: Path) -> None:
    run("ar", "rc", "inner.a", *objects[:2], cwd=tmp_path)
    run("ar", "rcT", "outer.a", "inner.a", objects[2], cwd=tmp_path)
    outer = opened(tmp_path / "outer.a")
    ours = b"".join(bytes(outer.contents(member)) for member in outer.members)
    assert ours == b"".join((tmp_path / name).read_bytes() for name in objects[:3])


def test_the_index_of_a_nested_archive_leads_through(objects: list[str], tmp_path: Path) -> None:
    run("ar", "rc", "inner.a", *objects[:2], cwd=tmp_path)
    run("ar", "rcT", "outer.a", objects[2], "inner.a", cwd=tmp_path)
    outer = opened(tmp_path / "outer.a")
    found = outer.contents(outer.member_at(outer.index()["f1"]))
    assert bytes(found) == (tmp_path / objects[1]).read_bytes()


def test_a_thin_archive_in_another_directory_finds_its_files(objects: list[str], tmp_path: Path) -> None:
    run("ar", "rcT", "sub/x.a", *objects, cwd=tmp_path)
    archive = opened(tmp_path / "sub" / "x.a")
    ours = [bytes(archive.contents(member)) for member in archive.members]
    assert ours == [(tmp_path / name).read_bytes() for name in objects]


@present
def test_members_of_an_installed_library_are_those_of_ar(path: Path) -> None:
    assert [member.name for member in opened(path).members] == run("ar", "t", path).decode().splitlines()


@present
def test_contents_of_an_installed_library_are_those_of_ar(path: Path) -> None:
    archive = opened(path)
    assert b"".join(archive.contents(member) for member in archive.members) == run("ar", "p", path)


@present
def test_the_index_of_an_installed_library_is_that_of_nm(path: Path) -> None:
    archive = opened(path)
    index = archive.index() if archive.members else {}
    assert {name: archive.member_at(offset).name for name, offset in index.items()} == nm_index(path)


@pytest.mark.parametrize(("thin", "bits"), [(False, 32), (False, 64), (True, 32)])
def test_archives_of_the_test_writer_are_read_by_nm(objects: list[str], tmp_path: Path, thin: bool, bits: int) -> None:
    members = [(name, (tmp_path / name).read_bytes()) for name in objects]
    members = [(name if thin else Path(name).name, data) for name, data in members]
    path = tmp_path / "x.a"
    path.write_bytes(write_archive(members, thin=thin, bits=bits))
    archive = opened(path)
    ours = {name: Path(archive.member_at(offset).name).name for name, offset in archive.index().items()}
    assert ours == {name: Path(member).name for name, member in nm_index(path).items()}
