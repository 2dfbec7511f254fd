"""The packages that GHC has installed, read from its package databases.

A database is a directory with one text file for each package, of fields like a mail's header (GHC User's Guide,
"Package databases"). The files are read as they are: asking ghc-pkg takes longer than reading and linking a small
object. Only where the global database is must be asked of `ghc`.
"""

from __future__ import annotations

import os
import subprocess
from shutil import which

from rtlinker.errors import BadObjectError, LinkError
from rtlinker.facts import Fact
from rtlinker.haskell.names import MAIN, Name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

WIRED = frozenset(("base", "ghc", "ghc-bignum", "ghc-prim", "rts", "template-haskell"))
"""Packages that the compiler itself knows: symbols have their names without a version (GHC.Unit.Types)."""


class Compiler(Fact):
    """Which GHC: the program, its version, and its databases, the global one first."""

    program: str
    version: str
    databases: tuple[str, ...]


class Package(Fact):
    """One installed package. `unit` is as symbols have it (`base`, `text-1.2.5.0`), `id` as the database has it.

    `shared`, `archive` and `object` are paths of its libraries, None where the file is not installed; `depends` are
    the ids of the packages that it needs.
    """

    id: str
    unit: str
    name: str
    version: str
    directories: tuple[str, ...]
    shared: str | None
    archive: str | None
    object: str | None
    depends: tuple[str, ...]
    extra_libraries: tuple[str, ...]
    exposed_modules: tuple[str, ...]
    hidden_modules: tuple[str, ...]
    libraries: tuple[str, ...]
    """Names of its libraries as its database has them: `HSbase-4.15.1.0`."""
    compiler: str
    """The version of the GHC that has it, which the names of shared libraries end in."""

    @property
    def numbers(self) -> tuple[int, ...]:
        """The version as numbers, to be compared."""
        return tuple([int(part) for part in self.version.split(".") if part.isdigit()])

    def file(self, pattern: str) -> str | None:
        """The path of a library of the package; `pattern` has a `{}` for the library's name. None where it is not."""
        for directory in self.directories:
            for library in self.libraries:
                path = os.path.join(directory, pattern.format(library))  # noqa: PTH118
                if os.path.exists(path):  # noqa: PTH110
                    return path
        return None


class Packages:
    """The packages of a compiler, by id and by unit; of several databases, the last one that has an id wins."""

    def __init__(self, compiler: Compiler, packages: Sequence[Package]) -> None:
        self.compiler = compiler
        self.by_id = {package.id: package for package in packages}
        self.by_unit = {package.unit: package for package in packages}

    def package_of(self, name: Name) -> Package | None:
        """The package that a name is of; None when it is not installed, or the program's own."""
        return None if name.package == MAIN else self.by_unit.get(name.package)

    def unit(self, unit: str) -> Package:
        """The package of a unit that must be there. Raises LinkError when it is not installed."""
        if unit not in self.by_unit:
            facts = [("package", unit), ("compiler", f"GHC {self.compiler.version}")]
            raise LinkError("haskell package is not installed", facts)
        return self.by_unit[unit]

    def closure(self, packages: Sequence[Package]) -> list[Package]:
        """The packages and all that they need, each once and after those that it needs.

        Raises LinkError when one of them needs a package that is not installed.
        """
        found: dict[str, Package] = {}
        for package in packages:
            self._add(package, found)
        return list(found.values())

    def _add(self, package: Package, found: dict[str, Package]) -> None:
        if package.id in found:
            return
        for id in package.depends:
            if id not in self.by_id:
                facts = [("package", package.id), ("needs", id), ("compiler", f"GHC {self.compiler.version}")]
                raise LinkError("haskell package is not installed", facts, "check the installation with ghc-pkg check")
            self._add(self.by_id[id], found)
        found[package.id] = package

    def with_module(self, module: str) -> list[Package]:
        """The packages that have a module of this name."""
        return [
            package
            for package in self.by_id.values()
            if module in package.exposed_modules or module in package.hidden_modules
        ]


_compilers: dict[tuple[str, ...], Compiler] = {}
_packages: dict[tuple[object, ...], Packages] = {}


def find_packages() -> Packages:
    """The packages of the GHC on the path, read once and again after a database has changed.

    Raises LinkError when there is no GHC.
    """
    compiler = find_compiler()
    key = (compiler.program, *[(path, _stamp(path)) for path in compiler.databases])
    if key not in _packages:
        found = [package for database in compiler.databases for package in read_database(database, compiler.version)]
        _packages.clear()
        _packages[key] = Packages(compiler, found)
    return _packages[key]


def find_compiler() -> Compiler:
    """The GHC that `$GHC` names, else the one on the path. Raises LinkError when there is none."""
    program = which(os.environ.get("GHC", "ghc"))
    if program is None:
        raise LinkError(
            "no GHC was found",
            [("program", os.environ.get("GHC", "ghc"))],
            "install it (Debian: apt install ghc), or name it in the environment variable GHC",
        )
    extra = os.environ.get("GHC_PACKAGE_PATH", "")
    key = (os.path.realpath(program), os.environ.get("HOME", ""), extra)
    if key not in _compilers:
        _compilers[key] = _ask(program, extra)
    return _compilers[key]


def _ask(program: str, extra: str) -> Compiler:
    """What a compiler says of itself; databases are those that it would look into itself."""
    from ast import literal_eval

    try:
        text = subprocess.run([program, "--info"], capture_output=True, text=True, check=True).stdout  # noqa: S603
        told = dict(literal_eval(text.strip()))
        version, database = told["Project version"], told["Global Package DB"]
    except (OSError, ValueError, SyntaxError, KeyError, subprocess.CalledProcessError) as error:
        raise LinkError("ghc does not answer", [("program", program), ("reason", str(error))]) from None
    target = told.get("target platform string", "x86_64-unknown-linux").split("-")
    home = os.path.expanduser(f"~/.ghc/{target[0]}-{target[-1]}-{version}/package.conf.d")  # noqa: PTH111
    usual = (database, home)
    wanted = [place for path in extra.split(":") for place in ([path] if path else usual)] if extra else usual
    ordered = wanted if not extra else [*reversed(wanted)]  # the first of GHC_PACKAGE_PATH comes first for ghc
    return Compiler(program, version, tuple([path for path in ordered if os.path.isdir(path)]))  # noqa: PTH112


def _stamp(path: str) -> int:
    return os.stat(path).st_mtime_ns  # noqa: PTH116


def read_database(path: str, compiler: str) -> list[Package]:
    """The packages of one database; `compiler` is the version of the GHC that it belongs to.

    Raises BadObjectError for a file that describes none.
    """
    found = []
    for file in sorted(os.listdir(path)):  # noqa: PTH208
        if file.endswith(".conf"):
            place = os.path.join(path, file)  # noqa: PTH118
            with open(place, encoding="utf-8", errors="replace") as text:  # noqa: PTH123
                fields = parse_fields(text.read())
            if not fields.get("id") or not fields.get("name"):
                raise BadObjectError(
                    place, "not the description of a package", "no id or no name", hint="ghc-pkg check"
                )
            found.append(_package(fields, path, compiler))
    return found


def parse_fields(text: str) -> dict[str, str]:
    """The fields of a package's file, names in small letters; lines that are indented go on with the last field."""
    fields: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in text.splitlines():
        if line[:1].isspace() or not line:
            lines.append(line.strip())
        elif not line.startswith("--"):
            name, _, rest = line.partition(":")
            lines = fields.setdefault(name.strip().lower(), [])
            lines.append(rest.strip())
    return {name: "\n".join(lines).strip() for name, lines in fields.items()}


def _package(fields: Mapping[str, str], database: str, compiler: str) -> Package:
    def words(field: str) -> tuple[str, ...]:
        root = os.path.dirname(database)  # noqa: PTH120
        found = fields.get(field, "").replace(",", " ").split()
        return tuple([word.strip('"').replace("${pkgroot}", root) for word in found])

    id, name = fields["id"], fields["name"]
    directories = tuple(dict.fromkeys([*words("library-dirs"), *words("dynamic-library-dirs")]))
    exposed = fields.get("exposed-modules", "")
    modules = exposed.split(",") if "," in exposed else exposed.split()  # `A, B from base-4:B`, or `A B`
    package = Package(
        id, name if name in WIRED else id, name, fields.get("version", ""), directories, None, None, None,
        words("depends"), words("extra-libraries"),
        tuple([module.split()[0] for module in modules if module.strip()]), words("hidden-modules"),
        words("hs-libraries"), compiler,
    )  # fmt: skip
    return _with_files(package)


def _with_files(package: Package) -> Package:
    from rtlinker.facts import replace

    return replace(
        package,
        shared=package.file(f"lib{{}}-ghc{package.compiler}.so"),
        archive=package.file("lib{}.a"),
        object=package.file("{}.o"),
    )
