"""A module imports only from lower floors or from its own room; only the command line prints (see docs/design)."""

import ast

import pytest

from tests.architecture.source import imports, modules

FLOORS = {
    "facts": 0, "errors": 0, "units": 0, "engines": 0, "hashes": 0, "options": 0,
    "elf": 1, "x86_64": 1, "host": 1,
    "link": 2,
    "live": 3,
    "dwarf": 4, "bind": 4, "isolate": 4, "show": 4, "debug": 4, "reload": 4, "haskell": 4,
    "library": 5, "api": 5,
    "hot": 6,
    "rtlinker": 7,
    "cli": 8, "__main__": 9,
}  # fmt: skip
"""Rooms and lone modules by floor. `rtlinker` is the package itself, which knows the public names and the version."""

MAY_PRINT = {
    "rtlinker.isolate.run": "the child tells why it exits, as Python does for SystemExit",
    "rtlinker.show.relocation_table": "run as a module it writes the document that is generated from the rules",
}
"""Module outside of the command line -> why it prints."""

ONE_SUBJECT = [{"dwarf", "bind"}, {"api", "library"}, {"facts", "errors", "units", "engines", "hashes", "options"}]
"""Rooms of one floor that may import each other: types read and called, the public face, the ground floor."""


def allowed(room: str, other: str) -> bool:
    if room == other or any({room, other} <= subject for subject in ONE_SUBJECT):
        return True
    return FLOORS[other] < FLOORS[room]


@pytest.mark.parametrize("module", modules(), ids=lambda module: module.name)
def test_imports_go_down(module):
    assert module.room in FLOORS, f"give the room {module.room} a floor"
    wrong = []
    for name, line in imports(module):
        other = name.split(".")[1] if "." in name else "rtlinker"
        if other not in FLOORS or not allowed(module.room, other):
            wrong.append(f"{module.path.name}:{line} imports {name}")
    assert not wrong


def test_every_room_of_the_house_has_a_module():
    assert {"facts", "errors", "elf", "x86_64", "host", "link", "live", "dwarf", "bind", "api"} <= {
        module.room for module in modules()
    }


@pytest.mark.parametrize(
    "module",
    [module for module in modules() if module.room not in {"cli", "__main__"} and module.name not in MAY_PRINT],
    ids=lambda module: module.name,
)
def test_only_the_command_line_prints(module):
    printing = [
        node.lineno
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call)
        and (
            (isinstance(node.func, ast.Name) and node.func.id == "print")
            or ast.unparse(node.func).startswith(("sys.stdout.write", "sys.stderr.write", "sys.stdout.buffer"))
        )
    ]
    assert not printing, f"{module.path.name} prints in lines {printing}"


@pytest.mark.parametrize(
    "module", [module for module in modules() if module.room in {"link", "x86_64"}], ids=lambda module: module.name
)
def test_the_link_knows_no_process(module):
    names = {
        alias.name.partition(".")[0]
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    } | {(node.module or "").partition(".")[0] for node in ast.walk(module.tree) if isinstance(node, ast.ImportFrom)}
    assert not names & {"ctypes", "mmap", "os", "sys", "pathlib", "subprocess", "socket"}


RUNS_OUR_LOOPS = "rtlinker.host.routine"
"""Calls machine code of ours over Python's own buffers: it is to the link what a C module would be, see ADR 10."""


@pytest.mark.parametrize(
    "module", [module for module in modules() if module.room == "link"], ids=lambda module: module.name
)
def test_the_link_asks_the_process_only_through_scope_and_place(module):
    """All of host/ acts on the process or reads it, but for what runs loops of our own."""
    names = [(name, line) for name, line in imports(module) if not name.startswith(RUNS_OUR_LOOPS)]
    asked = [f"{name}, line {line}" for name, line in names if name.split(".")[1:2] == ["host"]]
    assert not asked, f"{module.path.name} imports {asked}"
