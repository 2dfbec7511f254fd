"""Whether calls within an object may be led elsewhere: what its units record of how they were compiled.

An optimiser that sees the body of a function relies on it in the callers, even where it does not inline it: on the
registers it leaves alone, on the memory it does not write. Only two flags forbid that for functions that are not local:
-fPIC, under which another library's definition may come first, and gcc's -flive-patching. The producer's text
(DW_AT_producer) lists what gcc was given; clang lists it only if it is asked to (-grecord-command-line), and treats
functions of -fPIC code as its own unless -fsemantic-interposition is given. The last of contradicting flags counts.

What it proves, it proves of functions of default visibility: `inline` functions of C++ (weak symbols) and hidden ones
are known to their callers all the same.
"""

from __future__ import annotations

from rtlinker.facts import Fact

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rtlinker.dwarf.program import CompileUnit, Program

_POSITION = {
    "-fPIC": True, "-fpic": True, "-fPIE": False, "-fpie": False, "-fno-PIC": False, "-fno-pic": False,
    "-fno-PIE": False, "-fno-pie": False,
}  # fmt: skip
_INTERPOSITION = {"-fsemantic-interposition": True, "-fno-semantic-interposition": False, "-Ofast": False}
_VISIBILITY = "-fvisibility="


class Missing(Fact):
    """Why one unit proves nothing: its source, and the flag that would prove it or that spoils it."""

    unit: str
    flag: str


class CompilerFlags(Fact):
    """What the units of an object prove. `missing` is empty where calls within it may be redirected."""

    missing: tuple[Missing, ...]

    @property
    def proven(self) -> bool:
        """Whether every unit was compiled so that no caller knows the body of a function that others see."""
        return not self.missing


def compiler_flags(program: Program) -> CompilerFlags:
    """What the recorded flags of an object's units prove; nothing for an object without debug information."""
    if not program.units:
        return CompilerFlags((Missing("", "-g"),))
    return CompilerFlags(tuple([Missing(unit.name, flag) for unit in program.units if (flag := _missing(unit))]))


def missing_flag(program: Program | None) -> str | None:
    """What an error says of an object whose calls must stay: `a.c: without -fPIC`; None where all is proven."""
    flags = compiler_flags(program) if program is not None else CompilerFlags((Missing("", "-g"),))
    if flags.proven:
        return None
    return "\n".join([f"{each.unit}: without {each.flag}".removeprefix(": ") for each in flags.missing])


def _missing(unit: CompileUnit) -> str:
    """The flag that a unit lacks, or that spoils it; empty if it lacks none."""
    words = unit.producer.split()
    if any(word == "-flto" or word.startswith("-flto=") for word in words):
        return "-fno-lto"
    if any(word.startswith("-flive-patching") for word in words):
        return ""
    clang = "clang" in unit.producer
    if clang and not any(word.startswith("-") for word in words):
        return "-grecord-command-line -fPIC -fsemantic-interposition"
    if not _last(words, _POSITION, False):
        return "-fPIC"
    if not _last(words, _INTERPOSITION, not clang):
        return "-fsemantic-interposition"
    visibility = [word for word in words if word.startswith(_VISIBILITY)]
    if visibility and visibility[-1] != _VISIBILITY + "default":
        return _VISIBILITY + "default"
    return ""


def _last(words: list[str], meanings: dict[str, bool], otherwise: bool) -> bool:
    for word in reversed(words):
        if word in meanings:
            return meanings[word]
    return otherwise
