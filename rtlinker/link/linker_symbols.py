"""Names that a linker defines (ld's default script and psABI 4.4): only when referred to, only when nobody else does.

They come before the process's symbols on purpose: dlsym knows an `_end` and a `__data_start`, those of the Python
executable, and an object that asks for them would walk over somebody else's memory.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container

GOT = "_GLOBAL_OFFSET_TABLE_"
DSO_HANDLE = "__dso_handle"
TLS_BASE = "_TLS_MODULE_BASE_"
"""The start of the link's thread-local block, to which local dynamic code with descriptors adds offsets."""

BOUNDS: dict[str, tuple[str, str]] = {
    "__executable_start": ("(image)", "start"),
    "etext": ("(code)", "end"),
    "_etext": ("(code)", "end"),
    "__etext": ("(code)", "end"),
    "data_start": ("(data)", "start"),
    "__data_start": ("(data)", "start"),
    "edata": ("(data)", "end"),
    "_edata": ("(data)", "end"),
    "__bss_start": ("(bss)", "start"),
    "end": ("(image)", "end"),
    "_end": ("(image)", "end"),
    "__preinit_array_start": (".preinit_array", "start"),
    "__preinit_array_end": (".preinit_array", "end"),
    "__init_array_start": (".init_array", "start"),
    "__init_array_end": (".init_array", "end"),
    "__fini_array_start": (".fini_array", "start"),
    "__fini_array_end": (".fini_array", "end"),
    "__rela_iplt_start": (".rela.iplt", "start"),
    "__rela_iplt_end": (".rela.iplt", "end"),
}
"""Each name with the part of the image it bounds, and which end of it."""


_NAMES = frozenset({*BOUNDS, GOT, DSO_HANDLE, TLS_BASE})


def is_linker_defined(name: str, section_names: Container[str]) -> bool:
    """Whether the linker gives `name` a meaning, given the names of the sections that are in the link."""
    if name in _NAMES:
        return True
    bounded = bounded_section(name)
    return bounded is not None and bounded in section_names


def bounded_section(name: str) -> str | None:
    """The section X of `__start_X` or `__stop_X`, where X is a C identifier; None for other names."""
    if name.startswith("__st"):
        for prefix in ("__start_", "__stop_"):
            if name.startswith(prefix) and name[len(prefix) :].isidentifier():
                return name[len(prefix) :]
    return None
