"""A shared library without code, made in memory, by which the dynamic linker is asked for thread-local storage.

Only ld.so can give a thread that runs already its copy of a block, and only ld.so knows where other libraries' blocks
are. It does both for any library that it loads. So we write one: a PT_TLS segment with the initial values, and some
words, each with the dynamic relocation that makes ld.so write the answer there (psABI 4.4; gABI, Dynamic Section).

    pair        R_X86_64_DTPMOD64 and R_X86_64_DTPOFF64
    distance    R_X86_64_TPOFF64, which also makes ld.so give the variable's library a static block
    descriptor  R_X86_64_TLSDESC

The file is one readable and writable segment: headers, symbols, strings, hash table, relocations, words, block.
"""

from __future__ import annotations

from struct import pack

from rtlinker.elf.constants import EM_X86_64, ET_DYN, STB_GLOBAL, STT_TLS
from rtlinker.facts import Fact
from rtlinker.hashes import sysv_hash_of
from rtlinker.units import PAGE, align_up

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    Reference = tuple[str, str, str]

PT_LOAD, PT_DYNAMIC, PT_TLS, PT_GNU_STACK = 1, 2, 7, 0x6474E551
DT_NULL, DT_NEEDED, DT_HASH, DT_STRTAB, DT_SYMTAB, DT_RELA, DT_RELASZ, DT_RELAENT, DT_STRSZ, DT_SYMENT = (
    0, 1, 4, 5, 6, 7, 8, 9, 10, 11,
)  # fmt: skip
DT_VERSYM, DT_VERNEED, DT_VERNEEDNUM = 0x6FFFFFF0, 0x6FFFFFFE, 0x6FFFFFFF
READ_WRITE = 6
"""p_flags: no executable stack is asked for, and nothing here is code."""

RULES = {"pair": (16, 17), "distance": (18,), "descriptor": (36,)}
"""The numbers of the dynamic relocations for each kind of question."""

ANSWER_SIZE = 16
"""Bytes of an answer."""


class Question(Fact):
    """`kind` is a key of RULES; `symbol` is a thread-local symbol, of another library or the own block's.

    With a `version` it is the symbol of that version in `library`, a path as ld.so has it.
    """

    kind: str
    symbol: str
    offset: int
    library: str = ""
    version: str = ""

    @property
    def reference(self) -> tuple[str, str, str]:
        """What distinguishes symbols: those of one name may have several versions."""
        return self.symbol, self.library if self.version else "", self.version


def thread_library(
    initial: bytes, size: int, align: int, symbol: str, questions: Sequence[Question], needed: Sequence[str] = ()
) -> tuple[bytes, int]:
    """The library's bytes, and where in it the answers lie, 16 bytes each, in the order of the questions.

    It has a block of `size` bytes (0: none) beginning with `initial`, named `symbol`; `needed` are the libraries in
    which ld.so looks for the symbols of the questions: before the global scope if the library is opened with
    RTLD_DEEPBIND (dlopen(3)), else after it.
    """
    own = symbol, "", ""
    references = [own, *dict.fromkeys([question.reference for question in questions if question.reference != own])]
    strings = _Strings()
    symbols = bytes(24)
    for name, _, _ in references:
        defined, room = (int(size > 0), size) if name == symbol else (0, 0)
        symbols += pack("<IBBHQQ", strings.add(name), STB_GLOBAL << 4 | STT_TLS, 0, defined, 0, room)
    # one bucket: the chain leads through all symbols from the block's on
    chain = [0, *range(2, len(references) + 1), 0]
    libraries = [strings.add(name) for name in needed]
    contents = {
        "symbols": symbols,
        "table": pack(f"<{len(chain) + 3}I", 1, len(chain), 1, *chain),
        **_versions(references, strings),
    }
    count = sum([len(RULES[question.kind]) for question in questions])
    dynamic_size = 16 * (len(libraries) + 12)
    sizes = {"dynamic": dynamic_size} | {part: len(content) for part, content in contents.items()}
    sizes |= {"relocations": 24 * count, "words": ANSWER_SIZE * len(questions), "strings": len(strings.content)}
    headers, places = 64 + 56 * 4, {}
    at = headers
    for part, length in sizes.items():
        places[part] = at = align_up(at, 16)
        at += length
    places["block"] = block = align_up(at, max(align, 16))
    contents["relocations"] = _relocations(questions, references, places["words"])
    contents["dynamic"] = _dynamic(places, sizes, libraries)
    contents |= {"strings": strings.content, "block": initial}
    file = bytearray(block + len(initial))
    file[:headers] = _headers(len(file), places["dynamic"], dynamic_size, (block, len(initial), size, align))
    for part, content in contents.items():
        file[places[part] : places[part] + len(content)] = content
    return bytes(file), places["words"]


class _Strings:
    """A string table in the making."""

    def __init__(self) -> None:
        self.content = b"\0"

    def add(self, text: str) -> int:
        """Append a text; where it starts."""
        at = len(self.content)
        self.content += _encoded(text) + b"\0"
        return at


def _encoded(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")


def _versions(references: Sequence[Reference], strings: _Strings) -> dict[str, bytes]:
    """The versions that symbols must have (LSB, Symbol Versioning): none where none has one."""
    wanted = list(dict.fromkeys([(library, version) for _, library, version in references if version]))
    if not wanted:
        return {}
    of_symbols, needs = [0], b""
    for _, library, version in references:
        of_symbols.append(2 + wanted.index((library, version)) if version else 1)
    for number, (library, version) in enumerate(wanted):
        following = 32 if number + 1 < len(wanted) else 0
        needs += pack("<HHIII", 1, 1, strings.add(library), 16, following)
        needs += pack("<IHHII", sysv_hash_of(_encoded(version)), 0, 2 + number, strings.add(version), 0)
    return {"versions": pack(f"<{len(of_symbols)}H", *of_symbols), "needs": needs}


def _relocations(questions: Sequence[Question], references: Sequence[Reference], words: int) -> bytes:
    numbers = {reference: number for number, reference in enumerate(references, 1)}
    found = b""
    for position, question in enumerate(questions):
        for word, rule in enumerate(RULES[question.kind]):
            at = words + ANSWER_SIZE * position + 8 * word
            found += pack("<QQq", at, numbers[question.reference] << 32 | rule, question.offset)
    return found


def _dynamic(places: dict[str, int], sizes: dict[str, int], libraries: Sequence[int]) -> bytes:
    entries = [(DT_NEEDED, name) for name in libraries]
    entries += [
        (DT_HASH, places["table"]), (DT_STRTAB, places["strings"]), (DT_SYMTAB, places["symbols"]),
        (DT_STRSZ, sizes["strings"]), (DT_SYMENT, 24),
        (DT_RELA, places["relocations"]), (DT_RELASZ, sizes["relocations"]), (DT_RELAENT, 24),
    ]  # fmt: skip
    if "needs" in places:
        entries += [
            (DT_VERSYM, places["versions"]), (DT_VERNEED, places["needs"]), (DT_VERNEEDNUM, sizes["needs"] // 32),
        ]  # fmt: skip
    return b"".join([pack("<QQ", *entry) for entry in [*entries, (DT_NULL, 0)]])


def _headers(size: int, dynamic: int, dynamic_size: int, block: tuple[int, int, int, int]) -> bytes:
    """The ELF header and four program headers; `block` is the PT_TLS segment's offset, file size, size, alignment."""
    start, filled, room, align = block
    loaded = max(align, PAGE) if room else PAGE
    ident = b"\x7fELF\x02\x01\x01" + bytes(9)
    header = ident + pack("<HHIQQQIHHHHHH", ET_DYN, EM_X86_64, 1, 0, 64, 0, 0, 64, 56, 4, 64, 0, 0)
    segments = (
        (PT_LOAD, READ_WRITE, 0, size, size, loaded),
        (PT_DYNAMIC, READ_WRITE, dynamic, dynamic_size, dynamic_size, 8),
        (PT_GNU_STACK, READ_WRITE, 0, 0, 0, 16),
        (PT_TLS if room else PT_GNU_STACK, 4 if room else READ_WRITE, start, filled, room, align),
    )
    for kind, flags, offset, file_size, memory_size, alignment in segments:
        header += pack("<IIQQQQQQ", kind, flags, offset, offset, offset, file_size, memory_size, alignment)
    return header
