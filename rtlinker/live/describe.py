"""Addresses to names: of the images first, then of the process's libraries."""

from __future__ import annotations

from rtlinker.elf.constants import SHF_ALLOC, SHF_EXECINSTR
from rtlinker.host.demangle import readable
from rtlinker.link.chains import CHAINS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rtlinker.elf.object import Symbols
    from rtlinker.link.image import Image


def describe(images: Sequence[Image], address: int) -> str | None:
    """`draw+0x12 (plot.o)` for an absolute address in one of the images or libraries; None where nothing is known."""
    for image in images:
        if 0 <= address - image.address < image.layout.size:
            return _in_image(image, address - image.address)
    from rtlinker.host.examine import examine

    place = examine(address)
    if place.symbol:
        return f"{readable(place.symbol)}+{place.offset:#x} ({place.library})"
    return f"({place.library})" if place.library else None


def functions_of(image: Image) -> Iterator[tuple[int, int, str, str]]:
    """(start, end, symbol, object) of all the code of an image, absolute addresses; for those who cannot ask later."""
    for number, object in enumerate(image.resolution.objects):
        flags, sizes = object.sections.flags, object.sections.sizes
        for section, offset in enumerate(image.layout.sections[number]):
            if offset < 0 or not flags[section] & SHF_EXECINSTR:
                continue
            start = image.address + offset
            labels = sorted(_labels(object.symbols, section))
            ends = [*[at for at, _ in labels[1:]], sizes[section]]
            yield from [(start + at, start + end, name, object.name) for (at, name), end in zip(labels, ends)]


def _labels(symbols: Symbols, section: int) -> Iterator[tuple[int, str]]:
    for number, defined in enumerate(symbols.sections):
        if defined == section and symbols.type(number) in {0, 2, 10} and symbols.name(number):
            yield symbols.value(number), symbols.name(number)


def _in_image(image: Image, offset: int) -> str:
    for number, object in enumerate(image.resolution.objects):
        sections = object.sections
        for index, start in enumerate(image.layout.sections[number]):
            if (
                start < 0
                or not sections.flags[index] & SHF_ALLOC
                or not start <= offset < start + sections.sizes[index]
            ):
                continue
            name, at = _function(object.symbols, index, offset - start) or (sections.names[index], offset - start)
            return f"{readable(name)}+{at:#x} ({object.name})"
    for key, (stub, _) in image.layout.stubs.items():
        if stub <= offset < stub + 16:
            return f"stub of {readable(str(key))}+{offset - stub:#x}"
    for section, name in CHAINS.items():
        start, end = image.layout.bounds.get(section, (0, 0))
        if start <= offset < end:
            return f"{name}+{offset - start:#x} (of all {section} sections)"
    return f"image+{offset:#x}"


def _function(symbols, section: int, offset: int) -> tuple[str, int] | None:  # type: ignore[no-untyped-def]
    """The nearest function or label of the section at or before the offset, with the distance in bytes."""
    best: tuple[int, str] | None = None
    for number, defined in enumerate(symbols.sections):
        if defined == section and symbols.type(number) in {0, 2, 10}:
            value, name = symbols.value(number), symbols.name(number)
            if name and value <= offset and (best is None or value >= best[0]):
                best = value, name
    return (best[1], offset - best[0]) if best else None
