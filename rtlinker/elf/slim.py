"""Objects of gcc's link-time optimisation that hold no machine code."""

from __future__ import annotations

from rtlinker.errors import UnsupportedError


def refuse_slim(
    data: bytes, name: str, names: tuple[str, ...], offsets: tuple[int, ...], sizes: tuple[int, ...]
) -> None:
    """A slim LTO object has gcc's intermediate code in place of machine code; its fifth byte there says so."""
    for index, section in enumerate(names):
        if (
            section.startswith(".gnu.lto_.lto.")
            and data[offsets[index] : offsets[index] + sizes[index]][4:5] == b"\x01"
        ):
            raise UnsupportedError(
                "lto",
                "object holds gcc's intermediate code only (slim LTO)",
                [("file", name), ("section", section)],
                "compile without -flto, or with -ffat-lto-objects",
            )
